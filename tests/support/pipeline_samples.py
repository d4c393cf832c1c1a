"""Small inputs of whole runs, and what is compared of their results."""

import gzip
from pathlib import Path

from Bio import SeqIO

ROOT = Path(__file__).resolve().parents[2]


def write_two_samples(folder: Path) -> Path:
    for sample, name in (("phage", "lambda.fa.gz"), ("host", "ecoli.fa.gz")):
        with gzip.open(ROOT / "assets/example" / name, "rt", encoding="utf-8") as text:
            record = next(SeqIO.parse(text, "fasta"))[:6000]
        SeqIO.write(record, folder / f"{sample}.fa", "fasta")
    (folder / "s.csv").write_text("sample,fasta\nphage,phage.fa\nhost,host.fa\n", encoding="utf-8")
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every result file of a run that does not tell times or places, by relative path."""
    told = ("pipeline_info/", "multiqc_report")
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in sorted(files.items()) if not name.startswith(told)}

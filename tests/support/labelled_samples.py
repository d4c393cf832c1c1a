"""A small labelled samplesheet from the example, for whole runs of train and evaluate."""

import gzip
from pathlib import Path

from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqFeature import SeqFeature, SimpleLocation
from Bio.SeqRecord import SeqRecord

ROOT = Path(__file__).resolve().parents[2]
PIECE, PIECES = 1200, {"lambda": 24, "ecoli": 36}


def write_labelled(folder: Path) -> Path:
    """`folder`/s.csv: pieces of phage lambda (phage, virus) and E. coli 536 (host, other), each a genome of its own.

    lambda.gb annotates what is read of the three forward frames, and nothing else.
    """
    for name, most in PIECES.items():
        with gzip.open(ROOT / f"assets/example/{name}.fa.gz", "rt", encoding="utf-8") as text:
            records = list(SeqIO.parse(text, "fasta"))
        pieces = [r.seq[i : i + PIECE] for r in records for i in range(0, len(r) - PIECE + 1, PIECE)][:most]
        (folder / f"{name}.fa").write_text(
            "".join(f">{name}-{i} piece\n{s}\n" for i, s in enumerate(pieces)), encoding="utf-8"
        )
        if name == "lambda":
            SeqIO.write([annotated(f"{name}-{i}", s) for i, s in enumerate(pieces)], folder / "lambda.gb", "genbank")
    rows = ("sample,fasta,label,annotation", "phage,lambda.fa,virus,lambda.gb", "host,ecoli.fa,other,")
    (folder / "s.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def annotated(name: str, sequence: Seq) -> SeqRecord:
    record = SeqRecord(sequence, id=name, name=name, description="", annotations={"molecule_type": "DNA"})
    for frame in range(3):
        part = sequence[frame : frame + (len(sequence) - frame) // 3 * 3]
        place = SimpleLocation(frame, frame + len(part), 1)
        record.features.append(SeqFeature(place, type="CDS", qualifiers={"translation": [str(part.translate())]}))
    return record

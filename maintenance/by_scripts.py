"""Labelled sequences cut into pieces and called by the pipeline's own scripts, as measurements of a bundle begin."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bin"))

from virnucpro.bundle.classifier import Classifier  # noqa: E402
from virnucpro.frames.fasta import read_fasta  # noqa: E402


@dataclass(frozen=True)
class Pieces:
    """A FASTA file of pieces, in the order of the lists. label: 1 virus, 0 other. genome: the record's accession."""

    fasta: Path
    label: list[int]
    genome: list[str]


def cut(virus: Sequence[Path], others: Sequence[Path], length: int, fasta: Path) -> Pieces:
    """Write pieces of `length` bases side by side; what is left of a sequence counts from half of that on.

    A record's accession is its name up to the first `#` (DeepVirFinder's fragments) or blank.
    """
    labels, genomes = [], []
    with fasta.open("wb") as out:
        for label, files in ((1, virus), (0, others)):
            for record in (record for file in files for record in read_fasta(file)):
                sequence = record.sequence
                for first in range(0, len(sequence) - length // 2, length):
                    out.write(b">%d\n%s\n" % (len(labels), sequence[first : first + length]))
                    labels.append(label)
                    genomes.append(record.id.split("#")[0])
    return Pieces(fasta, labels, genomes)


def called(
    fasta: Path,
    models: Path,
    classifiers: Sequence[Classifier],
    work: Path,
    *,
    frames: str | None = None,
    min_stretch: int | None = None,
    device: str = "cpu",
) -> pl.DataFrame:
    """sequences.tsv, by one classifier or two. What is read follows their cards where it is not given."""
    first, *second = classifiers
    sample = ("--sample", "s", fasta)
    read = ("--frames", frames or first.frames, "--min_stretch", min_stretch or first.min_stretch)
    again = [f"{c.chunk_length},{frames or c.frames},{min_stretch or c.min_stretch}" for c in second]
    script(
        *("extract_frames.py", *sample, "--chunk_length", first.chunk_length, *read),
        *(("--second", *again) if again else ()),
        *("--out", work / "tables"),
    )
    shards = work / "shards"
    shards.mkdir()
    for shard in (work / "tables").glob("*.shard_*.parquet"):
        shard.replace(shards / shard.name)
    for encoder in first.encoders:
        which = ("--kind", encoder.kind, "--encoder", models / "encoders" / encoder.name, "--layer", encoder.layer)
        where = ("--shards", shards, "--task", encoder.kind, "--device", device, "--out", work / "embeddings")
        script("embed.py", *which, *where)
    folders = [c.folder for c in classifiers]
    given = ("--tables", work / "tables", "--embeddings", work / "embeddings")
    script("classify.py", *sample, *given, "--classifier", *folders, "--out", work / "out")
    return pl.read_csv(work / "out/s/sequences.tsv", separator="\t", infer_schema_length=None)


def script(name: str, *arguments: object) -> None:
    """Run a script of the pipeline; its words are shown where it fails."""
    command = [sys.executable, str(ROOT / "bin" / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")

"""Which frames an annotation vouches for: those whose peptide lies inside an annotated protein, as VirNucPro trains.

A frame that is open by chance, or against a gene's sense, says nothing of viruses. Chunks with a letter that is none of
ACGT are left out, too. Where no annotation is given every frame counts.
"""

import gzip
import re
from pathlib import Path

import numpy as np
import polars as pl

from virnucpro.errors import InputError
from virnucpro.formats import FRAMES
from virnucpro.frames.chunks import Chunks
from virnucpro.frames.fasta import read_fasta
from virnucpro.frames.stretches import frames_of
from virnucpro.training.sheet import LabelledFile

COUNTED = {"sample": pl.String, "chunk": pl.Int64, "frames": pl.UInt8}  # chunk: row of the chunks' table; bit f: FRAMES
ALL = (1 << len(FRAMES)) - 1
_QUALIFIER = re.compile(r'/translation="([^"]*)"')


def read_proteins(path: Path) -> dict[str, bytes]:
    """Of each record of a GenBank file (plain or gzip) its annotated proteins, one after another with * between; by the
    names that a FASTA record of it may have: version, accession, locus. InputError where it is no such file."""
    try:
        with path.open("rb") as f:
            packed = f.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as f:
            text = f.read()
    except (OSError, EOFError, UnicodeDecodeError) as e:
        raise InputError(f"{path.name}: cannot be read as a GenBank file ({e})") from e
    if not text.startswith("LOCUS"):
        raise InputError(f"{path.name}: is no GenBank file (it does not begin with LOCUS)")
    found: dict[str, bytes] = {}
    for record in text.split("\n//"):
        heads = re.findall(r"^(LOCUS|ACCESSION|VERSION) +(\S+)", record, flags=re.MULTILINE)
        features = record.partition("\nORIGIN")[0]
        proteins = [re.sub(r"\s", "", protein).upper() for protein in _QUALIFIER.findall(features)]
        for _, name in heads:
            found[name] = b"*" + "*".join(proteins).encode() + b"*"
    return found


def counted_frames(
    files: list[LabelledFile], fasta: list[Path], annotations: dict[int, Path], tables: Path, read: str, least: int
) -> pl.DataFrame:
    """A row (COUNTED) for each chunk of the annotated files. annotations: by position of the file among `files`.

    read, least: what was read of chunks (frames_of). InputError where a record has no annotation in its file.
    """
    parts = [pl.DataFrame(schema=COUNTED)]
    numbers: dict[str, int] = {}  # sequences of the sample in the files so far
    for at, (file, path) in enumerate(zip(files, fasta, strict=True)):
        first = numbers.get(file.sample, 0)
        if at not in annotations:
            numbers[file.sample] = first + sum(1 for _ in read_fasta(path))
            continue
        proteins = read_proteins(annotations[at])
        chunks = pl.read_parquet(tables / f"{file.sample}.chunks.parquet").with_row_index("chunk")
        codes = pl.read_parquet(tables / f"{file.sample}.sequences.parquet", columns=["genetic_code"])["genetic_code"]
        for number, record in enumerate(read_fasta(path), first):
            mine = chunks.filter(pl.col("sequence") == number)
            known = proteins.get(record.id) or proteins.get(record.id.rpartition(".")[0])
            if known is None:
                has = ", ".join(list(proteins)[:3]) or "none"
                raise InputError(
                    f"{path.name}: record {record.id!r} has no annotation in {annotations[at].name}, which has {has}; "
                    "names must be the same, with or without their version"
                )
            frames = _vouched(record.sequence, mine, known, read, least, int(codes[number]))
            rows = pl.DataFrame({"chunk": mine["chunk"].cast(pl.Int64), "frames": frames})
            parts.append(rows.select(pl.lit(file.sample).alias("sample"), "chunk", "frames"))
            numbers[file.sample] = number + 1
    return pl.concat(parts)


def _vouched(sequence: bytes, chunks: pl.DataFrame, proteins: bytes, read: str, least: int, code: int) -> np.ndarray:
    """Bits of the frames of each chunk that count, uint8 [chunks]."""
    start, end = chunks["start"].to_numpy(), chunks["end"].to_numpy()
    bits = np.zeros(len(start), dtype=np.uint8)
    if not len(start):
        return bits
    where = Chunks(np.zeros(len(start), dtype=np.int64), chunks["number"].to_numpy().astype(np.int64), start, end)
    codes = np.full(len(start), max(code, 1))
    found = frames_of(sequence, where, np.zeros(len(start), dtype=np.int64), read, least, codes)
    plain = [not sequence[a:b].strip(b"ACGT") for a, b in zip(start.tolist(), end.tolist(), strict=True)]
    for chunk, frame, peptide in zip(found.chunk.tolist(), found.frame.tolist(), found.peptides, strict=True):
        if plain[chunk] and peptide in proteins:
            bits[chunk] |= 1 << frame
    return bits

"""From a sample's FASTA files to shards of open frames and the tables that account for every sequence and chunk."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from virnucpro import tables
from virnucpro.chunks import Chunks, chunk
from virnucpro.errors import InputError
from virnucpro.fasta import Record, read_fasta
from virnucpro.frames import NUCLEOTIDE_LETTERS, OpenFrames, open_frames
from virnucpro.shards import ShardWriter

BLOCK_BASES = 2 << 20  # bases looked at together: some 70 MB of working memory, and fast already
BLOCK_RECORDS = 50_000


def extract(
    sample: str,
    files: list[Path],
    out: Path,
    *,
    chunk_length: int,
    min_length: int = 0,
    shard_size: int = 10_000,
) -> dict:
    """Write a sample's shards, `<sample>.sequences.parquet`, `<sample>.chunks.parquet` and `<sample>.manifest.json`.

    Lengths are in bases. Returns the manifest. Damaged input (see read_fasta) does not raise: a sample is whole or it
    is nothing, so its shards are removed, its tables are empty, and the manifest has state `failed` and the reason.
    """
    out.mkdir(parents=True, exist_ok=True)
    manifest = {
        "format": 1,
        "sample": sample,
        "state": "ok",
        "reason": "",
        "files": [f.name for f in files],
        "chunk_length": chunk_length,
        "min_length": min_length,
    }
    with _Extraction(sample, out, chunk_length, min_length, shard_size) as work:
        try:
            for number, file in enumerate(files):
                for records in _batches(read_fasta(file)):
                    work.add(number, records)
        except InputError as e:
            work.discard()
            manifest |= {"state": "failed", "reason": str(e)}
    manifest |= work.totals()
    path = out / f"{sample}.manifest.json"
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    return manifest


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    batch, bases = [], 0
    for record in records:
        batch.append(record)
        bases += len(record.sequence)
        if bases >= BLOCK_BASES or len(batch) == BLOCK_RECORDS:
            yield batch
            batch, bases = [], 0
    if batch:
        yield batch


class _Extraction:
    """The output files of one sample while they grow."""

    def __init__(self, sample: str, out: Path, chunk_length: int, min_length: int, shard_size: int):
        self.chunk_length = chunk_length
        self.min_length = min_length
        self.shards = ShardWriter(sample, out, shard_size)
        self._paths = {t: out / f"{sample}.{t}.parquet" for t in ("sequences", "chunks")}
        self._open_tables()

    def _open_tables(self) -> None:
        schemas = {"sequences": tables.SEQUENCES, "chunks": tables.CHUNKS}
        self._tables = {t: pq.ParquetWriter(p, schemas[t], compression="zstd") for t, p in self._paths.items()}
        self.sequences = self.bases = self.chunks = 0

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if not failure[0]:
            self.shards.close()
        self._close_tables()

    def _close_tables(self) -> None:
        for table in self._tables.values():
            table.close()

    def discard(self) -> None:
        """Forget everything: the sample has failed as a whole."""
        self.shards.discard()
        self._close_tables()
        self._open_tables()

    def totals(self) -> dict:
        return {
            "sequences": self.sequences,
            "bases": self.bases,
            "chunks": self.chunks,
            "frames": self.shards.frames,
            "shards": self.shards.written,
        }

    def add(self, file: int, records: list[Record]) -> None:
        """Account for a batch of records and cut it into shards."""
        verdicts = [self._verdict(r) for r in records]
        scored = np.array([state == "" for state, _ in verdicts], dtype=bool)
        lengths = np.array([len(r.sequence) for r in records], dtype=np.int64)
        chunks = chunk(np.where(scored, lengths, 0), self.chunk_length)
        block = b"".join(r.sequence for r in records)
        origin = (np.cumsum(lengths) - lengths)[chunks.owner]
        bits = np.zeros(len(chunks.start), dtype=np.uint8)
        ids = [r.id for r in records]
        for first, part, found in _windows(block, chunks, origin):
            np.bitwise_or.at(bits, first + found.chunk, (1 << found.frame).astype(np.uint8))
            owners, numbers = part.owner[found.chunk].tolist(), part.number[found.chunk].tolist()
            frames = found.frame.tolist()
            names = [f"{ids[o]}_chunk_{n}{tables.FRAMES[f]}" for o, n, f in zip(owners, numbers, frames, strict=True)]
            keys = 6 * (self.chunks + first + found.chunk) + found.frame
            self.shards.add(keys, names, found.nucleotides, found.peptides)
        self._write_tables(file, records, verdicts, lengths, chunks, bits)

    def _verdict(self, record: Record) -> tuple[str, str]:
        """State and reason of a record that is not scored; two empty strings for one that is."""
        if not record.sequence:
            return "failed", "there is no sequence under this header"
        if strange := record.sequence.translate(None, NUCLEOTIDE_LETTERS):
            return "failed", _why_not_nucleotides(record.sequence, strange)
        if len(record.sequence) < self.min_length:
            return "too_short", f"{len(record.sequence)} bases, --min_length is {self.min_length}"
        return "", ""

    def _write_tables(self, file, records, verdicts, lengths, chunks: Chunks, bits) -> None:
        n = len(records)
        columns = [
            np.arange(self.sequences, self.sequences + n),
            [r.id.encode() for r in records],
            [r.description.encode() for r in records],
            np.full(n, file),
            lengths,
            np.bincount(chunks.owner, minlength=n),
            [state.encode() for state, _ in verdicts],
            [reason.encode() for _, reason in verdicts],
        ]
        self._tables["sequences"].write_table(tables.build(tables.SEQUENCES, columns))
        columns = [chunks.owner + self.sequences, chunks.number, chunks.start, chunks.end, bits]
        self._tables["chunks"].write_table(tables.build(tables.CHUNKS, columns))
        self.sequences += n
        self.bases += int(lengths.sum())
        self.chunks += len(bits)


def _windows(block: bytes, chunks: Chunks, origin: np.ndarray) -> Iterator[tuple[int, Chunks, OpenFrames]]:
    """Open frames of `chunks`, a window of about BLOCK_BASES at a time, so that a chromosome takes no more memory.

    Yields (index of the window's first chunk, the window's chunks, their open frames).
    """
    start, end = chunks.start + origin, chunks.end + origin
    first = 0
    while first < len(start):
        base = start[first]
        last = max(first + 1, int(np.searchsorted(end, base + BLOCK_BASES, side="right")))
        part = Chunks(*(a[first:last] for a in chunks))
        yield first, part, open_frames(block[base : end[last - 1]], part, origin[first:last] - base)
        first = last


def _why_not_nucleotides(sequence: bytes, strange: bytes) -> str:
    position = re.search(b"[" + re.escape(strange[:1]) + b"]", sequence).start() + 1
    share = len(strange) / len(sequence)
    hint = "; it looks like a protein, VirNucPro reads DNA" if strange[:1].isalpha() and share > 0.05 else ""
    return f"{strange[:1].decode('latin-1')!r} at position {position} is no nucleotide letter{hint}"

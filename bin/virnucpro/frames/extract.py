"""From a sample's FASTA files to shards of open frames and the tables that account for every sequence and chunk."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from virnucpro import formats
from virnucpro.errors import InputError
from virnucpro.frames.cuts import ChunkRows, Cut, cut_once_more, windows
from virnucpro.frames.fasta import Record, digest, read_fasta
from virnucpro.frames.recoding import better_codes, chosen_codes
from virnucpro.frames.records import batches, unscorable
from virnucpro.frames.screened import Screened
from virnucpro.frames.shards import ShardWriter

FRAME_SUFFIXES = (formats.FRAMES, tuple(f"{frame}_stretch" for frame in formats.FRAMES))


def extract(
    sample: str,
    files: list[Path],
    out: Path,
    *,
    chunk_length: int,
    min_length: int = 0,
    shard_size: int = 10_000,
    read: str = "open",
    min_stretch: int = 1,
    second: Cut | None = None,
    genetic_code: int | None = 1,
    screened: Screened | None = None,
    file_names: Sequence[str] = (),
) -> dict:
    """Write a sample's shards, `<sample>.sequences.parquet`, `<sample>.chunks.parquet` and `<sample>.manifest.json`.

    Lengths are in bases. chunk_length, read, min_stretch: how sequences are cut and read (see Cut). second: how those
    are cut once more of which nothing could be read. genetic_code: NCBI's number; None chooses it for each sequence.
    screened: which sequences need not be read, as a small model has found. file_names: what tables call the files
    [their own names].

    Returns the manifest. Damaged input (see read_fasta) does not raise: a sample is whole or it
    is nothing, so its shards are removed, its tables are empty, and the manifest has state `failed` and the reason.
    """
    out.mkdir(parents=True, exist_ok=True)
    first = Cut(chunk_length, read, min_stretch)
    manifest = {
        "format": 1,
        "sample": sample,
        "state": "ok",
        "reason": "",
        "files": list(file_names) or [f.name for f in files],
        "chunk_length": first.length,
        "second_chunk_length": second.length if second else None,
        "min_length": min_length,
        "min_stretch": None if first.read == "open" else first.min_stretch,
        "genetic_code": genetic_code or "auto",
    }
    with _Extraction(sample, out, first, second, min_length, shard_size, genetic_code, screened) as work:
        try:
            for number, file in enumerate(files):
                for records in batches(read_fasta(file)):
                    work.add(number, records)
        except InputError as e:
            work.discard()
            manifest |= {"state": "failed", "reason": str(e)}
    manifest |= work.totals()
    path = out / f"{sample}.manifest.json"
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest


class _Extraction:
    """The output files of one sample while they grow."""

    def __init__(
        self,
        sample: str,
        out: Path,
        first: Cut,
        second: Cut | None,
        min_length: int,
        shard_size: int,
        genetic_code: int | None,
        screened: Screened | None,
    ):
        self.first, self.second, self.screened = first, second, screened
        self.genetic_code = genetic_code
        self.min_length = min_length
        self.shards = ShardWriter(sample, out, shard_size)
        self._paths = {t: out / f"{sample}.{t}.parquet" for t in ("sequences", "chunks")}
        self._open_tables()

    def _open_tables(self) -> None:
        schemas = {"sequences": formats.SEQUENCES, "chunks": formats.CHUNKS}
        self._tables = {t: pq.ParquetWriter(p, schemas[t], compression="zstd") for t, p in self._paths.items()}
        self.sequences = self.bases = self.chunks = self.stretches = 0

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
            "stretches": self.stretches,
            "shards": self.shards.written,
        }

    def add(self, file: int, records: list[Record]) -> None:
        """Account for a batch of records and cut it into shards."""
        lengths = np.array([len(r.sequence) for r in records], dtype=np.int64)
        digests = np.fromiter((digest(r.sequence) for r in records), dtype=np.uint64, count=len(records))
        left_out = self.screened.verdicts(digests) if self.screened else [""] * len(records)
        verdicts = [self._verdict(r, why) for r, why in zip(records, left_out, strict=True)]
        scored = np.array([state == "" for state, _ in verdicts], dtype=bool)
        block = b"".join(r.sequence for r in records)
        codes = chosen_codes(block, lengths, scored, self.first.length, self.genetic_code)
        unread = scored.copy()  # bool [records]: nothing of it has been read so far
        chunks, opened = (np.zeros(len(records), dtype=np.int64) for _ in range(2))
        for rows, ended in windows(block, lengths, scored, self.first, codes):
            unread[rows.owner[rows.frames.chunk]] = False
            opened += np.bincount(rows.opened(), minlength=len(records))
            if self.second and (again := ended[unread[ended]]).size:
                rows = rows.with_more(cut_once_more(block, lengths, again, self.second, codes))
            chunks += np.bincount(rows.owner, minlength=len(records))
            self._write_rows(records, rows)
        better = np.zeros(len(records), dtype=np.int64)
        if self.genetic_code:
            better = better_codes(block, lengths, scored, opened, self.first.length, codes)
        self._write_sequences(file, records, verdicts, lengths, digests, chunks, np.where(scored, codes, 0), better)

    def _write_rows(self, records: list[Record], rows: ChunkRows) -> None:
        """Chunks with their frames."""
        found = rows.frames
        owners, numbers = rows.owner[found.chunk].tolist(), rows.number[found.chunk].tolist()
        suffixes = [FRAME_SUFFIXES[s][f] for s, f in zip(found.stretch.tolist(), found.frame.tolist(), strict=True)]
        names = [f"{records[o].id}_chunk_{n}{f}" for o, n, f in zip(owners, numbers, suffixes, strict=True)]
        self.shards.add(
            formats.frame_key(self.chunks + found.chunk, found.frame), names, found.nucleotides, found.peptides
        )
        columns = [rows.owner + self.sequences, rows.cut, rows.number, rows.start, rows.end]
        columns += [*rows.bits(), *rows.residues().T]
        self._tables["chunks"].write_table(formats.build(formats.CHUNKS, columns))
        self.chunks += len(rows.owner)
        self.stretches += int(found.stretch.sum())

    def _verdict(self, record: Record, left_out: str) -> tuple[str, str]:
        """State and reason of a record that is not scored; two empty strings for one that is."""
        if fault := unscorable(record):
            return "failed", fault
        if len(record.sequence) < self.min_length:
            return "too_short", f"{len(record.sequence)} bases, --min_length is {self.min_length}"
        return ("screened", left_out) if left_out else ("", "")

    def _write_sequences(self, file: int, records: list[Record], verdicts, *numbers: np.ndarray) -> None:
        """numbers: lengths, digests, chunks, genetic codes, better ones."""
        n = len(records)
        columns = [
            np.arange(self.sequences, self.sequences + n),
            [r.id.encode() for r in records],
            [r.description.encode() for r in records],
            np.full(n, file),
            *numbers,
            [state.encode() for state, _ in verdicts],
            [reason.encode() for _, reason in verdicts],
        ]
        self._tables["sequences"].write_table(formats.build(formats.SEQUENCES, columns))
        self.sequences += n
        self.bases += int(numbers[0].sum())

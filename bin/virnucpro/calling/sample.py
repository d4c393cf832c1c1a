"""A sample as EXTRACT_FRAMES left it: the manifest, and the tables of its sequences and chunks, block by block."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from virnucpro.calling.ids import OwnIds
from virnucpro.errors import InputError
from virnucpro.formats import FRAMES, frame_key

BLOCK = 1 << 16  # chunks of a block, or sequences: some 100 MB while they are worked on; larger ones are no faster


@dataclass(frozen=True)
class Sample:
    """A sample before it is scored, or a block of its sequences with all their chunks. `chunks` lies in the order of
    chunk_index; `keys` are those of all frames that were read: open ones, and stretches.

    Of a block, the column `sequence` and the keys count from its beginning: they are rows of its tables.
    """

    name: str
    manifest: dict
    sequences: pl.DataFrame
    chunks: pl.DataFrame
    keys: np.ndarray  # int64 [frames], ascending
    first_sequence: int = 0  # where it begins in the whole sample
    first_chunk: int = 0

    @property
    def first_key(self) -> int:
        return self.first_chunk * len(FRAMES)

    def numbered(self, table: pl.DataFrame) -> pl.DataFrame:
        """A table of it, with `sequence` as the whole sample counts."""
        return table.with_columns(pl.col("sequence") + self.first_sequence)


class SampleTables:
    """The files of a sample's tables."""

    def __init__(self, name: str, folder: Path):
        """Read the manifest; InputError where the tables in `folder` have other numbers of rows."""
        self.name = name
        self.manifest = json.loads((folder / f"{name}.manifest.json").read_text(encoding="utf-8"))
        self._paths = {table: folder / f"{name}.{table}.parquet" for table in ("sequences", "chunks")}
        for table, path in self._paths.items():
            self._check(table, pq.read_metadata(path).num_rows)
        self._ids = OwnIds(lambda: (batch["id"] for batch in _batches(self._paths["sequences"], ["id"])))

    def blocks(self, most: int | None = BLOCK) -> Iterator[Sample]:
        """The sample in blocks of at most `most` chunks and sequences, but at least one sequence; in one where that is
        None, or where there is no sequence. InputError where manifest and tables do not tell one story."""
        sequences, chunks = _Rows(self._paths["sequences"]), _Rows(self._paths["chunks"])
        first_sequence = first_chunk = frames = 0
        first_of_file: dict[int, int] = {}  # the number of the first sequence
        while first_sequence == 0 or sequences.left:
            mine = sequences.take(sequences.left if most is None else most)
            if most is not None:
                fit = int((mine["chunks"].cum_sum() <= most).sum())
                mine = sequences.put_back(mine, max(fit, min(1, mine.height)))
            if not mine["sequence"].equals(pl.int_range(first_sequence, first_sequence + mine.height, eager=True)):
                raise InputError(f"sample {self.name}: its sequences are missing, doubled or out of order")
            count = int(mine["chunks"].sum())
            if count > chunks.left:
                break
            of_mine = chunks.take(count).with_columns(pl.col("sequence") - first_sequence)
            keys = _frame_keys(of_mine["open_frames"].to_numpy() | of_mine["stretch_frames"].to_numpy())
            ids = self._ids.of(mine["id"], first_sequence)
            for file in mine["file"].unique(maintain_order=True).to_list():
                first_of_file.setdefault(file, first_sequence + int(mine["file"].index_of(file)))
            first = pl.col("file").replace_strict(first_of_file, return_dtype=pl.Int64)
            mine = mine.with_columns(ids, (pl.col("sequence") - first + 1).alias("record"))
            mine = mine.with_columns(pl.col("sequence") - first_sequence)
            yield Sample(self.name, self.manifest, mine, of_mine, keys, first_sequence, first_chunk)
            first_sequence, first_chunk, frames = first_sequence + mine.height, first_chunk + count, frames + len(keys)
            if not mine.height:
                break
        if chunks.left or first_chunk != self.manifest["chunks"]:
            raise InputError(f"sample {self.name}: its sequences have other chunks than its table of chunks")
        self._check("frames", frames)

    def _check(self, what: str, count: int) -> None:
        if count != self.manifest[what]:
            raise InputError(
                f"sample {self.name}: its table has {count:,} {what}, its manifest says {self.manifest[what]:,}"
            )


def read_sample(name: str, folder: Path) -> Sample:
    """A whole sample in memory, of a size that allows it; InputError where its manifest and tables disagree."""
    (sample,) = SampleTables(name, folder).blocks(most=None)
    return sample


class _Rows:
    """The rows of a Parquet file, taken one after another."""

    def __init__(self, path: Path):
        self.left = pq.read_metadata(path).num_rows
        self._batches = _batches(path)
        self._held = [pl.DataFrame(pl.from_arrow(pq.read_schema(path).empty_table()))]

    def take(self, count: int) -> pl.DataFrame:
        """The next rows, at most so many as are left."""
        while sum(table.height for table in self._held) < min(count, self.left):
            self._held.append(next(self._batches))
        rows = pl.concat(self._held)
        self._held = [rows.slice(count)]
        taken = rows.head(count)
        self.left -= taken.height
        return taken

    def put_back(self, taken: pl.DataFrame, but: int) -> pl.DataFrame:
        """Give all rows back that were taken last, but so many; these."""
        self._held.insert(0, taken.slice(but))
        self.left += taken.height - but
        return taken.head(but)


def _batches(path: Path, columns: list[str] | None = None) -> Iterator[pl.DataFrame]:
    for batch in pq.ParquetFile(path).iter_batches(batch_size=BLOCK, columns=columns):
        yield pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))


def _frame_keys(bits: np.ndarray) -> np.ndarray:
    """frame_key of all that was read of each chunk, ascending, from the bit sets of its frames (uint8)."""
    rows = np.unpackbits(bits[:, None], axis=1, bitorder="little")[:, : len(FRAMES)]
    return frame_key(*np.nonzero(rows))

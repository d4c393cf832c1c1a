"""Result files that grow block by block, in flat memory."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import polars as pl
import polars.selectors as cs
import pyarrow as pa

ROWS = 1 << 16  # written together
SORTED_ROWS = 1 << 12  # of each sorted part that are in memory at once


class Tsv(AbstractContextManager):
    """A table for people and programs: a field with a quote in it is quoted, as pandas does and reads it."""

    def __init__(self, path: Path):
        self._out = path.open("wb")
        self._begun = False

    def __exit__(self, *failure) -> None:
        self._out.close()

    def add(self, table: pl.DataFrame) -> None:
        """More rows; of the first ones, be they none, the header is made."""
        empty = cs.string().replace("", None)  # else the writer would tell an empty text from an absent one, by quotes
        for part in table.iter_slices(ROWS) if table.height else [table]:
            part = part.with_columns(empty)
            part.write_csv(self._out, separator="\t", float_precision=6, include_header=not self._begun)
            self._begun = True


class Bed(AbstractContextManager):
    """BED knows neither a header nor quotes."""

    def __init__(self, path: Path):
        self._out = path.open("wb")

    def __exit__(self, *failure) -> None:
        self._out.close()

    def add(self, table: pl.DataFrame) -> None:
        table.write_csv(self._out, separator="\t", quote_style="never", include_header=False)


class Lines(AbstractContextManager):
    """Lines of text in two parts, of which the first has to come before all of the second."""

    def __init__(self, path: Path, spill: Path):
        """spill: a folder for the second part while it grows."""
        self._first = path.open("w+b")
        self._second = (spill / path.name).open("w+b")

    def __exit__(self, *failure) -> None:
        if not failure[0]:
            self._second.seek(0)
            shutil.copyfileobj(self._second, self._first)
        self._first.close()
        self._second.close()

    def add(self, first: str, second: str) -> None:
        self._first.write(first.encode())
        self._second.write(second.encode())


class SortedRows:
    """Rows in the order of a column of texts: each block is sorted and laid by, and all are merged in the end."""

    def __init__(self, column: str, spill: Path):
        self._column, self._spill, self._parts = column, spill, 0

    def add(self, table: pl.DataFrame) -> None:
        path = self._spill / f"sorted_{self._parts}.arrow"
        rows = table.sort(self._column).to_arrow(compat_level=pl.CompatLevel.oldest())
        with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, rows.schema) as writer:
            writer.write_table(rows, max_chunksize=SORTED_ROWS)
        self._parts += 1

    def merge(self, write: Callable[[pl.DataFrame], None]) -> None:
        """Hand all rows to `write`, in order: each time all up to the least of the parts' last rows in memory."""
        parts = [_Part(self._spill / f"sorted_{number}.arrow", self._column) for number in range(self._parts)]
        while parts := [part for part in parts if part.fill()]:
            least = min(part.last for part in parts)
            due = [part.take(least) for part in parts if part.first <= least]
            write(pl.concat(due).sort(self._column))


class _Part:
    """A sorted part on disk, of which some rows are in memory."""

    def __init__(self, path: Path, column: str):
        self._column, self._batches = column, _batches(path)
        self._rows: pl.DataFrame | None = None

    def fill(self) -> bool:
        """Have rows in memory; False where there is none any more."""
        while self._rows is None or not self._rows.height:
            if (rows := next(self._batches, None)) is None:
                return False
            self._rows = rows
            self.first, self.last = rows[self._column][0], rows[self._column][-1]
        return True

    def take(self, most: str) -> pl.DataFrame:
        """The rows in memory up to `most`."""
        count = int(self._rows[self._column].search_sorted(most, side="right"))
        taken, self._rows = self._rows.head(count), self._rows.slice(count)
        if self._rows.height:
            self.first = self._rows[self._column][0]
        return taken


def _batches(path: Path) -> Iterator[pl.DataFrame]:
    """The file is opened for each anew: there may be more parts than a process may have files open."""
    count = 1
    number = 0
    while number < count:
        with pa.OSFile(str(path)) as file:
            reader = pa.ipc.open_file(file)
            count = reader.num_record_batches
            if not count:
                return
            rows = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([reader.get_batch(number)])))
        yield rows
        number += 1

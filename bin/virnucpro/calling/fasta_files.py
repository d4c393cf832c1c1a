"""The FASTA files of a sample's results, from a second reading of its input."""

from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import polars as pl

from virnucpro.frames.read_again import read_again
from virnucpro.packed import Packed

LINE = 80  # bases
PIECE = 10_000 * LINE  # of a record, at a time: a chromosome has millions of lines


class PackedFasta(Packed):
    """A FASTA file in gzip that grows."""

    def add(self, header: str, bases: memoryview) -> None:
        self.write(f">{header}\n".encode())
        for begin in range(0, len(bases), PIECE):
            piece = bytes(bases[begin : begin + PIECE])
            lines = [piece[i : i + LINE] for i in range(0, len(piece), LINE)]
            self.write(b"\n".join([*lines, b""]))


class FastaFiles(AbstractContextManager):
    """viruses.fasta.gz and regions.fasta.gz, in one reading of the sample's files. Nothing is read where nothing is
    wanted."""

    def __init__(self, files: list[Path], folder: Path, wanted: bool):
        """files: the sample's, in order. wanted: whether there is any virus or region."""
        self._viruses = PackedFasta(folder / "viruses.fasta.gz")
        self._regions = PackedFasta(folder / "regions.fasta.gz")
        self._expected: deque[tuple[str, int]] = deque()
        self._records = read_again(files, self._known()) if wanted else None

    def __exit__(self, *failure) -> None:
        for file in (self._viruses, self._regions):
            file.__exit__(*failure)

    def _known(self) -> Iterator[tuple[str, int]]:
        while self._expected:
            yield self._expected.popleft()

    def add(self, sequences: pl.DataFrame, viruses: pl.DataFrame, regions: pl.DataFrame) -> None:
        """The next records: id and digest of all; `sequence` and header of viruses; of regions start and end, too.
        InputError where the files hold others than these."""
        if self._records is None:
            return
        headers = dict(viruses.select("sequence", "header").iter_rows())
        parts: dict[int, list[tuple[int, int, str]]] = {}
        for number, *part in regions.select("sequence", "start", "end", "header").iter_rows():
            parts.setdefault(number, []).append(tuple(part))
        self._expected.extend(sequences.select("id", "digest").iter_rows())
        for number in sequences["sequence"]:
            record = next(self._records)
            bases = memoryview(record.sequence)
            if header := headers.get(number):
                self._viruses.add(header, bases)
            for start, end, header in parts.get(number, ()):
                self._regions.add(header, bases[start:end])

    def end(self) -> None:
        """InputError where the files hold more."""
        if self._records is not None:
            next(self._records, None)

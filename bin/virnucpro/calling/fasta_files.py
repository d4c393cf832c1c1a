"""The FASTA files of a sample's results, from a second reading of its input."""

import gzip
import io
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from virnucpro.frames.fasta import Record
from virnucpro.frames.read_again import read_again

LINE = 80  # bases


def records_of(files: list[Path], sequences: pl.DataFrame, wanted: Container[int]) -> Iterator[tuple[int, Record]]:
    """The wanted ones of a sample's records, each with its number (`sequence`); InputError where its files hold others
    than `sequences` was made of. Nothing is read where nothing is wanted."""
    if wanted:
        again = read_again(files, sequences.select("id", "digest").iter_rows())
        yield from ((number, record) for number, record in enumerate(again) if number in wanted)


@contextmanager
def packed_fasta(path: Path) -> Iterator[Callable[[str, bytes], None]]:
    """What writes a header and its bases into a gzip file. No time stamp and no name inside: equal results are equal
    bytes."""
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as inner:
        out = io.BufferedWriter(inner, 1 << 20)

        def write(header: str, bases: bytes) -> None:
            out.write(f">{header}\n".encode())
            out.writelines(bases[i : i + LINE] + b"\n" for i in range(0, len(bases), LINE))

        yield write
        out.flush()
        out.detach()

"""A second reading of FASTA files, which has to find what the first one found."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from virnucpro.errors import InputError
from virnucpro.frames.fasta import Record, digest, read_fasta
from virnucpro.words import printable


def read_again(files: Iterable[Path], known: Iterable[tuple[str, int]]) -> Iterator[Record]:
    """The records of the files, in order. known: id and digest (frames.fasta.digest) of each, as they were read first.

    InputError, which names the file and the record, where another one stands there, and where one is lacking or new:
    what was found about a record must not be told of another.
    """
    expected = iter(known)
    name = ""
    for file in files:
        name = file.name
        for number, record in enumerate(read_fasta(file), 1):
            if (record.id, digest(record.sequence)) != next(expected, None):
                raise InputError(
                    f"{name}: record {number:,}, '{printable(record.id)}', is not what was read before: the file was "
                    "changed while the run was on; run again with -resume"
                )
            yield record
    if (lacking := next(expected, None)) is not None:
        raise InputError(
            f"{name}: it ends before the record '{printable(lacking[0])}', which was read before: the file was "
            "changed while the run was on; run again with -resume"
        )

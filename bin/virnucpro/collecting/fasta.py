"""All samples' viruses in one gzip FASTA file, under ids that are unique over the run."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from virnucpro.collecting.tables import SampleResults
from virnucpro.errors import InputError


@contextmanager
def packed(path: Path) -> Iterator[BinaryIO]:
    """A gzip file to write to. No time stamp and no name inside: equal results are equal bytes."""
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as inner:
        out = io.BufferedWriter(inner, 1 << 20)
        yield out
        out.flush()
        out.detach()


def copy_viruses(source: SampleResults, ids: list[tuple[str, str]], out: BinaryIO) -> None:
    """Append a sample's viruses. ids: (sequence_id, id in the run) of each, in order; InputError where the FASTA file
    has others."""
    expected = iter(ids)
    with gzip.open(source.viruses) as lines:
        for line in lines:
            if line.startswith(b">"):
                name, _, rest = line[1:].decode().partition(" ")
                known, unique = next(expected, (None, ""))
                if name.rstrip("\n") != known:
                    raise InputError(
                        f"sample {source.sample}: viruses.fasta.gz has {name.strip()}, sequences.tsv {known}"
                    )
                line = f">{unique} sample={source.sample} {rest}".rstrip().encode() + b"\n"
            out.write(line)
    if (left := next(expected, None)) is not None:
        raise InputError(f"sample {source.sample}: viruses.fasta.gz ends before {left[0]} of sequences.tsv")

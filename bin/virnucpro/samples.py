"""The samples of one task, on its command line: small ones share a process, whose start costs more than their work."""

import argparse
from pathlib import Path
from typing import NamedTuple


class Files(NamedTuple):
    """A sample's name and its FASTA files, in order."""

    name: str
    fasta: list[Path]


class _Append(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        name, *fasta = values
        if not fasta:
            parser.error(f"{option_string} {name}: its FASTA files are missing")
        samples = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*samples, Files(name, [Path(f) for f in fasta])])


def add_samples(parser: argparse.ArgumentParser) -> None:
    """Add `--sample NAME FASTA [FASTA ...]`, once for each sample; `samples` is then a list of Files."""
    parser.add_argument(
        "--sample",
        dest="samples",
        action=_Append,
        nargs="+",
        required=True,
        metavar=("NAME", "FASTA"),
        help="name of a sample, which begins its files' names, and its FASTA files, plain or gzip, in order; once for "
        "each sample",
    )

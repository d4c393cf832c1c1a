#!/usr/bin/env python3
"""Shuffle the sequences of a FASTA file, to see how much of random DNA a caller holds for viral."""

import argparse
import gzip
from pathlib import Path

from virnucpro.errors import has_packages, run_main

with has_packages():
    import numpy as np

    from virnucpro.evaluation.shuffle import shuffled
    from virnucpro.frames.fasta import read_fasta


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--fasta", required=True, type=Path, help="FASTA, plain or gzip")
    p.add_argument("--words", type=int, choices=(1, 2), default=2, help="what is kept: bases, or pairs [%(default)s]")
    p.add_argument("--seed", type=int, default=1, help="[%(default)s]")
    p.add_argument("--out", required=True, type=Path, help="FASTA to be written, gzip where its name ends in .gz")
    a = p.parse_args()
    random = np.random.default_rng(a.seed)
    with gzip.open(a.out, "wb") if a.out.suffix == ".gz" else a.out.open("wb") as out:
        for record in read_fasta(a.fasta):
            name = f"{record.id}_shuffled_{a.words}".encode()
            out.write(b">" + name + b"\n" + shuffled(record.sequence, a.words, random) + b"\n")


if __name__ == "__main__":
    run_main(main)

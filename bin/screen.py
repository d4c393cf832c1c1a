#!/usr/bin/env python3
"""Look at a sample with a small model first: which sequences need not be read by a large one (process SCREEN)."""

import argparse
from pathlib import Path

from virnucpro.errors import has_packages, run_main

with has_packages():
    from virnucpro import formats, runtime
    from virnucpro.frames.genetic_codes import RESIDUES
    from virnucpro.screening.screen import screen


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--sample", required=True, help="name of the sample")
    p.add_argument("--fasta", required=True, nargs="+", type=Path, help="the sample's FASTA files, in order")
    p.add_argument("--classifier", required=True, type=Path, help="folder of the small classifier, e.g. compact_500")
    p.add_argument("--encoder", required=True, type=Path, help="folder of its encoder")
    p.add_argument("--sensitivity", type=float, default=0.99, help="share of viruses to be kept [%(default)s]")
    p.add_argument(
        "--genetic_code",
        choices=["auto", *map(str, RESIDUES)],
        default="1",
        help="as of extract_frames.py [%(default)s]",
    )
    p.add_argument("--out", required=True, type=Path, help="table to be written (Parquet)")
    a = p.parse_args()
    runtime.keep_freed_memory()
    table = screen(
        a.fasta, a.classifier, a.encoder, a.sensitivity, None if a.genetic_code == "auto" else int(a.genetic_code)
    )
    formats.write(table, a.out)
    out = sum(table["left_out"].to_pylist())
    print(f"{a.sample}: {out:,} of {table.num_rows:,} sequences need not be read by a large model")


if __name__ == "__main__":
    run_main(main)

#!/usr/bin/env python3
"""Look at samples with a small model first: which sequences need not be read by a large one (process SCREEN)."""

import argparse
from pathlib import Path

from virnucpro.errors import has_packages, run_main
from virnucpro.samples import add_samples

with has_packages():
    from virnucpro import formats, runtime
    from virnucpro.frames.genetic_codes import RESIDUES
    from virnucpro.screening.screen import screen


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    add_samples(p)
    p.add_argument("--classifier", required=True, type=Path, help="folder of the small classifier, e.g. compact_500")
    p.add_argument("--encoder", required=True, type=Path, help="folder of its encoder")
    p.add_argument("--sensitivity", type=float, default=0.99, help="share of viruses to be kept [%(default)s]")
    p.add_argument(
        "--genetic_code",
        choices=["auto", *map(str, RESIDUES)],
        default="1",
        help="as of extract_frames.py [%(default)s]",
    )
    p.add_argument("--out", required=True, type=Path, help="folder for the tables, <sample>.screened.parquet")
    a = p.parse_args()
    runtime.keep_freed_memory()
    code = None if a.genetic_code == "auto" else int(a.genetic_code)
    a.out.mkdir(parents=True, exist_ok=True)
    for name, fasta in a.samples:
        table = screen(fasta, a.classifier, a.encoder, a.sensitivity, code)
        formats.write(table, a.out / f"{name}.screened.parquet")
        out = sum(table["left_out"].to_pylist())
        print(f"{name}: {out:,} of {table.num_rows:,} sequences need not be read by a large model")


if __name__ == "__main__":
    run_main(main)

#!/usr/bin/env python3
"""Fetch public training data, check them, and write their samplesheet for --workflow train (docs/training.md)."""

import argparse
from pathlib import Path

from virnucpro.errors import UsageError, has_packages, run_main

with has_packages():
    from virnucpro.fetch.training_data import fetch_training_data, read_list

LIST = Path(__file__).resolve().parent.parent / "assets" / "training" / "deepvirfinder.yml"


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--list", type=Path, default=LIST, metavar="YML", help="what to fetch [%(default)s]")
    p.add_argument("--from", dest="brought", type=Path, metavar="DIR", help="take the files from here: no network")
    p.add_argument("--out", required=True, type=Path, help="folder for the files and labelled.csv")
    a = p.parse_args()
    if a.brought and not a.brought.is_dir():
        raise UsageError(f"--from {a.brought}: there is no such folder")
    sheet = fetch_training_data(read_list(a.list), a.out, a.brought, lambda text: print(text, flush=True))
    print(f"samplesheet: {sheet}")


if __name__ == "__main__":
    run_main(main)

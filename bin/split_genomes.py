#!/usr/bin/env python3
"""Share labelled sequences out among training, validation and test, family by family (process SPLIT_GENOMES)."""

import argparse
import json
from pathlib import Path

from virnucpro.errors import UsageError, has_packages, run_main

with has_packages():
    from virnucpro.training.annotation import counted_frames
    from virnucpro.training.sheet import read_sheet
    from virnucpro.training.split import counts, read_records, split, with_families


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--sheet", required=True, type=Path, help="JSON: samples, their files and what these are")
    p.add_argument("--tables", required=True, type=Path, help="folder with all samples' manifests and tables")
    p.add_argument("--fasta", required=True, nargs="+", type=Path, help="all files of the sheet, in its order")
    p.add_argument("--annotations", nargs="*", default=[], type=Path, help="GenBank files, as the sheet numbers them")
    p.add_argument("--frames", default="open", help="what was read of chunks [%(default)s]")
    p.add_argument("--min_stretch", type=int, default=40, help="likewise, residues [%(default)s]")
    p.add_argument("--validation_fraction", type=float, default=0.1, help="of the bases of either label [%(default)s]")
    p.add_argument("--test_fraction", type=float, default=0.2, help="likewise [%(default)s]")
    p.add_argument(
        "--shared_words", type=int, default=30, help="21-mers in common that make relatives; 0: none are [%(default)s]"
    )
    p.add_argument("--seed", type=int, default=1, help="[%(default)s]")
    p.add_argument("--out", required=True, type=Path, help="table to be written (Parquet); counts beside it (.json)")
    a = p.parse_args()
    if not (a.validation_fraction > 0 and a.test_fraction > 0 and a.validation_fraction + a.test_fraction < 1):
        raise UsageError("--validation_fraction and --test_fraction must be above 0 and leave something to train on")
    files = read_sheet(a.sheet)
    if len(a.fasta) != len(files):
        raise UsageError(f"--fasta has {len(a.fasta)} files, the sheet {len(files)}")
    records = with_families(read_records(files, a.tables), a.fasta, a.shared_words)
    found = split(records, a.validation_fraction, a.test_fraction, a.seed)
    found.write_parquet(a.out)
    told = counts(found)
    annotated = {at: a.annotations[f.annotation] for at, f in enumerate(files) if f.annotation is not None}
    counted = counted_frames(files, a.fasta, annotated, a.tables, a.frames, a.min_stretch)
    counted.write_parquet(a.out.with_name("counted.parquet"))
    a.out.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    for name, of in told.items():
        print(f"{name}: " + ", ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in of.items()))


if __name__ == "__main__":
    run_main(main)

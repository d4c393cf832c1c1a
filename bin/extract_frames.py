#!/usr/bin/env python3
"""Cut samples' sequences into chunks and write the open reading frames as shards (process EXTRACT_FRAMES)."""

import argparse
import json
import sys
from pathlib import Path

from virnucpro.errors import has_packages, run_main
from virnucpro.samples import Files, add_samples

with has_packages():
    from virnucpro import runtime
    from virnucpro.frames.cuts import Cut
    from virnucpro.frames.extract import extract
    from virnucpro.frames.genetic_codes import RESIDUES
    from virnucpro.frames.screened import Screened


def cut(text: str) -> Cut:
    length, read, min_stretch = text.split(",")
    return Cut(int(length), read, int(min_stretch))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    add_samples(p)
    p.add_argument(
        "--file_names",
        type=json.loads,
        default={},
        help='what tables call files: {"sample": ["a/x.fa", ...]} [their names]',
    )
    p.add_argument("--chunk_length", required=True, type=int, help="bases; what the classifier was trained on")
    p.add_argument("--min_length", type=int, default=0, help="bases; shorter sequences are not scored [%(default)s]")
    p.add_argument(
        "--frames",
        choices=["open", "longest", "every"],
        default="open",
        help="what is read of a chunk: open frames; for want of one the longest stretch; every frame's [%(default)s]",
    )
    p.add_argument(
        "--min_stretch",
        type=int,
        default=40,
        help="residues of the shortest stretch without a stop that is read where --frames is not open [%(default)s]",
    )
    p.add_argument(
        "--second",
        type=cut,
        metavar="LENGTH,FRAMES,MIN_STRETCH",
        help="cut sequences of which nothing could be read once more, for a second classifier, e.g. 300,open,40",
    )
    p.add_argument(
        "--genetic_code",
        choices=["auto", *map(str, RESIDUES)],
        default="1",
        help="NCBI's number; auto takes another one for long sequences that are read better with it [%(default)s]",
    )
    p.add_argument("--shard_size", type=int, default=10_000, help="most open frames in one shard [%(default)s]")
    p.add_argument(
        "--screened",
        type=Path,
        help="folder with <sample>.screened.parquet: sequences that need not be read",
    )
    p.add_argument("--out", required=True, type=Path, help="folder for shards, tables and manifest")
    a = p.parse_args()
    runtime.keep_freed_memory()  # large arrays come and go: a third of the time went into page faults
    for sample in a.samples:
        tell(extract_sample(sample, a))


def extract_sample(sample: Files, a: argparse.Namespace) -> dict:
    """The sample's manifest."""
    table = a.screened / f"{sample.name}.screened.parquet" if a.screened else None
    return extract(
        sample.name,
        sample.fasta,
        a.out,
        chunk_length=a.chunk_length,
        min_length=a.min_length,
        shard_size=a.shard_size,
        read=a.frames,
        min_stretch=a.min_stretch,
        second=a.second,
        genetic_code=None if a.genetic_code == "auto" else int(a.genetic_code),
        screened=Screened(table) if table and table.exists() else None,
        file_names=a.file_names.get(sample.name, ()),
    )


def tell(manifest: dict) -> None:
    """What became of a sample, in a line."""
    if manifest["state"] == "failed":
        # Not an error of this task: the sample is accounted for as failed, and the run's end says so.
        print(f"sample {manifest['sample']} failed: {manifest['reason']}", file=sys.stderr)
        return
    print(
        f"{manifest['sample']}: {manifest['sequences']:,} sequences, {manifest['bases']:,} bases, "
        f"{manifest['chunks']:,} chunks, {manifest['frames'] - manifest['stretches']:,} open frames and "
        f"{manifest['stretches']:,} stretches in {len(manifest['shards'])} shards"
    )


if __name__ == "__main__":
    run_main(main)

#!/usr/bin/env python3
"""Cut a sample's sequences into chunks and write the open reading frames as shards (process EXTRACT_FRAMES)."""

import argparse
import sys
from pathlib import Path

from virnucpro.errors import has_packages, run_main

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
    p.add_argument("--sample", required=True, help="name of the sample; begins every output file's name")
    p.add_argument("--fasta", required=True, nargs="+", type=Path, help="FASTA files, plain or gzip, in order")
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
    p.add_argument("--screened", type=Path, help="table of screen.py: sequences that need not be read")
    p.add_argument("--out", required=True, type=Path, help="folder for shards, tables and manifest")
    a = p.parse_args()
    runtime.keep_freed_memory()  # large arrays come and go: a third of the time went into page faults
    manifest = extract(
        a.sample,
        a.fasta,
        a.out,
        chunk_length=a.chunk_length,
        min_length=a.min_length,
        shard_size=a.shard_size,
        read=a.frames,
        min_stretch=a.min_stretch,
        second=a.second,
        genetic_code=None if a.genetic_code == "auto" else int(a.genetic_code),
        screened=Screened(a.screened) if a.screened else None,
    )
    if manifest["state"] == "failed":
        # Not an error of this task: the sample is accounted for as failed, and the run's end says so.
        print(f"sample {a.sample} failed: {manifest['reason']}", file=sys.stderr)
        return
    print(
        f"{a.sample}: {manifest['sequences']:,} sequences, {manifest['bases']:,} bases, {manifest['chunks']:,} chunks, "
        f"{manifest['frames'] - manifest['stretches']:,} open frames and {manifest['stretches']:,} stretches in "
        f"{len(manifest['shards'])} shards"
    )


if __name__ == "__main__":
    run_main(main)

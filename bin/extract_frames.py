#!/usr/bin/env python3
"""Cut a sample's sequences into chunks and write the open reading frames as shards (process EXTRACT_FRAMES)."""

import argparse
import sys
from pathlib import Path

from virnucpro import process
from virnucpro.errors import run_main
from virnucpro.extract import extract


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--sample", required=True, help="name of the sample; begins every output file's name")
    p.add_argument("--fasta", required=True, nargs="+", type=Path, help="FASTA files, plain or gzip, in order")
    p.add_argument("--chunk_length", required=True, type=int, help="bases; what the classifier was trained on")
    p.add_argument("--min_length", type=int, default=0, help="bases; shorter sequences are not scored [%(default)s]")
    p.add_argument("--shard_size", type=int, default=10_000, help="most open frames in one shard [%(default)s]")
    p.add_argument("--out", required=True, type=Path, help="folder for shards, tables and manifest")
    a = p.parse_args()
    process.keep_freed_memory()  # large arrays come and go: a third of the time went into page faults
    manifest = extract(
        a.sample,
        a.fasta,
        a.out,
        chunk_length=a.chunk_length,
        min_length=a.min_length,
        shard_size=a.shard_size,
    )
    if manifest["state"] == "failed":
        # Not an error of this task: the sample is accounted for as failed, and the run's end says so.
        print(f"sample {a.sample} failed: {manifest['reason']}", file=sys.stderr)
        return
    print(
        f"{a.sample}: {manifest['sequences']:,} sequences, {manifest['bases']:,} bases, {manifest['chunks']:,} chunks, "
        f"{manifest['frames']:,} open frames in {len(manifest['shards'])} shards"
    )


if __name__ == "__main__":
    run_main(main)

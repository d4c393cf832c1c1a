#!/usr/bin/env python3
"""Check that this machine computes with a model bundle what VirNucPro computes (process VERIFY_MODELS).

Needs nothing but the packages of the embed image, and no Nextflow. Ends with 0 if all that could be checked holds, else
with 1. docs/verify.md describes every check.
"""

import argparse
from pathlib import Path

from virnucpro.errors import has_packages, run_main

with has_packages():
    from virnucpro import runtime
    from virnucpro.verify.shapes import ESM2_SHAPES
    from virnucpro.verify.task import run_verification
    from virnucpro.verify.verification import Wanted

ASSETS = Path(__file__).resolve().parent.parent / "assets"
EXAMPLE = [ASSETS / "example" / name for name in ("lambda.fa.gz", "ecoli.fa.gz")]


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--models", type=Path, metavar="DIR", help="the bundle's folder")
    what.add_argument(
        "--random", choices=ESM2_SHAPES, help="random weights instead: ESM-2 in this published shape, DNABERT-S"
    )
    p.add_argument(
        "--classifier", default="", metavar="NAMES", help="with commas between; all of the bundle if not given"
    )
    p.add_argument(
        "--input", type=Path, nargs="+", default=[], metavar="FASTA", help="say what a run on these files will take"
    )
    p.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to compute")
    p.add_argument(
        "--precision", choices=["auto", "fp32", "fp16", "bf16"], default="auto", help="what a run would take"
    )
    p.add_argument(
        "--minutes", type=float, metavar="N", help="start nothing more after N minutes [8 on a GPU, else 60]"
    )
    p.add_argument("--threads", type=int, metavar="N", help="CPU threads, if not as many as the machine has")
    p.add_argument("--golden", type=Path, default=ASSETS / "golden", metavar="DIR", help="golden values")
    p.add_argument("--example", type=Path, nargs="+", default=EXAMPLE, metavar="FASTA", help="real sequences")
    p.add_argument(
        "--tokenizer",
        type=Path,
        default=ASSETS / "demo_models/encoders/demo_dnabert_s/tokenizer.json",
        metavar="JSON",
        help="of DNABERT-S, for --random",
    )
    p.add_argument("--json", type=Path, metavar="OUT", help="write all results to this file")
    p.add_argument("--html", type=Path, metavar="OUT", help="and the same as a page")
    options = vars(p.parse_args())
    runtime.keep_freed_memory()
    runtime.bound_kernel_cache()
    runtime.use_threads(options.pop("threads"))
    if options["device"] != "cpu":
        runtime.tune_gpu_allocator()
        runtime.place_kernels()
    return 0 if run_verification(Wanted(**options)).passed else 1


if __name__ == "__main__":
    run_main(main)

#!/usr/bin/env python3
"""Train a classifier on labelled samples' embeddings; write its folder and the metrics (process TRAIN_CLASSIFIER)."""

import argparse
import os
from pathlib import Path

from virnucpro.errors import run_main


def main() -> None:
    arguments = parser().parse_args()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic
    from virnucpro.training.task import run_training  # --help needs no PyTorch

    run_training(arguments)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--name", required=True, help="name of the classifier, for example mine_500")
    p.add_argument(
        "--labels", required=True, type=Path, help="CSV: sample,label (virus or others) and, if wanted, split"
    )
    p.add_argument("--tables", required=True, type=Path, metavar="DIR", help="all that extract_frames.py wrote")
    p.add_argument("--embeddings", required=True, type=Path, metavar="DIR", help="all <shard>.<encoder>.parquet files")
    p.add_argument("--models", required=True, type=Path, metavar="DIR", help="bundle with the encoders that were used")
    p.add_argument("--encoders", default="dnabert_s,esm2", help="kinds of encoder, in the order of the features")
    groups = p.add_mutually_exclusive_group()
    groups.add_argument("--groups", type=Path, help="CSV: id,group; the genome that each record belongs to")
    groups.add_argument(
        "--group_pattern", default="^.*$", metavar="REGEX", help="part of a record's id that names its genome"
    )
    p.add_argument("--test_fraction", type=float, default=0.2, help="share of the sequences that only measure")
    p.add_argument("--validation_fraction", type=float, default=0.1, help="share that decides when to stop")
    p.add_argument("--class_weight", choices=["balanced", "none"], default="balanced", help="weigh classes, or frames")
    p.add_argument("--learning_rate", type=float, default=3e-4, help="of AdamW")
    p.add_argument("--weight_decay", type=float, default=1e-3, help="of AdamW")
    p.add_argument("--batch_size", type=int, default=256, help="frames per step")
    p.add_argument("--epochs", type=int, default=200, help="at most")
    p.add_argument("--patience", type=int, default=20, help="epochs without a better validation loss before it stops")
    p.add_argument("--seed", type=int, default=1, help="of the split, the first weights, the order and the dropout")
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where to compute")
    p.add_argument("--threads", type=int, default=1, help="CPU threads; another number may change the last digits")
    p.add_argument("--card", type=Path, help="YAML with title, purpose, limits, data, citation, licence, source")
    p.add_argument("--metrics", type=Path, help="write counts, evaluation of all three sets and history as JSON")
    p.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the classifier to be written")
    return p


if __name__ == "__main__":
    run_main(main)

#!/usr/bin/env python3
"""Train a classifier on labelled samples' embeddings; write its folder and the metrics (process TRAIN_CLASSIFIER)."""

import argparse
from pathlib import Path

from virnucpro.errors import run_main


def main() -> None:
    args = parser().parse_args()
    from virnucpro.training.task import run_training  # --help needs no PyTorch

    run_training(args)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--name", required=True, help="of the classifier: letters, digits, '.', '_', '-'")
    p.add_argument(
        "--labels", required=True, type=Path, help="CSV: sample,label (virus or others) and, if wanted, split"
    )
    p.add_argument(
        "--tables", required=True, type=Path, metavar="DIR", help="what extract_frames.py wrote, all samples"
    )
    p.add_argument(
        "--embeddings", required=True, type=Path, metavar="DIR", help="<shard>.<encoder>.parquet, all samples"
    )
    p.add_argument("--models", required=True, type=Path, metavar="DIR", help="the bundle whose encoders were used")
    p.add_argument("--encoders", default="dnabert_s,esm2", help="kinds of encoder, in the order of the features")
    group = p.add_mutually_exclusive_group()
    group.add_argument(
        "--group_pattern", default="^.*$", help="regular expression: the part of a record's id that names its genome"
    )
    group.add_argument("--groups", type=Path, help="CSV: id,group; which genome each record belongs to")
    p.add_argument("--validation_fraction", type=float, default=0.1, help="share of sequences that decide when to stop")
    p.add_argument("--test_fraction", type=float, default=0.2, help="share of sequences that only measure")
    p.add_argument("--learning_rate", type=float, default=3e-4)
    p.add_argument("--weight_decay", type=float, default=1e-3)
    p.add_argument("--batch_size", type=int, default=256, help="frames per step")
    p.add_argument("--epochs", type=int, default=200, help="at most")
    p.add_argument("--patience", type=int, default=20, help="epochs without a better validation loss before it stops")
    p.add_argument("--seed", type=int, default=1, help="of split, weights, order and dropout")
    p.add_argument("--threads", type=int, default=1, help="CPU threads; another number may give other last digits")
    p.add_argument("--card", type=Path, help="YAML with title, purpose, limits, data, citation, licence, source")
    p.add_argument("--metrics", type=Path, help="write settings, history and evaluation as JSON")
    p.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the classifier to be written")
    return p


if __name__ == "__main__":
    run_main(main)

#!/usr/bin/env python3
"""Train a classifier on labelled embeddings (process TRAIN_CLASSIFIER)."""

import argparse
from pathlib import Path

from virnucpro.errors import UsageError, has_packages, run_main

with has_packages():
    from virnucpro.bundle.classifier import FRAMES
    from virnucpro.bundle.manifest import NAME
    from virnucpro.encoders.kinds import KINDS
    from virnucpro.runtime import wait_asleep
    from virnucpro.training.order import Order
    from virnucpro.training.recipes import RECIPES


def main() -> None:
    a = parser().parse_args()
    kinds = tuple(a.encoders.split(","))
    if not set(kinds) <= set(KINDS) or len(set(kinds)) < len(kinds):
        raise UsageError(
            f"--encoders {a.encoders}: each of {', '.join(KINDS)} may stand there once, with commas between"
        )
    if not NAME.fullmatch(a.name):
        raise UsageError(f"--name {a.name!r}: letters, digits, '.', '_' and '-' are allowed")
    wait_asleep()
    from virnucpro.training.task import run_training  # --help needs no PyTorch

    same = {name: getattr(a, name) for name in Order.__dataclass_fields__ if name not in ("kinds", "memory")}
    run_training(Order(kinds=kinds, memory=int(a.memory * 2**30), **same))


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--name", required=True, help="name of the classifier, for example mine_500")
    p.add_argument("--split", required=True, type=Path, help="table of split_genomes.py")
    what = "table of split_genomes.py: frames that count where an annotation was given"
    p.add_argument("--counted", type=Path, help=what)
    p.add_argument("--tables", required=True, type=Path, metavar="DIR", help="all that extract_frames.py wrote")
    p.add_argument("--embeddings", required=True, type=Path, metavar="DIR", help="all <shard>.<encoder>.parquet files")
    p.add_argument("--models", required=True, type=Path, metavar="JSON", help="what check_models.py found")
    p.add_argument("--encoders", required=True, help="kinds of encoder, in the order of the features, with commas")
    p.add_argument("--recipe", choices=list(RECIPES), default=next(iter(RECIPES)), help="how to train")
    p.add_argument("--epochs", type=int, default=0, help="at most; 0: the recipe's")
    p.add_argument("--seed", type=int, default=1, help="of the first weights, the order and the dropout")
    p.add_argument("--frames", choices=FRAMES, default="open", help="what was read of chunks, for the card")
    p.add_argument("--min_stretch", type=int, default=40, help="likewise, residues")
    p.add_argument("--memory", type=float, default=4, metavar="GB", help="for rows; more are read from disk")
    p.add_argument("--threads", type=int, default=1, help="CPU threads; another number may change the last digits")
    p.add_argument("--by_frame", action="store_true", help="split by frame, not by genome: only to compare")
    p.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of the classifier to be written")
    return p


if __name__ == "__main__":
    run_main(main)

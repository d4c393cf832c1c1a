#!/usr/bin/env python3
"""Calibrate a trained classifier, measure it beside baselines, and write its card (process CALIBRATE)."""

import argparse
from pathlib import Path

from virnucpro.errors import has_packages, run_main

with has_packages():
    from virnucpro.training.calibrate import CalibrationOrder, run_calibration


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    what = "folder that train_classifier.py wrote; more of them, each with some of the encoders, to compare with"
    p.add_argument("--classifier", required=True, nargs="+", type=Path, metavar="DIR", help=what)
    p.add_argument("--by_frame", type=Path, metavar="JSON", help="training.json of a training split by frame")
    p.add_argument("--split", required=True, type=Path, help="table of split_genomes.py")
    p.add_argument("--tables", required=True, type=Path, help="folder with all samples' manifests and tables")
    p.add_argument("--embeddings", required=True, type=Path, help="folder with all <shard>.<encoder>.parquet files")
    p.add_argument("--fasta", required=True, nargs="+", type=Path, help="all files of the samplesheet, in its order")
    p.add_argument("--texts", type=Path, metavar="YML", help="title, purpose, limits, data, citation, licence, source")
    p.add_argument("--how", default="", help="how sequences were shared out, in words, for the card")
    p.add_argument("--seed", type=int, default=1, help="of samples and bootstrap [%(default)s]")
    p.add_argument("--out", required=True, type=Path, help="folder for the classifier's, and evaluation.json")
    a = p.parse_args()
    found = run_calibration(
        CalibrationOrder(classifiers=a.classifier, **{k: v for k, v in vars(a).items() if k != "classifier"})
    )
    for verdict in found["verdicts"]:
        if verdict["caller"] == found["name"]:
            print(verdict["text"])


if __name__ == "__main__":
    run_main(main)

#!/usr/bin/env python3
"""Call samples' chunks and sequences from their embeddings and write their result files (process CLASSIFY)."""

import argparse
from pathlib import Path

from virnucpro.errors import ModelError, UsageError, has_packages, run_main
from virnucpro.samples import Files, add_samples

with has_packages():
    from virnucpro.bundle.classifier import CLASSIFIER, Classifier, read_classifier
    from virnucpro.calling.calibration import Calibration, read_calibration
    from virnucpro.calling.mlp import Mlp
    from virnucpro.calling.task import Calling, call_sample


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    add_samples(p)
    p.add_argument(
        "--tables", required=True, nargs="+", type=Path, help="folders with the samples' manifests and tables"
    )
    p.add_argument("--embeddings", required=True, type=Path, help="folder with their <shard>.<encoder>.parquet files")
    p.add_argument(
        "--classifier",
        required=True,
        nargs="+",
        type=Path,
        help="folder with classifier.yml and model.safetensors; a second one for sequences that were cut once more",
    )
    p.add_argument(
        "--min_score", type=float, default=0.5, help="virus_score that makes a sequence a virus [%(default)s]"
    )
    p.add_argument("--prevalence", type=float, help="share of viruses in the sample [estimated from it]")
    p.add_argument("--max_fdr", type=float, help="call viruses by false discovery rate, not by --min_score")
    p.add_argument("--out", required=True, type=Path, help="folder for the results, a folder for each sample")
    a = p.parse_args()
    how = load(a.classifier, a.min_score, a.prevalence, a.max_fdr)
    for files in a.samples:
        call(files, how, a)


def load(folders: list[Path], min_score: float, prevalence: float | None, max_fdr: float | None) -> Calling:
    """The classifiers, and how to call with them; UsageError where they cannot give rates."""
    cards = [read_classifier(folder) for folder in folders]
    calibrations = [calibration_of(card) for card in cards]
    if max_fdr is not None and None in calibrations:
        bare = cards[calibrations.index(None)].name
        raise UsageError(f"--max_fdr needs calibrated classifiers; {bare} is none, call by --min_score")
    return Calling(cards, [Mlp.of(card) for card in cards], calibrations, min_score, prevalence, max_fdr)


def call(files: Files, how: Calling, a: argparse.Namespace) -> None:
    """Call one sample and write its results into a folder of its own."""
    out = a.out / files.name
    tables = next((f for f in a.tables if (f / f"{files.name}.manifest.json").exists()), a.tables[0])
    summary = call_sample(files.name, files.fasta, tables, a.embeddings, how, out)
    counts = ", ".join(f"{n:,} {state}" for state, n in summary["sequences"].items() if n and state != "total")
    print(f"{files.name}: {summary['sequences']['total']:,} sequences ({counts or 'none'}); results in {out}")


def calibration_of(card: Classifier) -> Calibration | None:
    """The card's calibration; ModelError where it cannot be one."""
    try:
        return read_calibration(card.calibration)
    except ValueError as e:
        raise ModelError(f"{card.folder / CLASSIFIER}: calibration: {e}.") from e


if __name__ == "__main__":
    run_main(main)

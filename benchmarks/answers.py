#!/usr/bin/env python3
"""How many sequences get an answer, and how good it is, by what is read of them.

Labelled sequences of genomes that the classifiers have not seen are cut into pieces and called by the pipeline's own
scripts in each way: open frames alone (VirNucPro's way), with a second classifier for what the first cannot read, with
the longest stretch without a stop, with both; and by a classifier that was trained on stretches. AUROC is over all
pieces, one without an answer counts as 0.5; its interval is over genomes. Sensitivity and specificity are those at a
score of 0.5; no answer calls nothing.

    benchmarks/answers.py --models DIR --classifier A,B --trained C --virus virus.fa.gz --others host.fa.gz
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "maintenance")]

from by_scripts import Pieces, called, cut  # noqa: E402

from virnucpro.bundle.classifier import read_classifier  # noqa: E402
from virnucpro.evaluation.figures import Judged, with_intervals  # noqa: E402

SEED, THRESHOLD = 1, 0.5


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--models", required=True, type=Path, help="the model bundle")
    p.add_argument("--classifier", required=True, help="its name in the bundle, and a second one's after a comma")
    p.add_argument("--trained", type=Path, help="folder of a classifier trained on stretches, of the same encoders")
    p.add_argument("--virus", required=True, nargs="+", type=Path, help="FASTA files of viruses")
    p.add_argument("--others", required=True, nargs="+", type=Path, help="FASTA files of others")
    p.add_argument("--lengths", type=int, nargs="+", default=[500, 1000, 3000], help="bases [%(default)s]")
    p.add_argument("--min_stretch", type=int, nargs="+", default=[40], help="residues, for stretches [%(default)s]")
    p.add_argument("--device", default="cpu", help="where the encoders run: cpu or cuda [%(default)s]")
    a = p.parse_args()
    first, *second = [read_classifier(a.models / "classifiers" / name) for name in a.classifier.split(",")]
    ways = {"open frames": ([first], "open", None)}
    if second:
        ways["and a second classifier"] = ([first, *second], "open", None)
    for least in a.min_stretch:
        ways[f"longest stretch, from {least} residues"] = ([first], "longest", least)
        if second:
            ways[f"both, from {least} residues"] = ([first, *second], "longest", least)
    if first.frames not in ("open", "longest"):
        ways[f"{first.frames}, as on its card"] = ([first], None, None)
    if a.trained:
        trained = read_classifier(a.trained)
        ways[f"{trained.frames}, trained on them ({trained.name})"] = ([trained], None, None)
    print("| bases | what is read | pieces | no answer | of viruses | AUROC | sensitivity | specificity |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for way, (classifiers, frames, least) in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            # All lengths in one go: what chunks they share is embedded once.
            pieces = [cut(a.virus, a.others, length, work / f"{length}.fa") for length in sorted(a.lengths)]
            (work / "in.fa").write_bytes(b"".join(p.fasta.read_bytes() for p in pieces))
            table = called(
                work / "in.fa", a.models, classifiers, work, frames=frames, min_stretch=least, device=a.device
            )
        scores = table["virus_score"].to_list()
        for length, of in zip(sorted(a.lengths), pieces, strict=True):
            mine, scores = scores[: len(of.label)], scores[len(of.label) :]
            print(f"| {length:,} | {way} | {row(of, mine)} |", flush=True)


def row(pieces: Pieces, scores: list[float | None]) -> str:
    """The figures of one way: cells of the table."""
    answered = np.array([s is not None for s in scores])
    score = np.array([THRESHOLD if s is None else s for s in scores])
    label = np.array(pieces.label, dtype=np.int8)
    genome = np.unique(pieces.genome, return_inverse=True)[1]
    judged = Judged(score, answered & (score >= THRESHOLD), answered, label, genome)
    found = with_intervals(judged, SEED)
    auroc, low, high = found["auroc"]
    silent = 1 - answered.mean()
    return (
        f"{len(label):,} | {silent:.1%} | {1 - answered[label == 1].mean():.1%} | {auroc:.3f} [{low:.3f}, {high:.3f}] "
        f"| {found['sensitivity'][0]:.2f} | {found['specificity'][0]:.2f}"
    )


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measure what each threshold of a classifier costs, on labelled sequences, and note it in its card.

The sequences must be of genomes that the classifier has not seen. They are cut into pieces of some lengths, and these
are called as a run calls them; a piece without an answer counts as not called. The report then shows which share of the
calls is right where viruses are rare.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml
from by_scripts import called, cut

from virnucpro.bundle.classifier import CLASSIFIER, Classifier, card_text, read_classifier
from virnucpro.bundle.manifest import read_manifest, write_manifest
from virnucpro.bundle.thresholds import measured


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--models", required=True, type=Path, help="the model bundle")
    p.add_argument("--classifier", required=True, help="its name in the bundle")
    p.add_argument("--virus", required=True, nargs="+", type=Path, help="FASTA files of viruses")
    p.add_argument("--others", required=True, nargs="+", type=Path, help="FASTA files of others")
    p.add_argument("--lengths", type=int, nargs="+", default=[300, 500, 1000, 3000], help="bases [%(default)s]")
    p.add_argument("--device", default="cpu", help="where the encoders run: cpu or cuda [%(default)s]")
    a = p.parse_args()
    folder = a.models / "classifiers" / a.classifier
    card = read_classifier(folder)
    with tempfile.TemporaryDirectory() as work:
        found = measure(card, a.models, a.virus, a.others, sorted(a.lengths), a.device, Path(work))
    for length, entry in found.items():
        print(f"{length:,} bases: {entry['virus']:,} viruses, {entry['others']:,} others", flush=True)
    note(folder / CLASSIFIER, found)
    manifest = read_manifest(a.models)
    known = {path: (entry.source, entry.licence) for path, entry in manifest.files.items()}
    write_manifest(a.models, manifest.name, known)


def measure(
    card: Classifier,
    models: Path,
    virus: Sequence[Path],
    others: Sequence[Path],
    lengths: Sequence[int],
    device: str,
    work: Path,
) -> dict[int, dict[str, object]]:
    """The card's entry for pieces of each length. All are called at once: what chunks they share is embedded once."""
    pieces = {length: cut(virus, others, length, work / f"{length}.fa") for length in lengths}
    fasta = work / "in.fa"
    fasta.write_bytes(b"".join(of.fasta.read_bytes() for of in pieces.values()))
    scores = called(fasta, models, [card], work, device=device)["virus_score"].to_list()
    found, first = {}, 0
    for length, of in pieces.items():
        found[length] = measured(scores[first : first + len(of.label)], of.label)
        first += len(of.label)
    return found


def note(path: Path, found: dict[int, dict]) -> None:
    """Write the card anew with `thresholds` before its training."""
    card = yaml.safe_load(path.read_text(encoding="utf-8"))
    card.pop("thresholds", None)
    names = list(card)
    at = names.index("training") if "training" in names else len(names)
    items = list(card.items())
    path.write_text(card_text(dict([*items[:at], ("thresholds", found), *items[at:]])), encoding="utf-8")


if __name__ == "__main__":
    main()

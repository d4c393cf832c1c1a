#!/usr/bin/env python3
"""Call samples' chunks and sequences from their embeddings and write their result files (process CLASSIFY)."""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

from virnucpro.errors import ModelError, UsageError, has_packages, run_main
from virnucpro.samples import Files, add_samples

with has_packages():
    import polars as pl

    from virnucpro.bundle.classifier import CLASSIFIER, Classifier, read_classifier
    from virnucpro.calling import region_files, results
    from virnucpro.calling.calibration import Calibration, call_by_rate, read_calibration, with_probabilities
    from virnucpro.calling.calls import call_chunks, call_sequences, check_accounts, deciding
    from virnucpro.calling.classes import class_of_sequences
    from virnucpro.calling.mlp import Mlp
    from virnucpro.calling.regions import viral_regions
    from virnucpro.calling.sample import read_sample
    from virnucpro.calling.scoring import score
    from virnucpro.calling.summary import summarise


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
    classifiers = load(a.classifier)
    if a.max_fdr is not None and None in classifiers.calibrations:
        bare = classifiers.names[classifiers.calibrations.index(None)]
        raise UsageError(f"--max_fdr needs calibrated classifiers; {bare} is none, call by --min_score")
    for files in a.samples:
        call(files, classifiers, a)


class Classifiers(NamedTuple):
    """One or two, of each its card, its network and its calibration."""

    cards: list[Classifier]
    mlps: list[Mlp]
    calibrations: list[Calibration | None]

    @property
    def names(self) -> list[str]:
        return [card.name for card in self.cards]


def load(folders: list[Path]) -> Classifiers:
    cards = [read_classifier(folder) for folder in folders]
    viral = [cards[0].classes.index(name) for name in cards[0].viral]
    return Classifiers(cards, [Mlp(folder, viral) for folder in folders], [calibration_of(card) for card in cards])


def call(files: Files, classifiers: Classifiers, a: argparse.Namespace) -> None:
    """Call one sample and write its results into a folder of its own."""
    card, names, out = classifiers.cards[0], classifiers.names, a.out / files.name
    out.mkdir(parents=True, exist_ok=True)
    tables = next((f for f in a.tables if (f / f"{files.name}.manifest.json").exists()), a.tables[0])
    sample = read_sample(files.name, tables)
    scores = score(sample, a.embeddings, classifiers.mlps, [e.kind for e in card.encoders])
    chunks = call_chunks(sample, scores, card.rule)
    decisive = deciding(chunks)
    sequences = call_sequences(sample, decisive, a.min_score, card.rule)
    sequences, prevalence = with_probabilities(sequences, classifiers.calibrations, a.prevalence)
    if a.max_fdr is not None:
        sequences = call_by_rate(sequences, a.max_fdr)
    sequences = sequences.with_columns(class_of_sequences(sequences, chunks, scores, card))
    check_accounts(sample, sequences, chunks, scores)
    results.write_sequences(sequences, sample, names, out / "sequences.tsv")
    results.write_chunks(chunks, sequences, names, out / "chunks.tsv")
    results.write_compatible(chunks, sequences, scores, out)
    joined = results.joined_viral_chunks(chunks)
    results.write_viral_chunks(joined, sequences, out / "viral_regions.bed")
    results.write_viruses(sequences, joined, files.fasta, out / "viruses.fasta.gz")
    regions = region_files.with_names(viral_regions(decisive), sequences)
    region_files.write_table(regions, out / "regions.tsv")
    region_files.write_bed(regions, out / "regions.bed")
    region_files.write_gff(regions, out / "regions.gff3")
    region_files.write_fasta(regions, sequences, files.fasta, out / "regions.fasta.gz")
    summary = summarise(sample, sequences, chunks, scores, a.min_score, names)
    summary |= {"prevalence": prevalence, "prevalence_given": a.prevalence is not None, "max_fdr": a.max_fdr}
    summary |= {"regions": regions.height, "provirus_regions": regions.filter(~pl.col("whole")).height}
    summary |= {"tracks": region_files.tracks(regions, decisive)}
    text = json.dumps(summary, indent=1, ensure_ascii=False)
    (out / f"{files.name}.summary.json").write_text(text + "\n", encoding="utf-8")
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

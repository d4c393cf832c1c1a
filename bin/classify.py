#!/usr/bin/env python3
"""Call a sample's chunks and sequences from their embeddings and write its result files (process CLASSIFY)."""

import argparse
import json
from pathlib import Path

from virnucpro import results
from virnucpro.calls import call_chunks, call_sequences, check_accounts
from virnucpro.errors import run_main
from virnucpro.mlp import Mlp
from virnucpro.models.classifier import read_classifier
from virnucpro.sample import read_sample
from virnucpro.scoring import score
from virnucpro.summary import summarise


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--sample", required=True, help="name of the sample")
    p.add_argument("--tables", required=True, type=Path, help="folder with the sample's manifest and tables")
    p.add_argument("--embeddings", required=True, type=Path, help="folder with its <shard>.<encoder>.parquet files")
    p.add_argument("--classifier", required=True, type=Path, help="folder with classifier.yml and model.safetensors")
    p.add_argument("--fasta", required=True, nargs="+", type=Path, help="the sample's FASTA files, in order")
    p.add_argument(
        "--min_score", type=float, default=0.5, help="virus_score that makes a sequence a virus [%(default)s]"
    )
    p.add_argument("--out", required=True, type=Path, help="folder for the results")
    a = p.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    sample = read_sample(a.sample, a.tables)
    kinds = [e.kind for e in read_classifier(a.classifier).encoders]
    scores = score(sample, a.embeddings, Mlp(a.classifier), kinds)
    chunks = call_chunks(sample, scores)
    sequences = call_sequences(sample, chunks, a.min_score)
    check_accounts(sample, sequences, chunks, scores)
    results.write_sequences(sequences, sample, a.out / "sequences.tsv")
    results.write_chunks(chunks, sequences, a.out / "chunks.tsv")
    results.write_compatible(chunks, sequences, scores, a.out)
    regions = results.viral_regions(chunks)
    results.write_regions(regions, sequences, a.out / "viral_regions.bed")
    results.write_viruses(sequences, regions, a.fasta, a.out / "viruses.fasta.gz")
    summary = summarise(sample, sequences, chunks, scores, a.min_score)
    text = json.dumps(summary, indent=1, ensure_ascii=False)
    (a.out / f"{a.sample}.summary.json").write_text(text + "\n", encoding="utf-8")
    counts = ", ".join(f"{n:,} {state}" for state, n in summary["sequences"].items() if n and state != "total")
    print(f"{a.sample}: {summary['sequences']['total']:,} sequences ({counts or 'none'}); results in {a.out}")


if __name__ == "__main__":
    run_main(main)

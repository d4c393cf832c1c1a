#!/usr/bin/env python3
"""Rebuild the example input and the demo model bundle (docs/demo_model.md); some minutes on two cores."""

import argparse
import csv
import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bin"))

from encoders import write_encoder  # noqa: E402
from example import ECOLI, LAMBDA, genomes_of_example, write_example  # noqa: E402
from relatives import groups, near, words  # noqa: E402

from virnucpro.models.manifest import write_manifest  # noqa: E402

NAME, CHUNK_LENGTH = "demo_500", 500
EXAMPLE_ACCESSIONS = {"NC_001416", "NC_008253"}
FILES = {"virus": ("virus_tr.fa.gz", "virus"), "host": ("host_tr.fa.gz", "others")}  # sample: file, label
ENCODERS = {"dnabert_s": "demo_dnabert_s", "esm2": "demo_esm2"}
OURS = {"": ("made for this pipeline (assets/make_demo)", "MIT")}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", type=Path, help="folder with virus_tr.fa.gz and host_tr.fa.gz of DeepVirFinder")
    p.add_argument("--work", type=Path, help="folder for shards and embeddings, may be deleted afterwards")
    p.add_argument("--bundle", type=Path, default=ROOT / "assets/demo_models", help="bundle to be written")
    p.add_argument("--example", type=Path, default=ROOT / "assets/example", help="example input to be written")
    p.add_argument("--only_example", action="store_true", help="write the example input and stop")
    a = p.parse_args()
    for genome in (LAMBDA, ECOLI):
        if not genome.is_file():
            p.error(f"{genome} is absent: install Debian's packages bowtie2-examples and bowtie-examples")
    write_example(a.example)
    if a.only_example:
        return
    if not a.data or not a.work:
        p.error("--data and --work are needed for the bundle")
    a.work.mkdir(parents=True, exist_ok=True)
    sequences = write_training_data(a.data, a.work)
    for kind, name in ENCODERS.items():
        write_encoder(a.bundle / "encoders" / name, kind, sequences)
    write_manifest(a.bundle, "demo", OURS)
    embed(a.work, a.bundle)
    train(a.work, a.bundle)
    write_manifest(a.bundle, "demo", OURS)
    script("check_models.py", "--models", a.bundle, "--full")


def read_fasta(path: Path) -> Iterator[tuple[str, str]]:
    """(name, sequence) of each record; DeepVirFinder writes a sequence on one line or more."""
    name, lines = "", []
    with gzip.open(path, "rt") as f:
        for line in f:
            if line.startswith(">"):
                if name:
                    yield name, "".join(lines)
                name, lines = line[1:].split()[0], []
            else:
                lines.append(line.strip())
    if name:
        yield name, "".join(lines)


def write_training_data(data: Path, work: Path) -> list[str]:
    """Write the FASTA, labels and groups of the fragments that may be trained on; returns their sequences.

    Left out are the fragments of the example's two genomes and all others that share sequence with the example.
    """
    records = {sample: dict(read_fasta(data / file)) for sample, (file, _) in FILES.items()}
    fragments = {n: (n.split("#")[0], words(s)) for part in records.values() for n, s in part.items()}
    left_out = near(fragments, genomes_of_example())
    left_out |= {n for n, (accession, _) in fragments.items() if accession.split(".")[0] in EXAMPLE_ACCESSIONS}
    group = groups({n: f for n, f in fragments.items() if n not in left_out})
    for sample, part in records.items():
        kept = {n: s for n, s in part.items() if n in group}
        (work / f"{sample}.fa").write_text("".join(f">{n}\n{s}\n" for n, s in kept.items()))
        print(
            f"{sample}: {len(kept):,} of {len(part):,} fragments, {len({group[n] for n in kept}):,} groups of genomes"
        )
    write_csv(work / "labels.csv", ("sample", "label"), [(s, label) for s, (_, label) in FILES.items()])
    write_csv(work / "groups.csv", ("id", "group"), sorted(group.items()))
    return [s for part in records.values() for n, s in part.items() if n in group]


def write_csv(path: Path, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows([columns, *rows])


def script(name: str, *arguments: object) -> None:
    """Run a script of the pipeline."""
    print(f"{name}", flush=True)
    subprocess.run([sys.executable, str(ROOT / "bin" / name), *map(str, arguments)], check=True)


def embed(work: Path, bundle: Path) -> None:
    """Cut the training data into open frames and embed them, as a run does."""
    for sample in FILES:
        script(
            *("extract_frames.py", "--sample", sample, "--fasta", work / f"{sample}.fa"),
            *("--chunk_length", CHUNK_LENGTH, "--out", work / "tables"),
        )
    shards = work / "shards"
    shards.mkdir(exist_ok=True)
    for shard in (work / "tables").glob("*.shard_*.parquet"):
        shard.replace(shards / shard.name)
    for kind, name in ENCODERS.items():
        script(
            *(f"embed_{kind}.py", "--shards", shards, "--encoder", bundle / "encoders" / name, "--bin", kind),
            *("--device", "cpu", "--precision", "fp32", "--threads", 1, "--out", work / "embeddings"),
        )


def train(work: Path, bundle: Path) -> None:
    """Train the classifier. Fragments are as many of either class, so each frame weighs the same."""
    script(
        *("train_classifier.py", "--name", NAME, "--labels", work / "labels.csv", "--groups", work / "groups.csv"),
        *("--tables", work / "tables", "--embeddings", work / "embeddings", "--models", bundle),
        *("--class_weight", "none", "--card", Path(__file__).with_name("card.yml"), "--seed", 1),
        *("--metrics", work / "metrics.json", "--out", bundle / "classifiers" / NAME),
    )


if __name__ == "__main__":
    main()

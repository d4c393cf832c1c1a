#!/usr/bin/env python3
"""Rebuild the example input and the demo model bundle (docs/demo_model.md), in some seven minutes on two cores."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bin"))

from encoders import write_encoder  # noqa: E402
from example import ECOLI, LAMBDA, genomes_of_example, write_example  # noqa: E402

from virnucpro.bundle.manifest import write_manifest  # noqa: E402
from virnucpro.frames.fasta import read_fasta  # noqa: E402
from virnucpro.training.relatives import near, words  # noqa: E402

CHUNK_LENGTHS = (500, 300)
EXAMPLE_ACCESSIONS = {"NC_001416", "NC_008253"}
FILES = {"virus": ("virus_tr.fa.gz", "virus"), "host": ("host_tr.fa.gz", "other")}  # sample: file, label
ENCODERS = {"dnabert_s": "demo_dnabert_s", "esm2": "demo_esm2"}
OURS = {"": ("made for this pipeline (maintenance/make_demo)", "MIT")}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", type=Path, help="folder with virus_tr.fa.gz and host_tr.fa.gz of DeepVirFinder")
    p.add_argument("--work", type=Path, help="folder for runs and their results, may be deleted afterwards")
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
    for length in CHUNK_LENGTHS:
        train(a.work.resolve(), a.bundle.resolve(), length)
    write_manifest(a.bundle, "demo", OURS)
    write_test_data(a.work)
    for length in CHUNK_LENGTHS:
        data = ("--virus", a.work / "virus_test.fa", "--others", a.work / "host_test.fa")
        script("maintenance/measure_thresholds.py", "--models", a.bundle, "--classifier", f"demo_{length}", *data)
    script("bin/check_models.py", "--models", a.bundle, "--full")


def write_training_data(data: Path, work: Path) -> list[str]:
    """Write the FASTA and the samplesheet of the fragments that may be trained on; returns their sequences.

    Left out are the fragments of the example's two genomes and all others that share sequence with the example.
    """
    records = {
        sample: {r.id: r.sequence.decode() for r in read_fasta(data / file)} for sample, (file, _) in FILES.items()
    }
    found = {name: words(sequence.encode()) for part in records.values() for name, sequence in part.items()}
    left_out = near(found, [genome.encode() for genome in genomes_of_example()])
    left_out |= {n for n in found if n.split("#")[0].split(".")[0] in EXAMPLE_ACCESSIONS}
    rows = ["sample,fasta,label"]
    for sample, part in records.items():
        kept = {n: s for n, s in part.items() if n not in left_out}
        (work / f"{sample}.fa").write_text("".join(f">{n}\n{s}\n" for n, s in kept.items()), encoding="utf-8")
        rows.append(f"{sample},{sample}.fa,{FILES[sample][1]}")
        print(f"{sample}: {len(kept):,} of {len(part):,} fragments")
    (work / "samples.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return [s for part in records.values() for n, s in part.items() if n not in left_out]


def write_test_data(work: Path) -> None:
    """Write <sample>_test.fa: the fragments of genomes that no training has seen, the same ones for either length."""
    scores = [work / f"results_{length}/evaluation/test_scores.tsv" for length in CHUNK_LENGTHS]
    one, *others = [set(pl.read_csv(path, separator="\t", columns=["id"])["id"]) for path in scores]
    if any(ids != one for ids in others):
        raise SystemExit("the classifiers were tested on different genomes")
    for sample in FILES:
        kept = (r for r in read_fasta(work / f"{sample}.fa") if r.id in one)
        (work / f"{sample}_test.fa").write_bytes(b"".join(b">%b\n%b\n" % (r.id.encode(), r.sequence) for r in kept))


def script(path: str, *arguments: object) -> None:
    """Run a script of this repository."""
    print(path, flush=True)
    subprocess.run([sys.executable, str(ROOT / path), *map(str, arguments)], check=True)


def train(work: Path, bundle: Path, length: int) -> None:
    """Train a classifier by the pipeline's own workflow, as a user does, and put it into the bundle."""
    name, results = f"demo_{length}", work / f"results_{length}"
    command = [
        "nextflow",
        "-q",
        "run",
        ROOT,
        "-ansi-log",
        "false",
        "--workflow",
        "train",
        "--input",
        "samples.csv",
        "--models",
        bundle,
    ]
    command += ["--classifier", name, "--chunk_length", length, "--recipe", "single", "--use_gpu", "false"]
    command += ["--classifier_texts", Path(__file__).with_name("card.yml").resolve(), "--outdir", results]
    subprocess.run(list(map(str, command)), cwd=work, check=True)
    place = bundle / "classifiers" / name
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(results / name, place)


if __name__ == "__main__":
    main()

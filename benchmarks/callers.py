#!/usr/bin/env python3
"""compact beside the demo and a k-mer baseline, by `--workflow evaluate`, on the half kept for compact's report.

The genomes are those that judge compact (pretraining/judge.py), with the same halves. On the other half, on which
compact was chosen, the demo's encoders get a classifier by the demo's recipe, and the baseline its weights: so none of
the three has learnt from the genomes of the report. All get the same pieces of them.

    benchmarks/callers.py --data deepvirfinder_train --work FOLDER
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bin"), str(ROOT)]

from pretraining.judge import CHOOSE, REPORT, fragments  # noqa: E402
from virnucpro.evaluation.baselines import composition, train_baselines  # noqa: E402

SIZES = (300, 500, 1000, 3000)
LABELS = ("other", "virus")
SEED = 1
FIGURES = (
    "auprc",
    "sensitivity_at_1_percent",
    "sensitivity_at_5_percent",
    "sensitivity",
    "specificity",
    "no_answer",
)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, type=Path, help="folder with virus_tr.fa.gz and host_tr.fa.gz")
    p.add_argument("--work", required=True, type=Path, help="folder for what is made")
    a = p.parse_args()
    work = a.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    data = a.data.resolve()
    write_pieces(data, work)
    write_labelled(data, work)
    write_baseline(data, work)
    demo = ROOT / "assets/demo_models"
    labelled = ("--input", "labelled.csv", "--models", demo, "--classifier", "demo_recipe", "--recipe", "single")
    nextflow(work, "--workflow", "train", *labelled, "--outdir", "trained")
    nextflow(work, "--input", "pieces.fa", "--outdir", "compact")
    nextflow(
        work, "--input", "pieces.fa", "--models", demo, "--classifier", work / "trained/demo_recipe", "--outdir", "demo"
    )
    callers = "caller,table\ncompact,compact\ndemo,demo\n4-mers and amino acids,baseline.tsv\n"
    (work / "callers.csv").write_text(callers, encoding="utf-8")
    judged = ("--input", "callers.csv", "--truth", "truth.tsv", "--outdir", "judged")
    nextflow(work, "--workflow", "evaluate", *judged)
    table(work / "judged/evaluation/figures.tsv")


def pieces_of(data: Path, half: int) -> Iterator[tuple[str, int, str, str]]:
    """Name, label, family of genomes and bases of each piece of each size, of one half's fragments."""
    for name, sequence, label, family, side in zip(*fragments(data), strict=True):
        if side == half:
            for size in SIZES:
                for first in range(0, len(sequence) - size // 2, size):
                    yield f"{name}#{size}#{first}", int(label), str(family), sequence[first : first + size]


def write_pieces(data: Path, work: Path) -> None:
    rows = list(pieces_of(data, REPORT))
    (work / "pieces.fa").write_text("".join(f">{name}\n{bases}\n" for name, _, _, bases in rows), encoding="utf-8")
    lines = [f"{name}\t{LABELS[label]}\t{family}\t{len(bases)}" for name, label, family, bases in rows]
    (work / "truth.tsv").write_text("\n".join(["sequence_id\tlabel\tgenome\tlength", *lines]) + "\n", encoding="utf-8")


def write_labelled(data: Path, work: Path) -> None:
    """The samplesheet of train: of the choosing half every tenth family validates, the report half tests."""
    files: dict[tuple[str, str], list[str]] = {}
    for name, sequence, label, family, side in zip(*fragments(data), strict=True):
        split = "test" if side == REPORT else "validation" if crc32(family.encode()) % 10 == 0 else "train"
        files.setdefault((split, LABELS[label]), []).append(f">{name}\n{sequence}\n")
    rows = ["sample,fasta,label,split"]
    for (split, label), records in sorted(files.items()):
        (work / f"{split}_{label}.fa").write_text("".join(records), encoding="utf-8")
        rows.append(f"{split}_{label},{split}_{label}.fa,{label},{split}")
    (work / "labelled.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_baseline(data: Path, work: Path) -> None:
    """The MLP of evaluation/baselines.py, in a table as DeepVirFinder writes it."""
    learnt, asked = list(pieces_of(data, CHOOSE)), list(pieces_of(data, REPORT))
    features = np.stack([composition(bases.encode()) for *_, bases in learnt])
    mlp = train_baselines(features, np.array([label for _, label, _, _ in learnt]), SEED)[0]
    score = mlp.probability(np.stack([composition(bases.encode()) for *_, bases in asked]))
    lines = [f"{name}\t{len(bases)}\t{s:.6f}\t1" for (name, _, _, bases), s in zip(asked, score.tolist(), strict=True)]
    (work / "baseline.tsv").write_text("\n".join(["name\tlen\tscore\tpvalue", *lines]) + "\n", encoding="utf-8")


def nextflow(folder: Path, *arguments) -> None:
    subprocess.run(["nextflow", "run", ROOT, "-ansi-log", "false", "-resume", *arguments], cwd=folder, check=True)


def table(figures: Path) -> None:
    rows = pl.read_csv(figures, separator="\t").filter(pl.col("level") == "sequence", pl.col("part") == "length")
    print("| bases | caller | AUROC | " + " | ".join(name.replace("_", " ") for name in FIGURES) + " |")
    print("|---|---|---|" + "---|" * len(FIGURES))
    by_length = rows.sort(pl.col("name").str.extract(r"^([\d,]+)").str.replace(",", "").cast(int), descending=True)
    for row in by_length.iter_rows(named=True):
        auroc = f"{row['auroc']:.3f} [{row['auroc_low']:.3f}, {row['auroc_high']:.3f}]"
        print(f"| {row['name']} | {row['caller']} | {auroc} | " + " | ".join(f"{row[f]:.2f}" for f in FIGURES) + " |")


if __name__ == "__main__":
    main()

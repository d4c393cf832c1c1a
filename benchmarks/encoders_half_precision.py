#!/usr/bin/env python3
"""What half precision changes: cosine of each embedding to fp32's, and the calls that come out otherwise.

    benchmarks/encoders_half_precision.py [--models DIR] [--classifier NAME] [--device cpu] FASTA...

Runs the embedding tasks on the open frames of the FASTA files at fp32, fp16 and bf16, and the classifier on each.
Without arguments: the demo models on the example. Give the real models and --device cuda where there is a GPU.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

import numpy as np
import pyarrow.parquet as pq
from measure import machine

from virnucpro.bundle.classifier import read_classifier
from virnucpro.calling.mlp import Mlp
from virnucpro.embedding.events import Events
from virnucpro.embedding.settings import Task
from virnucpro.embedding.task import run_task
from virnucpro.formats import chunk_of

ROOT = Path(__file__).resolve().parent.parent
PRECISIONS = ("fp32", "fp16", "bf16")


def embed(
    kind: str, encoder: Path, layer: int | str, shards: Path, out: Path, precision: str, device: str
) -> np.ndarray:
    """float32 [frames, dim]: what a task of that precision writes, shard after shard."""
    events = Events(out / "events.jsonl", "task", kind, 1)
    run_task(Task(kind, shards, encoder, "task", out, layer=layer, precision=precision, device=device), events)
    columns = [pq.read_table(path)["embedding"].combine_chunks() for path in sorted(out.glob(f"*.{kind}.parquet"))]
    return np.concatenate([c.flatten().to_numpy().reshape(len(c), -1) for c in columns]).astype(np.float32)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of corresponding rows."""
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def chunk_calls(scores: np.ndarray, chunk: np.ndarray) -> np.ndarray:
    """bool [chunks]: virus, where the best virus score of a chunk's frames reaches the best other score."""
    best = np.zeros((chunk.max() + 1, 2))
    np.maximum.at(best, chunk, scores)
    return (best[:, 1] >= best[:, 0])[np.unique(chunk)]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("fasta", nargs="*", type=Path, default=sorted((ROOT / "assets" / "example").glob("*.fa.gz")))
    p.add_argument("--models", type=Path, default=ROOT / "assets" / "demo_models")
    p.add_argument("--classifier", default="demo_500")
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    classifier = read_classifier(a.models / "classifiers" / a.classifier)
    with tempfile.TemporaryDirectory() as folder:
        shards = Path(folder) / "shards"
        command = [sys.executable, ROOT / "bin" / "extract_frames.py", "--sample", "s", *a.fasta]
        command += ["--chunk_length", classifier.chunk_length, "--out", Path(folder) / "frames"]
        subprocess.run([str(c) for c in command], check=True)
        shards.mkdir()
        for path in (Path(folder) / "frames").rglob("*.shard_*.parquet"):
            path.rename(shards / path.name)
        keys = np.concatenate([pq.read_table(path)["frame_key"].to_numpy() for path in sorted(shards.glob("*"))])
        vectors = {
            (precision, use.kind): embed(
                use.kind,
                a.models / "encoders" / use.name,
                use.layer,
                shards,
                Path(folder) / precision / use.kind,
                precision,
                a.device,
            )
            for precision in PRECISIONS
            for use in classifier.encoders
        }
    mlp = Mlp.of(classifier)
    chunks_of = chunk_of(keys)
    scores = {x: mlp(np.concatenate([vectors[x, use.kind] for use in classifier.encoders], axis=1)) for x in PRECISIONS}
    print(
        f"{machine()}, device {a.device}, {classifier.name}, {len(keys):,} frames of {len(set(chunks_of)):,} chunks\n"
    )
    print(
        "| | encoder | cosine to fp32: least | median | largest change of a score | frame calls changed | chunk calls |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for x in PRECISIONS[1:]:
        change = np.abs(scores[x] - scores["fp32"]).max()
        frames = (scores[x].argmax(1) != scores["fp32"].argmax(1)).sum()
        chunks = (chunk_calls(scores[x], chunks_of) != chunk_calls(scores["fp32"], chunks_of)).sum()
        for use in classifier.encoders:
            c = cosines(vectors[x, use.kind], vectors["fp32", use.kind])
            drift = f"{c.min():.7f} | {np.median(c):.7f}"
            print(f"| {x} | {use.name} | {drift} | {change:.5f} | {frames} | {chunks} |")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What fewer bits per number on disk change: scores and calls of a trained classifier, from embeddings in fp32.

    benchmarks/embeddings_on_disk.py [--models DIR] [--classifier NAME] [--frames open] [FASTA...]

Without arguments: the demo models on the example. float16 is how embeddings computed in half precision are kept.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

import numpy as np
from measure import machine

from virnucpro.bundle.classifier import Classifier, read_classifier
from virnucpro.calling.calls import share_of_virus
from virnucpro.calling.mlp import Mlp
from virnucpro.calling.scoring import read_embeddings
from virnucpro.embedding.writing import halved

ROOT = Path(__file__).resolve().parent.parent


def bfloat16(x: np.ndarray) -> np.ndarray:
    """float32 rounded to 8 bits of mantissa."""
    bits = x.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def eight_bits(x: np.ndarray, block: int = 32) -> np.ndarray:
    """float32 [rows, values] as whole numbers of 8 bits, with a scale for each 32 of them."""
    rows, width = x.shape
    blocks = np.pad(x, ((0, 0), (0, -width % block))).reshape(rows, -1, block)
    scale = np.maximum(np.abs(blocks).max(axis=-1, keepdims=True) / 127, 1e-30)
    return (np.round(blocks / scale) * scale).reshape(rows, -1)[:, :width].astype(np.float32)


WAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"float16": halved, "bfloat16": bfloat16, "8 bits": eight_bits}


def embedded(card: Classifier, models: Path, fasta: list[Path], frames: str, folder: Path):
    """Keys int64 [frames] and features float32 [frames, all values] of the files' frames, computed in fp32."""

    def script(name: str, *arguments) -> None:
        subprocess.run([sys.executable, ROOT / "bin" / name, *map(str, arguments)], check=True, stdout=sys.stderr)

    cut = ["--chunk_length", card.chunk_length, "--frames", frames]
    script("extract_frames.py", "--sample", "s", "--fasta", *fasta, *cut, "--out", folder / "tables")
    manifest = json.loads((folder / "tables/s.manifest.json").read_text(encoding="utf-8"))
    (folder / "shards").mkdir()
    for shard in manifest["shards"]:
        (folder / "tables" / f"{shard['name']}.parquet").rename(folder / "shards" / f"{shard['name']}.parquet")
    for use in card.encoders:
        task = ["--kind", use.kind, "--task", use.kind, "--layer", use.layer, "--precision", "fp32", "--device", "cpu"]
        encoder = models / "encoders" / use.name
        script("embed.py", *task, "--shards", folder / "shards", "--encoder", encoder, "--out", folder / "out")
    keys, features = [], []
    for shard in manifest["shards"]:
        parts = [read_embeddings(folder / "out" / f"{shard['name']}.{use.kind}.parquet") for use in card.encoders]
        keys.append(parts[0].keys)
        features.append(np.concatenate([part.vectors[part.order] for part in parts], axis=1))
    return np.concatenate(keys), np.concatenate(features)


def chunk_scores(p: np.ndarray, chunk: np.ndarray) -> np.ndarray:
    """virus_score of each chunk, float64, by VirNucPro's rule: the best scores of its frames."""
    first = np.flatnonzero(np.r_[True, chunk[1:] != chunk[:-1]])
    return share_of_virus(np.maximum.reduceat(p[:, 1], first), np.maximum.reduceat(p[:, 0], first))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("fasta", nargs="*", type=Path, default=sorted((ROOT / "assets/example").glob("*.fa.gz")))
    p.add_argument("--models", type=Path, default=ROOT / "assets/demo_models")
    p.add_argument("--classifier", default="demo_500")
    p.add_argument("--frames", choices=["open", "longest", "every"], default="open")
    a = p.parse_args()
    card = read_classifier(a.models / "classifiers" / a.classifier)
    with tempfile.TemporaryDirectory() as folder:
        keys, features = embedded(card, a.models, a.fasta, a.frames, Path(folder))
    mlp = Mlp.of(card)
    exact = mlp(features)
    of_chunks = chunk_scores(exact, keys // 6)
    print(f"{machine()}; {card.name}, {len(keys):,} frames of {len(of_chunks):,} chunks\n")
    print("| on disk | largest change of a frame's score | of a chunk's | frame calls changed | chunk calls |")
    print("|---|---|---|---|---|")
    for name, way in WAYS.items():
        found = mlp(way(features))
        chunks = chunk_scores(found, keys // 6)
        frame_calls = (found.argmax(axis=1) != exact.argmax(axis=1)).sum()
        chunk_calls = ((chunks >= 0.5) != (of_chunks >= 0.5)).sum()
        changes = np.abs(found - exact).max(), np.abs(chunks - of_chunks).max()
        print(f"| {name} | {changes[0]:.1e} | {changes[1]:.1e} | {frame_calls} | {chunk_calls} |")


if __name__ == "__main__":
    main()

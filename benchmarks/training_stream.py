#!/usr/bin/env python3
"""Rows per second that reach training: as published, where a Python loop looks through the files for each row, and as
this pipeline streams them, from memory and from disk. The arithmetic of training is left out.

benchmarks/training_stream.py [--rows 40000] [--files 1000] [--width 3328] [--rounds 3]
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import machine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

import torch

from virnucpro.training.pack import FeatureRows
from virnucpro.training.stream import Stream

BATCH = 32  # VirNucPro's


class ByFile(torch.utils.data.Dataset):
    """VirNucPro's way, written anew: for each row, file after file is asked how many rows it has."""

    def __init__(self, files: list[torch.Tensor], labels: list[torch.Tensor]):
        self.files, self.labels = files, labels

    def __len__(self) -> int:
        return sum(len(f) for f in self.files)

    def __getitem__(self, index: int):
        before = 0
        for rows, labels in zip(self.files, self.labels, strict=True):
            if index < before + rows.size(0):
                return rows[index - before], labels[index - before]
            before += rows.size(0)
        raise IndexError(index)


def rate(batches: Callable[[], object], rows: int) -> float:
    """Rows per second; what a batch holds is touched once."""
    began = time.perf_counter()
    total = 0
    for features, _ in batches():
        total += len(features)
        float(features[0, 0])
        if total >= rows:
            break
    return total / (time.perf_counter() - began)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, default=40_000)
    p.add_argument("--files", type=int, default=1000, help="10,000,000 frames in VirNucPro's files of 10,000")
    p.add_argument("--width", type=int, default=3328)
    p.add_argument("--rounds", type=int, default=3)
    a = p.parse_args()
    torch.set_num_threads(1)
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.f32"
        values = random.standard_normal((a.rows, a.width), dtype=np.float32)
        values.tofile(path)
        label = random.integers(0, 2, a.rows).astype(np.int8)
        rows = FeatureRows(path, a.width, label, np.arange(a.rows), np.full(a.rows, 166, dtype=np.int16))
        parts = [np.array_split(x, a.files) for x in (values, label.astype(np.int64))]
        by_file = ByFile(*([torch.from_numpy(x) for x in part] for part in parts))
        published = torch.utils.data.DataLoader(by_file, BATCH, shuffle=True)
        whole, few = Stream(rows, BATCH, 10 * values.nbytes), Stream(rows, BATCH, values.nbytes // 10)
        ways = {
            "a loop over files for each row": lambda: rate(lambda: published, a.rows // 10),
            "streamed, all in memory": lambda: rate(lambda: whole.shuffled(random), a.rows),
            "streamed, a tenth in memory": lambda: rate(lambda: few.shuffled(random), a.rows),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(a.rounds):
            for name, way in ways.items():
                os.sync()
                found[name].append(way())
    print(f"{a.rows:,} rows of {a.width:,} values, {a.files:,} files, batches of {BATCH}, {a.rounds} rounds")
    print(f"{machine()}\n")
    print("| way | rows/s (median) | times |\n| --- | --- | --- |")
    slowest = statistics.median(found["a loop over files for each row"])
    for name, rates in found.items():
        middle = statistics.median(rates)
        print(f"| {name} | {middle:,.0f} | {middle / slowest:.1f} |")


if __name__ == "__main__":
    main()

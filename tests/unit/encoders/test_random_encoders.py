"""The GPU benchmark's own parts, as far as they run without a GPU."""

import sys
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[3] / "benchmarks"))

from random_encoders import random_dnabert_s, random_esm2

CPU = torch.device("cpu")


def test_random_encoders_compute_something():
    ids = torch.randint(5, 30, (2, 9))
    for model in (random_esm2("tiny", CPU, torch.bfloat16), random_dnabert_s(CPU, torch.bfloat16, small=True)):
        pooled = model(ids)
        assert pooled.isfinite().all()
        assert (pooled[0] - pooled[1]).abs().max() > 0.1

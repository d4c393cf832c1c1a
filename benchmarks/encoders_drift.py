#!/usr/bin/env python3
"""How far rounding moves an embedding at the published depths and widths: cosine to fp32 of the same random weights.

    benchmarks/encoders_drift.py [--esm2 650M] [--rows 8] [--device cpu]

fp16 and bf16 as a task computes them. FP8 is emulated: inputs and weights of every matrix product are rounded to
float8_e4m3fn, scaled by token and by output, the sums stay fp32; kernels may do worse, not better. Trained weights
have outliers that random ones lack: benchmarks/encoders_half_precision.py measures on real models.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

import numpy as np
import torch
import torch.nn.functional as F
from random_encoders import ESM2, peptide_tokens, random_dnabert_s, random_esm2, to_precision
from torch import Tensor

FP8_MAX = torch.finfo(torch.float8_e4m3fn).max


@contextmanager
def fp8() -> Iterator[None]:
    """Within it, matrix products of linear layers see values of 8 bits."""
    plain = F.linear

    def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return plain(to_fp8(x), to_fp8(weight), bias)

    with mock.patch.object(F, "linear", linear):
        yield


def to_fp8(x: Tensor) -> Tensor:
    """Rounded to float8_e4m3fn, each row of the last dimension scaled to its range."""
    scale = x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-12) / FP8_MAX
    return (x / scale).to(torch.float8_e4m3fn).to(x.dtype) * scale


@torch.inference_mode()
def drift(size: str, device: torch.device, rows: int) -> None:
    """Print a table."""
    print("| encoder | fp16: least, median | bf16 | FP8, emulated |\n| --- | --- | --- | --- |", flush=True)
    peptides = torch.from_numpy(peptide_tokens(rows, np.array([166])).rows(np.arange(rows), 168, 1)).to(device)
    nucleotides = torch.randint(5, 4096, (rows, 112), generator=torch.Generator().manual_seed(0)).to(device)
    for name, make, tokens in (
        (f"ESM-2 {size}", lambda: random_esm2(size, device, torch.float32), peptides),
        ("DNABERT-S", lambda: random_dnabert_s(device, torch.float32, size == "tiny"), nucleotides),
    ):
        exact = make()(tokens)
        cells = [least_and_median(to_precision(make(), dtype)(tokens), exact) for dtype in (torch.half, torch.bfloat16)]
        with fp8():
            cells.append(least_and_median(make()(tokens), exact))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def least_and_median(embedding: Tensor, exact: Tensor) -> str:
    cosine = torch.cosine_similarity(embedding, exact, dim=1)
    return f"{cosine.min():.7f}, {cosine.median():.7f}"


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--esm2", choices=ESM2, default="650M")
    p.add_argument("--rows", type=int, default=8, help="sequences")
    p.add_argument("--device", default="cpu")
    a = p.parse_args()
    drift(a.esm2, torch.device(a.device), a.rows)


if __name__ == "__main__":
    main()

"""The Triton kernels, in Triton's interpreter, against plain PyTorch row by row."""

import os
import subprocess
import sys

import interpreter  # noqa: F401  before anything that imports Triton
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from encoder_folders import fair_esm, save_dnabert_s, save_esm2

from virnucpro.encoders import kernels, packed
from virnucpro.encoders.dnabert_s import model as dnabert_s
from virnucpro.encoders.esm2 import model as esm2
from virnucpro.encoders.rows import rotate

# Largest difference where values are about 1: rounding of the operands, and of the result.
TOLERANCE = {torch.float32: 3e-6, torch.float16: 2e-3}
HEADS = 2
ROWS = [3, 66, 3]  # of the whole encoders: the interpreter takes its time over each token
LENGTHS = {
    "of one length": [40] * 3,
    "of all lengths": [1, 2, 63, 64, 65, 130],
    "one token": [1],
    "the longest": [1088],
}


def packed_rows(lengths: list[int]) -> torch.Tensor:
    """Where each row starts, and the last ends."""
    return torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)


def expected(qkv: torch.Tensor, lengths: list[int], turns: torch.Tensor | None, slopes: torch.Tensor | None):
    """Attention of each row by itself, in float64."""
    out = []
    for row in qkv.double().split(lengths):
        T = len(row)
        q, k, v = row.view(1, T, 3, HEADS, -1).permute(2, 0, 1, 3, 4)
        if turns is not None:
            q, k = rotate(torch.stack((q, k), dim=2), turns[None, :T, None, None].double()).unbind(2)
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / q.shape[-1] ** 0.5
        if slopes is not None:
            place = torch.arange(T)
            scores = scores - slopes[:, None, None] * (place[:, None] - place).abs()
        out.append((scores.softmax(-1) @ v.transpose(1, 2)).transpose(1, 2).reshape(T, -1))
    return torch.cat(out)


# Every head size with rows of many lengths, and every set of lengths with one head size.
CASES = [(dtype, d, "of all lengths") for dtype in TOLERANCE for d in (16, 24, 32, 64, 128)]
CASES += [(torch.float32, 16, which) for which in LENGTHS if which != "of all lengths"]


@pytest.mark.parametrize("way", ["rotary", "alibi"])
@pytest.mark.parametrize(("dtype", "d", "which"), CASES)
def test_attention(dtype, d, which, way):
    lengths = LENGTHS[which]
    generator = torch.Generator().manual_seed(d)
    qkv = torch.randn(sum(lengths), 3 * HEADS * d, generator=generator).to(dtype)
    starts, longest = packed_rows(lengths), max(lengths)
    if way == "rotary":
        angle = torch.outer(torch.arange(longest), 1e4 ** -(torch.arange(0, d, 2) / d))
        turns = torch.stack((angle.cos(), angle.sin()), dim=-1).to(dtype)
        cos, sin = (part.contiguous() for part in turns.unbind(-1))
        found = kernels.rotary_attention(qkv, starts, longest, HEADS, cos, sin)
        true = expected(qkv, lengths, turns, None)
    else:
        slopes = torch.tensor([0.5, 0.004])
        found = kernels.alibi_attention(qkv, starts, longest, slopes)
        true = expected(qkv, lengths, None, slopes)
    assert found.dtype is dtype
    assert (found - true).abs().max() < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("D", [40, 320])
def test_norms_of_sums(D, dtype):
    generator = torch.Generator().manual_seed(D)
    x, y = (torch.randn(5, D, generator=generator).to(dtype) for _ in range(2))
    norm = torch.nn.LayerNorm(D, 1e-12).requires_grad_(False)
    norm.weight.normal_(1, 0.1, generator=generator)
    norm.bias.normal_(0, 0.1, generator=generator)
    total = x + y  # rounded once
    true = F.layer_norm(total.double(), (D,), norm.weight.double(), norm.bias.double(), norm.eps)
    summed = x.clone()
    assert (kernels.add_norm(summed, y, norm) - true).abs().max() < TOLERANCE[dtype]
    assert torch.equal(summed, total)
    assert (kernels.norm_of_sum(x.clone(), y, norm) - true).abs().max() < TOLERANCE[dtype]
    assert (kernels.add_norm(total, None, norm) - true).abs().max() < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_gate(dtype):
    gu = 2 * torch.randn(70, 2 * 48, generator=torch.Generator().manual_seed(0)).to(dtype)
    g, u = gu.double().chunk(2, dim=-1)
    difference = kernels.gelu_gate(gu).double() - F.gelu(g) * u
    assert (difference.abs() / (1 + (F.gelu(g) * u).abs())).max() < TOLERANCE[dtype]


@pytest.mark.parametrize("skip", [0, 1])
def test_means(skip):
    lengths = [3, 32, 65, 100]
    x = torch.randn(sum(lengths), 130, generator=torch.Generator().manual_seed(0)).half()
    true = torch.stack([row[skip : len(row) - skip].double().mean(0) for row in x.split(lengths)])
    assert (kernels.row_means(x, packed_rows(lengths), skip) - true).abs().max() < 1e-6


@pytest.fixture(scope="module", params=["esm2", "esm2, layer 1", "dnabert_s"])
def load(request, tmp_path_factory):
    """Loads a small encoder; ESM-2 with the head size of its smallest, DNABERT-S with odd ones."""
    folder = tmp_path_factory.mktemp("encoder")
    if request.param == "dnabert_s":
        save_dnabert_s(folder, dim=60, heads=3, hidden=64)
        return lambda dtype: dnabert_s.load(folder, dtype=dtype)
    save_esm2(fair_esm(2, 64, 4), folder)
    return lambda dtype: esm2.load(folder, 1 if "layer" in request.param else "last", dtype=dtype)


def some_tokens(lengths: list[int]) -> torch.Tensor:
    return torch.randint(5, 24, (sum(lengths),), generator=torch.Generator().manual_seed(0), dtype=torch.int32)


@torch.inference_mode()
def both_ways(encoder, lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = some_tokens(lengths)
    plain = torch.cat([encoder(row[None]) for row in tokens.split(lengths)])
    return encoder.packed(tokens, packed_rows(lengths), max(lengths)), plain


def test_encoders_equal_the_plain_way(load):
    found, plain = both_ways(load(torch.float32), ROWS)
    assert found.dtype is torch.float32
    assert (found - plain).abs().max() < 1e-5


def test_half_precision_stays_close(load):
    """fp16 alone: the interpreter computes bf16 as whole numbers."""
    found, _ = both_ways(load(torch.float16), ROWS)
    exact = load(torch.float32)
    tokens = some_tokens(ROWS)
    plain = torch.cat([exact(row[None]) for row in tokens.split(ROWS)])
    assert torch.cosine_similarity(found, plain, dim=1).min() > 0.99999


def test_they_compile_for_gpus(root, tmp_path):
    """Triton brings its own assembler. The smallest GPUs of these generations give a kernel 99 KiB of shared memory."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {"PYTHONPATH": str(root / "bin"), "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, str(root / "tests/support/compile_kernels.py"), "80", "90"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)
    assert done.returncode == 0, done.stderr
    shared = list(map(int, done.stdout.split()))
    assert len(shared) == 10
    assert max(shared) <= 99 << 10


class TestTheTrial:
    """What a task computes before it trusts the kernels."""

    @pytest.fixture(autouse=True)
    def short(self, monkeypatch):
        monkeypatch.setattr(packed, "TRIAL_LENGTHS", (3, 20))

    def test_agrees(self, load):
        assert packed.difference(load(torch.float16), torch.device("cpu")) == ""

    @pytest.mark.parametrize("name", ["gelu_gate", "norm_of_sum", "alibi_attention"])
    def test_a_wrong_kernel_is_noticed(self, tmp_path, monkeypatch, name):
        right = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda *a: right(*a).roll(1, dims=1))
        encoder = dnabert_s.load(save_dnabert_s(tmp_path), dtype=torch.float16)
        assert "differ from PyTorch's (cosine" in packed.difference(encoder, torch.device("cpu"))

"""The fused layers of a CPU against PyTorch's own operations."""

import pytest
import torch
import torch.nn.functional as F

from virnucpro.encoders import linear


@pytest.fixture
def x():
    torch.manual_seed(0)
    return torch.randn(3, 7, 40)


@torch.no_grad()
def test_equal_to_the_plain_operations(x):
    assert linear._fused(x), "this PyTorch has no fused layers: the encoders are slower on a CPU"
    layer, residual = torch.nn.Linear(40, 24), torch.randn(3, 7, 24)
    gated = torch.nn.Linear(40, 48, bias=False)
    gate, up = gated(x).chunk(2, dim=-1)
    # F.linear has 4e-7 of rounding here itself
    assert (linear.linear(x, layer) - layer(x)).abs().max() < 2e-6
    assert (linear.linear_gelu(x, layer) - F.gelu(layer(x))).abs().max() < 2e-6
    assert (linear.linear_add(x, layer, residual) - residual - layer(x)).abs().max() < 2e-6
    assert (linear.linear_gated(x, gated) - F.gelu(gate) * up).abs().max() < 2e-6


@torch.no_grad()
def test_gelu_is_the_exact_one(x):
    layer = torch.nn.Linear(40, 40)
    tanh = F.gelu(layer(x), approximate="tanh")
    assert (linear.linear_gelu(x, layer) - tanh).abs().max() > 1e-5


@torch.no_grad()
def test_without_onednn_the_plain_operations_are_used(x, monkeypatch):
    layer = torch.nn.Linear(40, 24)
    fused = linear.linear_gelu(x, layer)
    monkeypatch.setattr(linear, "_ONEDNN", False)
    assert (linear.linear_gelu(x, layer) - fused).abs().max() < 2e-6

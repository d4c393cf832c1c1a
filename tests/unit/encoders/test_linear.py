"""The fused layers of a CPU against PyTorch's own operations."""

import pytest
import torch
import torch.nn.functional as F

from virnucpro.encoders import linear
from virnucpro.encoders.linear import GatedLinear, GeluLinear, Linear, for_inference
from virnucpro.encoders.rows import PaddedRows

TOLERANCE = 2e-6  # the plain operations themselves have 4e-7 of rounding here


GATE = PaddedRows(torch.zeros(1, 1), None).gate


@pytest.fixture(params=["packed", "plain"])
def layers(request):
    """A layer of each sort as an encoder has them, and their weights before."""
    torch.manual_seed(0)
    model = torch.nn.ModuleList([Linear(40, 24), GeluLinear(40, 24), GatedLinear(40, 48, bias=False)])
    weights = [layer.weight.detach().clone() for layer in model]
    if request.param == "packed":
        for_inference(model)
        assert model[0].packed is not None, "this PyTorch has no fused layers: the encoders are slower on a CPU"
        assert model[0].weight is None
    return model.requires_grad_(False), weights


def test_equal_to_the_plain_operations(layers):
    (layer, gelu, gated), (weight, gelu_weight, gated_weight) = layers
    x = torch.randn(3, 7, 40)
    assert (layer(x) - F.linear(x, weight, layer.bias)).abs().max() < TOLERANCE
    before = F.linear(x, gelu_weight, gelu.bias)
    assert (gelu(x) - F.gelu(before)).abs().max() < TOLERANCE
    assert (gelu(x) - F.gelu(before, approximate="tanh")).abs().max() > 1e-5  # the exact one
    g, u = F.linear(x, gated_weight).chunk(2, dim=-1)
    assert (gated(x, GATE) - F.gelu(g) * u).abs().max() < TOLERANCE
    assert layer.dtype is gated.dtype is torch.float32


def test_half_precision_and_old_libraries_stay_plain(monkeypatch):
    half = for_inference(Linear(40, 24).bfloat16())
    assert half.packed is None
    assert half.dtype is half(torch.randn(2, 40)).dtype is torch.bfloat16
    monkeypatch.setattr(linear, "_ONEDNN", False)
    assert for_inference(Linear(40, 24)).packed is None

"""Encoders in the published shapes with random weights, made on the device: no files, no network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bin"))

import numpy as np
import torch

from virnucpro.encoders.dnabert_s import model as dnabert_s
from virnucpro.encoders.esm2 import model as esm2
from virnucpro.encoders.ragged import Ragged, ragged
from virnucpro.verify.shapes import ESM2_SHAPES as ESM2


def random_esm2(size: str, device: torch.device, dtype: torch.dtype) -> esm2.ESM2:
    """Weights of a scale that keeps the values about 1."""
    layers, dim, heads = ESM2[size]
    config = esm2.Config(layers, dim, heads, 4 * dim, 33, 1, 1e-5, esm2.TOKEN_DROPOUT_SCALE, True)
    with torch.device("meta"):
        model = esm2.ESM2(config)
    fill(model, device, dtype)
    d = dim // heads
    angle = torch.outer(torch.arange(esm2.MAX_TOKENS), 1e4 ** -(torch.arange(0, d, 2) / d))
    model.rotation = torch.stack((angle.cos(), angle.sin()), dim=-1).to(device, dtype)
    return model.eval()


def random_dnabert_s(device: torch.device, dtype: torch.dtype, small: bool) -> dnabert_s.DNABERTS:
    """DNABERT-S's shape; a fraction of it where `small`."""
    shape = dnabert_s.Config(2, 96, 12, 192, 4096, 1e-12) if small else dnabert_s.Config(12, 768, 12, 3072, 4096, 1e-12)
    with torch.device("meta"):
        model = dnabert_s.DNABERTS(shape)
    fill(model, device, dtype)
    model.slopes = torch.tensor(dnabert_s.alibi_slopes(12), device=device)
    return model.eval()


@torch.no_grad()
def fill(model: torch.nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Random parameters made on the device: linear layers in `dtype`, the rest in fp32, as `load` gives them."""
    generator = torch.Generator(device).manual_seed(0)
    for module in model.modules():
        is_norm, is_linear = isinstance(module, torch.nn.LayerNorm), isinstance(module, torch.nn.Linear)
        for name, parameter in list(module.named_parameters(recurse=False)):
            value = torch.empty(parameter.shape, dtype=dtype if is_linear else torch.float32, device=device)
            if is_norm:
                value.fill_(1.0 if name == "weight" else 0.0)
            else:
                value.normal_(0.0, value.shape[-1] ** -0.5, generator=generator)
            setattr(module, name, torch.nn.Parameter(value, requires_grad=False))


def to_precision(model: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    """The same fp32 model with rounded weights, as `load` rounds them."""
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.to(dtype)
    if isinstance(model, esm2.ESM2):
        model.rotation = model.rotation.to(dtype)
    return model


def peptide_tokens(count: int, lengths: np.ndarray) -> Ragged:
    """Random residues; `lengths` are drawn from, BOS and EOS not counted."""
    rng = np.random.default_rng(0)
    length = rng.choice(lengths, count) + 2
    flat = rng.integers(4, 24, length.sum())
    end = np.cumsum(length)
    flat[end - length], flat[end - 1] = esm2.BOS, esm2.EOS
    return ragged(flat, length)

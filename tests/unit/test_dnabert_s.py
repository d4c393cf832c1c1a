"""DNABERT-S against what its original code gives."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from virnucpro.encoders import dnabert_s


@pytest.fixture(scope="module")
def folder(shared_data, tmp_path_factory) -> Path:
    """The small golden model with the real tokenizer."""
    folder = tmp_path_factory.mktemp("dnabert_s")
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(shared_data / "dnabert_s_golden" / name, folder / name)
    shutil.copyfile(shared_data / "dnabert_s_tokenizer" / "tokenizer.json", folder / "tokenizer.json")
    return folder


@pytest.fixture(scope="module")
def golden(shared_data) -> dict[str, torch.Tensor]:
    return load_file(shared_data / "dnabert_s_golden" / "reference.safetensors")


@pytest.mark.parametrize("tokens", [3, 110, 600])
def test_equals_the_original(folder, golden, tokens):
    model = dnabert_s.load(folder)
    ids = golden[f"ids_{tokens}"][None]
    assert (model.hidden(ids)[0] - golden[f"hidden_{tokens}"]).abs().max() < 1e-4
    assert (model(ids)[0] - golden[f"mean_{tokens}"]).abs().max() < 1e-4


def test_padding_changes_nothing(folder, golden):
    model = dnabert_s.load(folder)
    rows = torch.full((3, 600), 7)
    lengths = torch.tensor([3, 110, 600])
    for row, n in zip(rows, lengths.tolist(), strict=True):
        row[:n] = golden[f"ids_{n}"]
    pooled = model(rows, lengths)
    for row, n in zip(pooled, lengths.tolist(), strict=True):
        assert (row - golden[f"mean_{n}"]).abs().max() < 1e-4


def test_slopes_of_twelve_heads():
    expected = [2**-i for i in range(1, 9)] + [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5]
    assert dnabert_s.alibi_slopes(12) == pytest.approx(expected, abs=0)

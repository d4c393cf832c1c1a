"""DNABERT-S against what its original code gives, and against a second implementation."""

import json
import shutil
from pathlib import Path

import dnabert_reference
import numpy as np
import pytest
import torch
from encoder_folders import save_dnabert_s
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from virnucpro.encoders.dnabert_s import model as dnabert_s
from virnucpro.errors import ModelError


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory) -> Path:
    """The small golden model with the real tokenizer."""
    folder = tmp_path_factory.mktemp("dnabert_s")
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(data / "dnabert_s_golden" / name, folder / name)
    shutil.copyfile(data / "dnabert_s_tokenizer" / "tokenizer.json", folder / "tokenizer.json")
    return folder


@pytest.fixture(scope="module")
def golden(data) -> dict[str, torch.Tensor]:
    return load_file(data / "dnabert_s_golden" / "reference.safetensors")


@pytest.mark.parametrize("tokens", [3, 110, 600])
def test_equals_the_original(folder, golden, tokens):
    model = dnabert_s.load(folder)
    ids = golden[f"ids_{tokens}"][None]
    assert (model.hidden(ids)[0] - golden[f"hidden_{tokens}"]).abs().max() < 1e-4
    assert (model(ids)[0] - golden[f"mean_{tokens}"]).abs().max() < 1e-4


def padded(golden) -> tuple[torch.Tensor, torch.Tensor]:
    """The three golden inputs in one batch, filled up with a token that means something."""
    rows, lengths = torch.full((3, 600), 7), torch.tensor([3, 110, 600])
    for row, n in zip(rows, lengths.tolist(), strict=True):
        row[:n] = golden[f"ids_{n}"]
    return rows, lengths


def test_padding_changes_nothing(folder, golden):
    rows, lengths = padded(golden)
    pooled = dnabert_s.load(folder)(rows, lengths)
    for row, n in zip(pooled, lengths.tolist(), strict=True):
        assert (row - golden[f"mean_{n}"]).abs().max() < 1e-4


class TestControls:
    """What the parity tests have to notice: each of these must fail by far."""

    def test_without_alibi(self, folder, golden, monkeypatch):
        monkeypatch.setattr(dnabert_s, "alibi_slopes", lambda heads: [0.0] * heads)
        model = dnabert_s.load(folder)
        assert (model(golden["ids_110"][None])[0] - golden["mean_110"]).abs().max() > 1e-3

    def test_with_the_slopes_in_another_order(self, folder, golden, monkeypatch):
        slopes = sorted(dnabert_s.alibi_slopes(12))
        monkeypatch.setattr(dnabert_s, "alibi_slopes", lambda heads: slopes)
        model = dnabert_s.load(folder)
        assert (model(golden["ids_110"][None])[0] - golden["mean_110"]).abs().max() > 1e-3

    def test_with_padding_unmasked(self, folder, golden, monkeypatch):
        monkeypatch.setattr(torch.Tensor, "masked_fill", lambda self, mask, value: self)
        rows, lengths = padded(golden)
        pooled = dnabert_s.load(folder)(rows, lengths)
        assert (pooled[1] - golden["mean_110"]).abs().max() > 1e-3

    def test_with_padding_in_the_mean(self, folder, golden):
        rows, lengths = padded(golden)
        mean = dnabert_s.load(folder).hidden(rows, lengths).mean(dim=1)
        assert (mean[1] - golden["mean_110"]).abs().max() > 1e-3


def test_slopes_of_twelve_heads():
    expected = [2**-i for i in range(1, 9)] + [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5]
    assert dnabert_s.alibi_slopes(12) == pytest.approx(expected, abs=0)


@pytest.mark.parametrize("heads", range(1, 41))
def test_slopes_of_any_number_of_heads(heads):
    assert dnabert_s.alibi_slopes(heads) == pytest.approx(dnabert_reference.slopes(heads), rel=1e-12)


def test_the_second_implementation_equals_the_original(folder, golden):
    """So that the next test compares with something worth comparing with."""
    state = load_arrays(folder / "model.safetensors")
    ours = dnabert_reference.hidden(golden["ids_110"].numpy(), state, layers=3, heads=12)
    assert np.abs(ours - golden["hidden_110"].numpy()).max() < 1e-4


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 6, 12])
def test_equals_a_second_implementation(tmp_path, heads):
    folder = save_dnabert_s(tmp_path, layers=2, dim=24, heads=heads, seed=heads)
    state = load_arrays(folder / "model.safetensors")
    rng = np.random.default_rng(heads)
    for layer in (0, 1, "last"):
        model = dnabert_s.load(folder, layer)
        for length in (3, 17, 200):
            ids = rng.integers(0, model.config.vocabulary, length)
            expected = dnabert_reference.hidden(ids, state, 2 if layer == "last" else layer, heads)
            assert np.abs(model.hidden(torch.from_numpy(ids)[None])[0].numpy() - expected).max() < 1e-4


@pytest.mark.parametrize(
    "sequence",
    ["A", "ACGT" * 125, "ACGTN" + "N" * 300 + "TTGA", "N" * 500, "ACGTRYKMSWACG", "ACG" * 3000, "GATTACA-NNACG*T"],
    ids=["one", "chunk", "run of N", "only N", "ambiguity codes", "9,000 bases", "odd letters"],
)
def test_tokens_equal_those_of_transformers(folder, sequence):
    """Which is what VirNucPro calls: no truncation, no padding, though the file asks for both."""
    from transformers import PreTrainedTokenizerFast

    theirs = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), unk_token="[UNK]")
    expected = theirs(sequence, truncation=False, padding=False)["input_ids"]
    tokens = dnabert_s.load(folder, 0).tokenize([sequence, "ACGT"])
    assert tokens.flat[: tokens.length[0]].tolist() == expected


@pytest.mark.parametrize(("dtype", "least"), [(torch.float16, 0.99999), (torch.bfloat16, 0.9995)])
def test_half_precision_stays_close(folder, golden, dtype, least):
    model = dnabert_s.load(folder, dtype=dtype)
    for n in (3, 110, 600):
        pooled = model(golden[f"ids_{n}"][None])[0]
        assert pooled.dtype is torch.float32
        assert torch.cosine_similarity(pooled, golden[f"mean_{n}"], dim=0) > least


def test_errors_name_the_file(tmp_path):
    folder = save_dnabert_s(tmp_path)
    tokenizer = (folder / "tokenizer.json").read_text(encoding="utf-8")
    (folder / "tokenizer.json").write_text(tokenizer[:-100], encoding="utf-8")
    with pytest.raises(ModelError, match=r"tokenizer\.json: cannot be read"):
        dnabert_s.load(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json: is missing"):
        dnabert_s.load(folder)
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 10}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"a token of number \d+, config\.json allows 10 tokens"):
        dnabert_s.load(folder)
    # Numbers may have gaps: a token beyond the embedding table would end a GPU task as a fault of the GPU.
    few = Tokenizer(WordLevel({"A": 0, "C": 12}, unk_token="A"))
    few.save(str(folder / "tokenizer.json"))
    with pytest.raises(ModelError, match=r"a token of number 12, config\.json allows 10 tokens"):
        dnabert_s.load(folder)
    del config["intermediate_size"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match=r"intermediate_size is None, a positive whole number is needed"):
        dnabert_s.load(folder)

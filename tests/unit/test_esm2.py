"""ESM-2 against fair-esm with the same weights."""

import numpy as np
import pytest
import torch
from encoder_folders import RESIDUES, fair_esm, save_esm2

from virnucpro.encoders import esm2

LENGTHS = (1, 2, 20, 165, 166, 300, 1023, 1024, 1025, 1400)


@pytest.fixture(scope="module")
def reference():
    return fair_esm(4, 80, 20)


@pytest.fixture(scope="module")
def folder(reference, tmp_path_factory):
    return save_esm2(reference, tmp_path_factory.mktemp("esm2"))


@pytest.fixture(scope="module")
def peptides():
    rng = np.random.default_rng(0)
    letters = list(RESIDUES + "XBUZO")
    return ["".join(rng.choice(letters, n)) for n in LENGTHS] + ["X" * 50, "MKV.-BZ"]


@pytest.fixture(scope="module")
def expected(reference, peptides):
    """Per layer: fair-esm's output for each peptide alone, as extract.py cuts it at 1,024 residues."""
    convert = reference.alphabet.get_batch_converter(1024)
    layers = range(reference.num_layers + 1)
    rows = []
    for peptide in peptides:
        tokens = convert([("x", peptide)])[2]
        output = reference(tokens, repr_layers=layers)["representations"]
        rows.append({layer: output[layer][0] for layer in layers})
    return rows


@pytest.mark.parametrize("layer", ["last", 4, 3, 1, 0])
def test_equals_fair_esm(folder, peptides, expected, layer):
    model = esm2.load(folder, layer)
    number = 4 if layer == "last" else layer
    tokens = model.tokenize(peptides)
    width = int(tokens.length.max())
    padded = model(
        torch.from_numpy(tokens.rows(np.arange(len(peptides)), width, model.pad)), torch.from_numpy(tokens.length)
    )
    for i, output in enumerate(expected):
        alone = torch.from_numpy(tokens.rows(np.array([i]), int(tokens.length[i]), model.pad))
        pooled = output[number][1:-1].mean(0)
        assert (model.hidden(alone)[0] - output[number]).abs().max() < 1e-5
        assert (model(alone)[0] - pooled).abs().max() < 1e-5
        assert (padded[i] - pooled).abs().max() < 1e-5


def test_tokens_equal_fair_esm(reference, folder, peptides):
    convert = reference.alphabet.get_batch_converter(1024)
    tokens = esm2.load(folder, 0).tokenize(peptides)
    theirs = convert([("x", p) for p in peptides])[2].numpy()
    ours = tokens.rows(np.arange(len(peptides)), theirs.shape[1], reference.padding_idx)
    assert (ours == theirs).all()

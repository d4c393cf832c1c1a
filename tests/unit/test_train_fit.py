"""The pieces of a training, each against numpy, torch or the reader that CLASSIFY uses."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from virnucpro.errors import InputError
from virnucpro.mlp import Mlp
from virnucpro.training.data import Dataset
from virnucpro.training.fit import Settings, fit, log_loss, moments
from virnucpro.training.network import Network, probabilities, save
from virnucpro.training.split import split_groups


def test_moments_are_numpys():
    features = np.random.default_rng(1).normal(1000, [1, 1e-3, 30], (9000, 3)).astype(np.float32)
    features[:, 2] = 7
    rows = np.arange(0, 9000, 2)
    mean, deviation = moments(features, rows)
    np.testing.assert_allclose(mean, features[rows].mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(deviation[:2], features[rows].std(axis=0, dtype=np.float64)[:2], rtol=1e-3)
    assert deviation[2] == 1  # constant


def test_log_loss_is_torchs():
    random = np.random.default_rng(2)
    logits, labels = torch.tensor(random.normal(0, 2, (50, 2))), random.integers(0, 2, 50)
    weights = np.array([0.7, 1.9])
    expected = F.cross_entropy(logits, torch.tensor(labels), weight=torch.tensor(weights)).item()
    assert log_loss(torch.softmax(logits, 1).numpy(), labels, weights) == pytest.approx(expected, rel=1e-9)


def test_written_weights_read_features_as_they_are(tmp_path):
    """Standardisation is folded into the first layer: CLASSIFY's numpy MLP on raw features gives torch's result."""
    torch.manual_seed(3)
    random = np.random.default_rng(3)
    features = (random.normal(0, 1, (64, 10)) * 10.0 ** random.integers(-2, 3, 10) + 5).astype(np.float32)
    network = Network(*moments(features, np.arange(64)))
    network.train()
    for _ in range(20):  # so that batch normalisation has statistics of its own
        network(torch.from_numpy(features))
    network.eval()
    save(network, tmp_path / "model.safetensors")
    expected = torch.softmax(network(torch.from_numpy(features)), 1).detach().numpy()
    np.testing.assert_allclose(Mlp(tmp_path)(features), expected, atol=1e-5)
    np.testing.assert_allclose(probabilities(network, features, np.arange(5, 9)), expected[5:9], atol=1e-6)


def test_learns_what_can_be_learnt_and_stops():
    random = np.random.default_rng(4)
    labels = random.integers(0, 2, 800)
    features = random.normal(0, 1, (800, 8)).astype(np.float32)
    features[:, 3] += 3 * labels  # two normal distributions 3 deviations apart: AUC = Phi(3 / sqrt(2)) = 0.983
    result = fit(features, labels, np.arange(600), np.arange(600, 800), Settings(epochs=60, patience=5))
    assert result.best_epoch <= len(result.history) <= min(60, result.best_epoch + 5)
    assert result.history[result.best_epoch - 1]["validation_auc"] == pytest.approx(0.983, abs=0.015)
    assert result.history[result.best_epoch - 1]["validation_loss"] == min(r["validation_loss"] for r in result.history)


def dataset(groups, labels, splits=None):
    n = len(groups)
    rows = np.arange(n)
    splits = np.array(splits or [""] * n, dtype=object)
    features = np.zeros((n, 1), dtype=np.float32)
    return Dataset(
        features, rows, rows, np.full(n, 500), np.array(labels), np.array(groups, dtype=object), splits, (), 500, 0
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=20, max_size=60), st.integers(0, 99), st.randoms())
def test_split_keeps_groups_whole_and_shares_right(sizes, seed, random):
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    labels = [i % 2 for i, size in enumerate(sizes) for _ in range(size)]
    order = random.sample(range(len(groups)), len(groups))
    try:
        side = split_groups(dataset(groups, labels), 0.2, 0.3, seed).side
    except InputError:  # one large group can fill two sides' share
        return
    again = split_groups(dataset([groups[i] for i in order], [labels[i] for i in order]), 0.2, 0.3, seed).side
    assert side[order].tolist() == again.tolist()  # the order of the input does not matter
    sides = {}
    for group, s in zip(groups, side, strict=True):
        assert sides.setdefault(group, s) == s
    for label in (0, 1):
        of = side[np.array(labels) == label]
        assert abs((of == 2).mean() - 0.3) * len(of) <= max(sizes)
        assert abs((of == 1).mean() - 0.2) * len(of) <= 2 * max(sizes)


def test_split_given_with_the_labels_stays():
    groups, labels = [f"g{i}" for i in range(40)], [0, 1] * 20
    splits = ["test"] * 10 + [""] * 30
    side = split_groups(dataset(groups, labels, splits), 0.3, 0, 1).side
    assert (side[:10] == 2).all() and not (side[10:] == 2).any()


def test_split_without_enough_genomes_says_so():
    with pytest.raises(InputError, match="the validation set has no open frame of a sequence labelled others"):
        split_groups(dataset(["a", "b", "c", "d"], [0, 0, 1, 1], ["train", "test", "train", "validation"]), 0, 0, 1)

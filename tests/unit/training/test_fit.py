"""The pieces of a training, each against numpy, torch or the reader that CLASSIFY uses."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from virnucpro.calling.mlp import Mlp
from virnucpro.training.fit import fit, log_loss, moments
from virnucpro.training.network import Network, save
from virnucpro.training.pack import FeatureRows
from virnucpro.training.recipes import RECIPES, Recipe
from virnucpro.training.stream import Stream


def stream(path, features: np.ndarray, label: np.ndarray, batch: int = 256) -> Stream:
    path.write_bytes(features.astype(np.float32).tobytes())
    n = len(features)
    return Stream(FeatureRows(path, features.shape[1], label.astype(np.int8), np.arange(n), np.ones(n)), batch, 1 << 24)


def test_moments_are_numpys(tmp_path):
    features = np.random.default_rng(1).normal(1000, [1, 1e-3, 30], (9000, 3)).astype(np.float32)
    features[:, 2] = 7
    mean, deviation = moments(stream(tmp_path / "x", features, np.zeros(9000)), Recipe())
    np.testing.assert_allclose(mean, features.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(deviation[:2], features.std(axis=0, dtype=np.float64)[:2], rtol=1e-3)
    assert deviation[2] == 1  # constant


def test_log_loss_is_torchs():
    random = np.random.default_rng(2)
    logits, labels = torch.tensor(random.normal(0, 2, (50, 2))), random.integers(0, 2, 50)
    weights = np.array([0.7, 1.9])
    expected = F.cross_entropy(logits, torch.tensor(labels), weight=torch.tensor(weights)).item()
    assert log_loss(torch.softmax(logits, 1).numpy(), labels, weights) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("members", [1, 8])
def test_written_weights_read_features_as_they_are(tmp_path, members):
    """Standardisation and members are folded into VirNucPro's MLP: CLASSIFY's numpy gives torch's result."""
    torch.manual_seed(3)
    random = np.random.default_rng(3)
    features = (random.normal(0, 1, (64, 10)) * 10.0 ** random.integers(-2, 3, 10) + 5).astype(np.float32)
    network = Network(*moments(stream(tmp_path / "x", features, np.zeros(64)), Recipe()), members)
    network.train()
    for _ in range(20):  # so that batch normalisation has statistics of its own
        network(torch.from_numpy(features))
    network.eval()
    save(network, tmp_path / "model.safetensors")
    expected = torch.softmax(network(torch.from_numpy(features)), 1).detach().numpy()
    np.testing.assert_allclose(Mlp(tmp_path)(features), expected, atol=1e-5)


@pytest.mark.parametrize("recipe", RECIPES)
def test_learns_what_can_be_learnt_and_stops(tmp_path, recipe):
    random = np.random.default_rng(4)
    label = random.integers(0, 2, 800)
    features = random.normal(0, 1, (800, 8))
    features[:, 3] += 3 * label  # two normal distributions 3 deviations apart: AUROC = Phi(3 / sqrt(2)) = 0.983
    parts = [stream(tmp_path / n, features[a:b], label[a:b], 32) for n, a, b in (("train", 0, 600), ("val", 600, 800))]
    how = Recipe(**vars(RECIPES[recipe]) | {"epochs": 60, "patience": 5})
    result = fit(*parts, how, seed=1)
    assert result.best_epoch <= len(result.history) <= min(60, result.best_epoch + 5)
    assert result.history[result.best_epoch - 1]["validation_auroc"] == pytest.approx(0.983, abs=0.02)
    assert result.history[result.best_epoch - 1]["validation_loss"] == min(r["validation_loss"] for r in result.history)


def test_virnucpros_recipe_is_the_published_one():
    published = {"optimiser": "sgd", "learning_rate": 2e-4, "momentum": 0.9, "batch_size": 32, "dropout": 0.5}
    published |= {"decay": 0.85, "decay_every": 10, "members": 1, "standardise": False, "rule": "best"}
    assert published.items() <= vars(RECIPES["virnucpro"]).items()

"""Training: AdamW on cross entropy, stopped early by the validation set. Equal input on one machine, equal weights."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from virnucpro.training.evaluate import auc
from virnucpro.training.network import BATCH, Network, probabilities


@dataclass(frozen=True)
class Settings:
    """Of one training. `patience`: epochs without a better validation loss.

    `class_weight`: with `balanced` both classes weigh the same however many frames each has, with `none` every frame.
    """

    learning_rate: float = 3e-4
    weight_decay: float = 1e-3
    batch_size: int = 256
    epochs: int = 200
    patience: int = 20
    class_weight: str = "balanced"
    seed: int = 1


@dataclass(frozen=True)
class Fit:
    """A trained network, as it was after its best epoch, and one row of figures per epoch."""

    network: Network
    best_epoch: int
    history: list[dict]


def fit(
    features: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    settings: Settings,
    device: str = "cpu",
    say: Callable[[str], None] = lambda _: None,
) -> Fit:
    """Train on the rows `train` (int64) of features float32 [frames, in] and labels int64 [frames].

    The epoch with the lowest loss on the rows `validation` is kept. A last batch of one row is left out of its epoch,
    since batch normalisation needs two.
    """
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)
    network = Network(*moments(features, train)).to(device)
    target = torch.from_numpy(labels).to(device)
    weights = {name: class_weights(labels[rows], settings) for name, rows in (("train", train), ("val", validation))}
    weight = weights["train"].to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    random = np.random.default_rng(settings.seed)
    best_loss, best_epoch, best_state = float("inf"), 0, network.state_dict()
    history: list[dict] = []
    for epoch in range(1, settings.epochs + 1):
        network.train()
        order, total = random.permutation(train), 0.0
        for first in range(0, len(order) - 1, settings.batch_size):
            rows = order[first : first + settings.batch_size]
            if len(rows) < 2:
                continue
            optimiser.zero_grad(set_to_none=True)
            x = torch.from_numpy(features[rows]).to(device)
            loss = F.cross_entropy(network(x), target[torch.from_numpy(rows).to(device)], weight=weight)
            loss.backward()
            optimiser.step()
            total += loss.item() * len(rows)
        p = probabilities(network, features, validation)
        loss = log_loss(p, labels[validation], weights["val"].numpy())
        row = {"epoch": epoch, "train_loss": round(total / len(order), 5), "validation_loss": round(loss, 5)}
        row["validation_auc"] = round(auc(p[:, 1], labels[validation]), 5)
        history.append(row)
        say("  ".join(f"{k} {v}" for k, v in row.items()))
        if loss < best_loss:
            best_loss, best_epoch, best_state = loss, epoch, copy.deepcopy(network.state_dict())
        elif epoch - best_epoch >= settings.patience:
            break
    network.load_state_dict(best_state)
    return Fit(network, best_epoch, history)


def moments(features: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of some rows, float32 [in] each, added up in float64 without a copy of them all.

    A feature that never changes gets the deviation 1, so that it stays harmless.
    """
    total = np.zeros(features.shape[1])
    square = np.zeros(features.shape[1])
    centre = features[rows[0]].astype(np.float64)  # near the mean: then the difference below loses no digits
    for first in range(0, len(rows), BATCH):
        part = features[rows[first : first + BATCH]] - centre
        total += part.sum(axis=0)
        square += (part * part).sum(axis=0)
    mean = total / len(rows)
    deviation = np.sqrt(np.maximum(square / len(rows) - mean * mean, 0))
    deviation[deviation < 1e-6] = 1
    return (mean + centre).astype(np.float32), deviation.astype(np.float32)


def class_weights(labels: np.ndarray, settings: Settings) -> torch.Tensor:
    """Weight of a frame of each class, float32 [2]."""
    if settings.class_weight == "none":
        return torch.ones(2)
    return torch.from_numpy((len(labels) / (2 * np.bincount(labels, minlength=2))).astype(np.float32))


def log_loss(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Mean cross entropy, weighted by class, as torch's cross_entropy defines it."""
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    weight = weights[labels].astype(np.float64)
    return float(-(np.log(np.maximum(right, 1e-12)) * weight).sum() / weight.sum())

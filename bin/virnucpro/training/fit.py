"""Training, stopped early by the validation set. Equal input on one machine, equal weights."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from virnucpro.evaluation.figures import Judged, auroc
from virnucpro.training.network import Network
from virnucpro.training.recipes import Recipe
from virnucpro.training.stream import Stream


@dataclass(frozen=True)
class Fit:
    """A trained network, as it was after its best epoch, and one row of figures per epoch."""

    network: Network
    best_epoch: int
    history: list[dict]


def fit(
    train: Stream, validation: Stream, recipe: Recipe, seed: int, say: Callable[[str], None] = lambda _: None
) -> Fit:
    """Train on the frames of `train`; the epoch with the lowest loss on those of `validation` is kept."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    network = Network(*moments(train, recipe), recipe.members, recipe.dropout)
    label = train.rows.label.astype(np.int64)
    weight = class_weights(label, recipe)
    expected = class_weights(validation.rows.label, recipe).numpy()
    optimiser = optimiser_of(network, recipe)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, recipe.decay_every, recipe.decay)
    random = np.random.default_rng(seed)
    best_loss, best_epoch, best_state = float("inf"), 0, network.state_dict()
    history: list[dict] = []
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        total = 0.0
        for features, rows in train.shuffled(random):
            optimiser.zero_grad(set_to_none=True)
            logits_BMC = network.of_members(torch.from_numpy(features))
            target_BM = torch.from_numpy(label[rows])[:, None].expand(-1, recipe.members)
            loss = F.cross_entropy(
                logits_BMC.flatten(0, 1), target_BM.flatten(), weight=weight, label_smoothing=recipe.smoothing
            )
            loss.backward()
            optimiser.step()
            total += loss.item() * len(rows)
        schedule.step()
        p = probabilities(network, validation)
        loss = log_loss(p, validation.rows.label, expected)
        row = {"epoch": epoch, "train_loss": round(total / len(label), 5), "validation_loss": round(loss, 5)}
        row["validation_auroc"] = round(auroc_of(p[:, 1], validation.rows.label), 5)
        history.append(row)
        say("  ".join(f"{k} {v}" for k, v in row.items()))
        if loss < best_loss:
            best_loss, best_epoch, best_state = loss, epoch, copy.deepcopy(network.state_dict())
        elif epoch - best_epoch >= recipe.patience:
            break
    network.load_state_dict(best_state)
    return Fit(network, best_epoch, history)


def optimiser_of(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            network.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
        )
    return torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)


def moments(stream: Stream, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the features, float32 [in] each, added up in float64; 0 and 1 where the recipe
    takes features as they are. A feature that never changes gets the deviation 1, so that it stays harmless."""
    width = stream.rows.width
    if not recipe.standardise:
        return np.zeros(width, dtype=np.float32), np.ones(width, dtype=np.float32)
    total, square, centre = np.zeros(width), np.zeros(width), None
    for features, _ in stream.in_order():
        centre = features[0].astype(np.float64) if centre is None else centre  # near the mean: no digits are lost below
        part = features - centre
        total += part.sum(axis=0)
        square += (part * part).sum(axis=0)
    mean = total / len(stream.rows)
    deviation = np.sqrt(np.maximum(square / len(stream.rows) - mean * mean, 0))
    deviation[deviation < 1e-6] = 1
    return (mean + centre).astype(np.float32), deviation.astype(np.float32)


@torch.inference_mode()
def probabilities(network: Network, stream: Stream) -> np.ndarray:
    """Probabilities of (other, virus), float32 [rows, 2]."""
    network.eval()
    parts = [torch.softmax(network(torch.from_numpy(x)), dim=1).numpy() for x, _ in stream.in_order()]
    return np.concatenate(parts)


def class_weights(label: np.ndarray, recipe: Recipe) -> torch.Tensor:
    """Weight of a frame of each label, float32 [2]."""
    if not recipe.balance:
        return torch.ones(2)
    return torch.from_numpy((len(label) / (2 * np.bincount(label, minlength=2))).astype(np.float32))


def log_loss(probabilities: np.ndarray, label: np.ndarray, weights: np.ndarray) -> float:
    """Mean cross entropy, weighted by class, as torch's cross_entropy defines it."""
    right = probabilities[np.arange(len(label)), label].astype(np.float64)
    weight = weights[label].astype(np.float64)
    return float(-(np.log(np.maximum(right, 1e-12)) * weight).sum() / weight.sum())


def auroc_of(score: np.ndarray, label: np.ndarray) -> float:
    """Of frames, all of which have an answer."""
    n = len(label)
    return auroc(*Judged(score, score >= 0.5, np.ones(n, dtype=bool), label, np.arange(n)).counted())

"""Training: Adam on class-balanced cross entropy, stopped early on the validation set. Equal input, equal weights."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from virnucpro.training.evaluate import auc
from virnucpro.training.network import Network, probabilities


@dataclass(frozen=True)
class Settings:
    """Of one training. Fractions are of the sequences; `patience` in epochs without a better validation loss."""

    learning_rate: float = 3e-4
    weight_decay: float = 1e-3
    batch_size: int = 256
    epochs: int = 200
    patience: int = 20
    seed: int = 1


@dataclass
class Fit:
    """A trained network, and the mean and deviation by which its features were standardised."""

    network: Network
    mean: np.ndarray  # float32 [in]
    deviation: np.ndarray  # float32 [in]
    best_epoch: int = 0
    history: list[dict] = field(default_factory=list)

    def standardise(self, features: np.ndarray) -> torch.Tensor:
        return torch.from_numpy((features - self.mean) / self.deviation)


def fit(
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    settings: Settings,
    say: Callable[[str], None] = lambda _: None,
) -> Fit:
    """Train on (features float32 [frames, in], labels int64 [frames]); keep the epoch with the best validation loss.

    Both classes weigh the same, however many frames each has. Batches of one are left out (batch norm needs two).
    """
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)
    mean = train[0].mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = np.maximum(train[0].std(axis=0, dtype=np.float64), 1e-6).astype(np.float32)
    result = Fit(Network(train[0].shape[1]), mean, deviation)
    network = result.network
    x, y = result.standardise(train[0]), torch.from_numpy(train[1])
    vx, vy = result.standardise(validation[0]), torch.from_numpy(validation[1])
    weight, vweight = _balance(train[1]), _balance(validation[1])
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    order = torch.Generator().manual_seed(settings.seed)
    best, kept = float("inf"), copy.deepcopy(network.state_dict())
    for epoch in range(1, settings.epochs + 1):
        network.train()
        total = 0.0
        for rows in torch.randperm(len(x), generator=order).split(settings.batch_size):
            if len(rows) < 2:
                continue
            optimiser.zero_grad(set_to_none=True)
            loss = F.cross_entropy(network(x[rows]), y[rows], weight=weight)
            loss.backward()
            optimiser.step()
            total += loss.item() * len(rows)
        p = probabilities(network, vx)
        loss = F.nll_loss(torch.from_numpy(p).clamp_min(1e-12).log(), vy, weight=vweight).item()
        row = {"epoch": epoch, "train_loss": round(total / len(x), 5), "validation_loss": round(loss, 5)}
        row["validation_auc"] = round(auc(p[:, 1], validation[1]), 5)
        result.history.append(row)
        say("  ".join(f"{k} {v}" for k, v in row.items()))
        if loss < best:
            best, kept, result.best_epoch = loss, copy.deepcopy(network.state_dict()), epoch
        elif epoch - result.best_epoch >= settings.patience:
            break
    network.load_state_dict(kept)
    return result


def _balance(labels: np.ndarray) -> torch.Tensor:
    """Weight of each class: all frames of one together weigh as much as all of the other."""
    counts = np.bincount(labels, minlength=2)
    return torch.from_numpy((len(labels) / (2 * counts)).astype(np.float32))

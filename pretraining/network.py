"""The network: features of a stretch to the logits of five classes. Several small ones side by side make one.

One member is Linear, batch norm, ReLU, Linear (the encoder, ending in its share of the embedding), then Linear, batch
norm, ReLU, Linear (the classifier). Members train apart, each on a part of the stretches drawn for it, and are joined
block by block: the joined network's logits are the mean of theirs.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pretraining.corpus import CLASSES, EUKARYOTE, NONCODING, PHAGE, PROKARYOTE, VIRUS
from pretraining.stages import say
from virnucpro.encoders.composition.description import RESIDUES

GAPS = (1, 2, 3, 4, 5)
PAIRS = len(RESIDUES) ** 2
COUNTED = len(RESIDUES) + PAIRS * len(GAPS)
BLOCK = 4096  # stretches


def count_residues(peptides: np.ndarray) -> np.ndarray:
    """uint8 [n, COUNTED]: residues, and pairs of residues at GAPS. peptides: uint8 [n, width], 20 and more: nothing."""
    k = len(RESIDUES)
    x, rows = np.minimum(peptides, k).astype(np.int32), np.arange(len(peptides), dtype=np.int32)[:, None]
    out = np.empty((len(x), COUNTED), dtype=np.uint8)
    out[:, :k] = np.bincount((rows * (k + 1) + x).ravel(), minlength=len(x) * (k + 1)).reshape(len(x), -1)[:, :k]
    for i, gap in enumerate(GAPS):
        pair = np.where((x[:, :-gap] < k) & (x[:, gap:] < k), x[:, :-gap] * k + x[:, gap:], PAIRS)
        found = np.bincount((rows * (PAIRS + 1) + pair).ravel(), minlength=len(x) * (PAIRS + 1))
        out[:, k + PAIRS * i : k + PAIRS * (i + 1)] = found.reshape(len(x), -1)[:, :PAIRS]
    return out


def features(counts: np.ndarray, residues: np.ndarray, statistics: np.ndarray) -> np.ndarray:
    """float32 [n, features], in the encoder's order and scale (encoders/composition/features.py)."""
    length = np.maximum(residues, 1).astype(np.float32)[:, None]
    out = np.empty((len(counts), COUNTED + 1 + statistics.shape[1]), dtype=np.float32)
    out[:, :COUNTED] = counts
    out[:, : len(RESIDUES)] *= 4 / length
    for i, gap in enumerate(GAPS):
        at = len(RESIDUES) + PAIRS * i
        out[:, at : at + PAIRS] *= 20 / np.maximum(length - gap, 1)
    out[:, COUNTED] = np.log(length[:, 0] / 100)
    out[:, COUNTED + 1 :] = statistics
    return out


@dataclass(frozen=True)
class Recipe:
    """How one member is trained."""

    hidden: int = 256
    embedding: int = 16
    head: int = 128
    dropout: float = 0.3
    rate: float = 3e-3  # the highest, reached after a fifth of the steps
    decay: float = 1e-2
    batch: int = 512
    smoothing: float = 0.05
    share: float = 0.5  # of the stretches, drawn for this member


class Member(nn.Module):
    def __init__(self, mean: np.ndarray, scale: np.ndarray, recipe: Recipe):
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)))
        self.register_buffer("scale", torch.from_numpy(scale.astype(np.float32)))
        self.hidden = nn.Linear(len(mean), recipe.hidden)
        self.hidden_norm = nn.BatchNorm1d(recipe.hidden)
        self.embedding = nn.Linear(recipe.hidden, recipe.embedding)
        self.head = nn.Linear(recipe.embedding, recipe.head)
        self.head_norm = nn.BatchNorm1d(recipe.head)
        self.output = nn.Linear(recipe.head, len(CLASSES))
        self.dropout = nn.Dropout(recipe.dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.dropout(torch.relu(self.hidden_norm(self.hidden((x - self.mean) / self.scale))))
        return self.output(torch.relu(self.head_norm(self.head(self.embedding(h)))))


def logit_of_virus(logits: np.ndarray) -> np.ndarray:
    """float [n]: of the two kinds of virus together against the two of hosts. logits: float [n, classes]."""
    return np.logaddexp(logits[:, PHAGE], logits[:, VIRUS]) - np.logaddexp(logits[:, PROKARYOTE], logits[:, EUKARYOTE])


def logit_of_coding(logits: np.ndarray) -> np.ndarray:
    """float [n]: of the four kinds of genes together against DNA that codes for nothing."""
    return np.logaddexp.reduce(logits[:, :NONCODING], axis=1) - logits[:, NONCODING]


def train_member(data: dict[str, np.ndarray], recipe: Recipe, seed: int) -> Member:
    """Train one member, once over its share of the stretches. data: peptide, residues, statistics, kind, by row.

    The composition's scale is left as it is; the statistics are standardised.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    n = int(recipe.share * len(data["kind"]))
    rows = rng.permutation(len(data["kind"]))[:n]
    sample = np.sort(rows[:50_000])
    s = data["statistics"][sample].astype(np.float32)
    mean = np.concatenate([np.zeros(COUNTED + 1), s.mean(axis=0)])
    scale = np.concatenate([np.ones(COUNTED + 1), s.std(axis=0) + 1e-6])
    member = Member(mean, scale, recipe)
    optimiser = torch.optim.AdamW(member.parameters(), recipe.rate, weight_decay=recipe.decay)
    steps = n // recipe.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=steps + 1, pct_start=0.2)
    loss_of = nn.CrossEntropyLoss(label_smoothing=recipe.smoothing)
    running = 0.0
    for step in range(steps):
        at = np.sort(rows[step * recipe.batch : (step + 1) * recipe.batch])
        x = features(count_residues(data["peptide"][at]), data["residues"][at], data["statistics"][at])
        kind = torch.from_numpy(data["kind"][at].astype(np.int64))
        loss = loss_of(member(torch.from_numpy(x)), kind)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        running += (loss.item() - running) / min(step + 1, 200)
        if step % 1000 == 999:
            say(f"seed {seed}: {step + 1:,} of {steps:,} steps, loss {running:.3f}")
    return member.eval()


def save_member(path: Path, member: Member) -> None:
    """Write a member so that `path` is whole or absent."""
    part = path.with_suffix(".part")
    torch.save(member.state_dict(), part)
    part.replace(path)


def load_member(path: Path, recipe: Recipe) -> Member:
    """A member as `save_member` wrote it."""
    state = torch.load(path, weights_only=True)
    member = Member(state["mean"].numpy(), state["scale"].numpy(), recipe)
    member.load_state_dict(state)
    return member.eval()


@torch.no_grad()
def logits_of(members: list[Member], peptides: np.ndarray, residues: np.ndarray, describe) -> np.ndarray:
    """float32 [n, classes], the mean of the members'. describe: statistics of peptides (uint8 [n, width])."""
    out = np.zeros((len(peptides), len(CLASSES)), dtype=np.float32)
    rows = np.flatnonzero(residues)
    for first in range(0, len(rows), BLOCK):
        at = rows[first : first + BLOCK]
        x = torch.from_numpy(features(count_residues(peptides[at]), residues[at], describe(peptides[at])))
        out[at] = np.mean([m(x).numpy() for m in members], axis=0)
    return out

"""How well scores tell the classes apart: per frame, per chunk, per sequence, each with an interval over genomes."""

import numpy as np

from virnucpro.training.data import Dataset

RESAMPLES = 500


def auc(score: np.ndarray, label: np.ndarray) -> float:
    """Area under the ROC curve: how often a virus (label 1) scores above an other (0), ties counting half."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # mean rank of equal scores, from 1
    positive = int((label == 1).sum())
    negative = len(label) - positive
    if not positive or not negative:
        return float("nan")
    return float((rank[label == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def evaluate(data: Dataset, frames: np.ndarray, probabilities: np.ndarray, seed: int = 1) -> dict:
    """AUC, sensitivity and specificity of the given frames' probabilities (float32 [frames, 2]), at three levels.

    frame: call by argmax. chunk: the share of its best virus score in the sum of its best scores for both classes,
    which is 0.5 and above where VirNucPro calls it virus. sequence: virus_score (mean over scored chunks, weighted by
    length, of the chunk's score), called from 0.5 on.
    """
    other, virus = probabilities[:, 0], probabilities[:, 1]
    levels = {"frame": (virus, virus > other, data.frame_sequence[frames])}
    chunks, first = np.unique(data.frame_chunk[frames], return_index=True)
    best, best_other = np.maximum.reduceat(virus, first), np.maximum.reduceat(other, first)
    owner = data.chunk_sequence[chunks]
    share = best / (best.astype(np.float64) + best_other)
    levels["chunk"] = (share, best >= best_other, owner)
    sequences, member = np.unique(owner, return_inverse=True)
    length = data.chunk_length[chunks].astype(np.float64)
    score = np.bincount(member, share * length) / np.bincount(member, length)
    levels["sequence"] = (score, score >= 0.5, sequences)
    return {name: _level(data, *level, seed) for name, level in levels.items()}


def _level(data: Dataset, score: np.ndarray, called: np.ndarray, sequence: np.ndarray, seed: int) -> dict:
    label = data.sequence_label[sequence]
    low, high = _interval(score, label, data.sequence_group[sequence], seed)
    return {
        "auc": round(auc(score, label), 4),
        "auc_95": [round(low, 4), round(high, 4)],
        "sensitivity": round(float(called[label == 1].mean()), 4),
        "specificity": round(float(1 - called[label == 0].mean()), 4),
        "virus": int((label == 1).sum()),
        "others": int((label == 0).sum()),
    }


def _interval(score: np.ndarray, label: np.ndarray, group: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % interval of the AUC when whole groups are drawn again with replacement, class by class (bootstrap)."""
    random = np.random.default_rng(seed)
    _, member = np.unique(group.astype(str), return_inverse=True)
    rows = np.split(np.argsort(member, kind="stable"), np.cumsum(np.bincount(member))[:-1])
    classes = [[r for r in rows if label[r[0]] == c] for c in (0, 1)]
    values = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([c[i] for c in classes for i in random.integers(len(c), size=len(c))])
        values.append(auc(score[drawn], label[drawn]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)

"""What a classifier has to beat: models of a minute, on how often a sequence has each word of four bases and each
amino acid."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from virnucpro.frames.chunks import Chunks
from virnucpro.frames.stretches import longest_stretches

WORD = 4
AMINO_ACIDS = b"ACDEFGHIKLMNPQRSTVWY"
MOST = 40_000  # sequences that a baseline learns from: more change its figures by less than their intervals
NAMES = {"mlp": "4-mer + amino acid MLP", "logistic": "4-mer + amino acid logistic regression"}

_CODE = np.full(256, 255, dtype=np.uint8)
_CODE[np.frombuffer(b"ACGT", dtype=np.uint8)] = range(4)
_ALL = np.arange(4**WORD)
_DIGITS = np.stack([_ALL // 4**i % 4 for i in range(WORD)], axis=1)  # last letter first
_REVERSED = ((3 - _DIGITS) * 4 ** np.arange(WORD)[::-1]).sum(axis=1)
_CANONICAL, _COLUMN = np.unique(np.minimum(_ALL, _REVERSED), return_inverse=True)  # 136 words of either strand


def composition(sequence: bytes) -> np.ndarray:
    """Shares of the 136 words of four bases (of either strand), and of the 20 amino acids in the longest part without
    a stop of its six frames; float32 [156]. sequence: upper case."""
    code = _CODE[np.frombuffer(sequence, dtype=np.uint8)]
    out = np.zeros(len(_CANONICAL) + len(AMINO_ACIDS), dtype=np.float32)
    if len(code) >= WORD:
        windows = np.lib.stride_tricks.sliding_window_view(code, WORD)
        known = (windows < 4).all(axis=1)
        number = (windows[known].astype(np.int64) * 4 ** np.arange(WORD)[::-1]).sum(axis=1)
        counts = np.bincount(_COLUMN[number], minlength=len(_CANONICAL))
        out[: len(_CANONICAL)] = counts / max(counts.sum(), 1)
    whole = Chunks(*(np.array([x]) for x in (0, 1, 0, len(sequence))))
    closed = np.ones((1, 6), dtype=bool)
    peptides = longest_stretches(sequence, whole, np.zeros(1, dtype=np.int64), closed, 1, 1).peptides
    for peptide in peptides:
        out[len(_CANONICAL) :] = [peptide.count(bytes([letter])) / len(peptide) for letter in AMINO_ACIDS]
    return out


@dataclass(frozen=True)
class Baseline:
    """A trained baseline: viral probabilities, float64 [n], of compositions float32 [n, 156]."""

    name: str
    probability: Callable[[np.ndarray], np.ndarray]


def train_baselines(features: np.ndarray, label: np.ndarray, seed: int) -> list[Baseline]:
    """Both baselines, from compositions float32 [n, 156] and labels (1 virus); of more than MOST a sample is taken."""
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(len(label))[:MOST])
    models: dict[str, Pipeline] = {
        "mlp": make_pipeline(
            StandardScaler(),
            MLPClassifier((64,), alpha=1e-2, early_stopping=True, n_iter_no_change=10, max_iter=200, random_state=seed),
        ),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000)),
    }
    found = []
    for key, model in models.items():
        model.fit(features[rows], label[rows])
        found.append(Baseline(NAMES[key], lambda x, model=model: model.predict_proba(x)[:, 1]))
    return found

"""The composition encoder: peptides in, embeddings out, in numpy.

Features (features.py), a linear layer, ReLU, a linear layer. Computed in float64 and rounded at the end, so that the
result does not depend on the threads, the processor or the peptides beside.
"""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from virnucpro.encoders.composition.description import composition_config
from virnucpro.encoders.composition.features import codes_of, composition, log_length, word_statistics
from virnucpro.encoders.kind import CONFIG, WEIGHTS
from virnucpro.errors import ModelError
from virnucpro.files import read_object

QUANTUM = 16  # a table's whole numbers are log-odds times this
ROWS = 1024  # peptides computed together: some 40 MB


class Composition:
    """One encoder. `dim`: values of an embedding."""

    def __init__(self, folder: Path):
        """Read the encoder's folder; ModelError where a file is missing, damaged or does not fit the other."""
        path = folder / WEIGHTS
        try:
            tensors = load_file(path)
        except (OSError, ValueError, SafetensorError) as e:
            raise ModelError(f"{folder}: cannot be read as an encoder ({e}); fetch the model bundle again") from e
        self._config = c = composition_config(folder / CONFIG, read_object(folder / CONFIG))
        try:
            self._tables = [
                (t.words, [tensors[f"words.{name}"].astype(np.float32) / QUANTUM for name in t.names]) for t in c.tables
            ]
            self._hidden, self._hidden_bias = self._layer(tensors, "hidden", (c.hidden, c.features))
            self._embedding, self._embedding_bias = self._layer(tensors, "embedding", (c.dim, c.hidden))
        except (KeyError, ValueError) as e:
            raise ModelError(f"{path}: does not fit its {CONFIG} ({e})") from e
        self.dim = c.dim

    @staticmethod
    def _layer(tensors: dict[str, np.ndarray], name: str, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        weight, bias = (tensors[f"{name}.{part}"].astype(np.float64) for part in ("weight", "bias"))
        if weight.shape != shape:
            raise ValueError(f"{name}.weight has shape {weight.shape}, {shape} is needed")
        return weight.T, bias

    def __call__(self, peptides: list[str]) -> np.ndarray:
        """float32 [peptides, dim]. Equal peptides have equal embeddings, whatever stands beside them."""
        out = np.empty((len(peptides), self.dim), dtype=np.float32)
        order = np.argsort([len(p) for p in peptides], kind="stable")  # of like length: little padding
        for first in range(0, len(order), ROWS):
            rows = order[first : first + ROWS]
            out[rows] = self._embed(self.features([peptides[row] for row in rows.tolist()]))
        return out

    def features(self, peptides: list[str]) -> np.ndarray:
        """What the first layer reads, float32 [peptides, features]."""
        codes = codes_of(peptides, 1 + max(self._config.gaps, default=0))
        parts = [composition(codes, self._config.gaps), log_length(codes)]
        parts += [word_statistics(codes, words, tables) for words, tables in self._tables]
        return np.concatenate(parts, axis=1)

    def _embed(self, features: np.ndarray) -> np.ndarray:
        hidden = np.maximum(features.astype(np.float64) @ self._hidden + self._hidden_bias, 0)
        return hidden @ self._embedding + self._embedding_bias


def load(folder: Path) -> Composition:
    """The encoder in `folder`; ModelError where it cannot be read."""
    return Composition(folder)

"""Token sequences of different lengths, kept in one flat array."""

from typing import NamedTuple

import numpy as np


class Ragged(NamedTuple):
    """`flat[start[i] : start[i] + length[i]]` are the tokens of sequence i."""

    flat: np.ndarray  # int32 [tokens]
    start: np.ndarray  # int64 [sequences]
    length: np.ndarray  # int64 [sequences]

    def rows(self, index: np.ndarray, width: int, pad: int) -> np.ndarray:
        """int32 [len(index), width]: the sequences `index`, each filled with `pad` up to `width`."""
        column = np.arange(width)
        at = self.start[index, None] + column
        inside = column < self.length[index, None]
        return np.where(inside, self.flat[np.where(inside, at, 0)], np.int32(pad))

    def pack(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of the sequences `index` one after another, int32 [tokens]; where each begins and the last ends,
        int32 [len(index) + 1]."""
        length = self.length[index]
        ends = np.cumsum(length)
        at = np.repeat(self.start[index] - (ends - length), length) + np.arange(ends[-1])
        return self.flat[at], np.concatenate(([0], ends)).astype(np.int32)

    def select(self, index: np.ndarray) -> "Ragged":
        """The sequences `index` only; the tokens stay where they are."""
        return Ragged(self.flat, self.start[index], self.length[index])


def ragged(flat: np.ndarray, length: np.ndarray) -> Ragged:
    """Ragged from tokens that lie one sequence after another."""
    length = length.astype(np.int64)
    return Ragged(flat.astype(np.int32, copy=False), np.cumsum(length) - length, length)

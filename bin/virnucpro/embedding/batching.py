"""Which sequences are computed together.

ESM-2: most peptides of one classifier have one of a few lengths (166 residues for 500 bases), so rows of exactly
equal length fill batches without padding and without a mask. What is left over, and DNABERT-S, whose tokens per
sequence vary, is sorted by length and cut where the padding and the number of batches together cost least.
"""

from typing import NamedTuple

import numpy as np


class Batch(NamedTuple):
    """Rows computed together, each padded to `width` tokens; `padding` tokens of it are filler."""

    rows: np.ndarray  # int64
    width: int
    padding: int

    @property
    def tokens(self) -> int:
        """Tokens computed, padding included."""
        return len(self.rows) * self.width


def plan(length: np.ndarray, budget: int, overhead: int, multiple: int = 1) -> list[Batch]:
    """Batches of at most `budget` tokens that hold each row once, longest first: memory runs out early if at all.

    length: int [rows], tokens of each row. A row longer than the budget is a batch of its own.
    overhead: what one more batch costs, in tokens that could be computed in its time.
    multiple: widths are rounded up to it.
    """
    order = np.argsort(-length, kind="stable")
    width = _rounded(length[order], multiple)
    batches, left_over = [], []
    for start, stop in _runs(width):
        size = max(1, budget // int(width[start]))  # rows in a batch
        full = start + (stop - start) // size * size
        batches += [_batch(order[i : i + size], length, multiple) for i in range(start, full, size)]
        left_over.append(order[full:stop])
    rest = np.concatenate(left_over) if left_over else order
    for start, stop in _cheapest_cuts(_rounded(length[rest], multiple), budget, overhead):
        while start < stop:
            size = max(1, budget // int(_rounded(length[rest[start]], multiple)))
            batches.append(_batch(rest[start : min(start + size, stop)], length, multiple))
            start += size
    return sorted(batches, key=lambda batch: -batch.width)


def halves(batch: Batch, length: np.ndarray, multiple: int = 1) -> list[Batch]:
    """The batch (of two rows or more) in two parts, each no wider than it must be."""
    return [_batch(rows, length, multiple) for rows in np.array_split(batch.rows, 2)]


def _batch(rows: np.ndarray, length: np.ndarray, multiple: int) -> Batch:
    width = int(_rounded(length[rows].max(), multiple))
    return Batch(rows, width, int(len(rows) * width - length[rows].sum()))


def _rounded(length: np.ndarray, multiple: int) -> np.ndarray:
    return -(-length // multiple) * multiple


def _runs(width: np.ndarray) -> list[tuple[int, int]]:
    """Start and end of each run of equal values."""
    ends = np.append(np.flatnonzero(np.diff(width)) + 1, len(width)).tolist()
    return [(start, stop) for start, stop in zip([0, *ends[:-1]], ends, strict=True) if stop > start]


def _cheapest_cuts(width: np.ndarray, budget: int, overhead: int) -> list[tuple[int, int]]:
    """Where to cut rows of falling `width`, so that padded tokens plus `overhead` for each batch are fewest.

    Dynamic programming over the distinct widths: the best way for the first j of them ends with a stretch i..j, which
    is padded to the width of i.
    """
    runs = _runs(width)
    if not runs:
        return []
    starts = np.array([start for start, _ in runs])
    widths = width[starts]
    sizes = np.maximum(1, budget // widths)  # rows in a batch
    cost, origin = np.zeros(len(runs) + 1), np.zeros(len(runs) + 1, dtype=int)
    for j, (_, stop) in enumerate(runs, start=1):
        rows = stop - starts[:j]
        total = cost[:j] + rows * widths[:j] + overhead * -(-rows // sizes[:j])
        origin[j] = total.argmin()
        cost[j] = total[origin[j]]
    cuts, j = [], len(runs)
    while j:
        cuts.append((int(starts[origin[j]]), runs[j - 1][1]))
        j = int(origin[j])
    return cuts[::-1]

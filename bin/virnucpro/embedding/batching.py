"""Which sequences are computed together.

Packed rows (GPUs) lie one after another, whatever their lengths: batches of like size in the order of the rows.

Padded rows: most peptides of one classifier have one of a few lengths (166 residues for 500 bases), so rows of exactly
equal length fill batches without padding and without a mask. What is left over, and DNABERT-S, whose tokens per
sequence vary, is sorted by length and cut where the padding and the number of batches together cost least.
"""

from typing import NamedTuple

import numpy as np


class Batch(NamedTuple):
    """Rows computed together. `tokens` are those computed; `padding` of them, up to `width` in each row, are filler."""

    rows: np.ndarray  # int64
    width: int  # of the longest row
    tokens: int
    padding: int


def plan_packed(length: np.ndarray, budget: int) -> list[Batch]:
    """Batches of at most `budget` tokens that hold each row once, in order, and of about equal size.

    length: int [rows], tokens of each row. A row longer than the budget is a batch of its own.
    """
    alone, rows = np.flatnonzero(length > budget), np.flatnonzero(length <= budget)
    parts = list(alone[:, None])
    if len(rows):
        fitting = length[rows]
        total = int(fitting.sum())
        # A batch takes the rows that begin in its share of the tokens; the last may reach beyond it.
        batches = -(-total // (budget - int(fitting.max()) + 1))
        number = (np.cumsum(fitting) - fitting) * batches // total
        parts += np.split(rows, np.flatnonzero(np.diff(number)) + 1)
    return [_packed(part, length) for part in parts]


def plan_padded(length: np.ndarray, budget: int, overhead: int) -> list[Batch]:
    """Batches of at most `budget` tokens that hold each row once, longest first: memory runs out early if at all.

    length: int [rows], tokens of each row. A row longer than the budget is a batch of its own.
    overhead: what one more batch costs, in tokens that could be computed in its time.
    """
    order = np.argsort(-length, kind="stable")
    width = length[order]
    batches, left_over = [], []
    for start, stop in _runs(width):
        size = max(1, budget // int(width[start]))  # rows in a batch
        full = start + (stop - start) // size * size
        batches += [_padded(order[i : i + size], length) for i in range(start, full, size)]
        left_over.append(order[full:stop])
    rest = np.concatenate(left_over) if left_over else order
    for start, stop in _cheapest_cuts(length[rest], budget, overhead):
        while start < stop:
            size = max(1, budget // int(length[rest[start]]))
            batches.append(_padded(rest[start : min(start + size, stop)], length))
            start += size
    return sorted(batches, key=lambda batch: -batch.width)


def halves(batch: Batch, length: np.ndarray, packed: bool) -> list[Batch]:
    """The batch (of two rows or more) in two parts, each no wider than it must be."""
    return [(_packed if packed else _padded)(rows, length) for rows in np.array_split(batch.rows, 2)]


def _packed(rows: np.ndarray, length: np.ndarray) -> Batch:
    return Batch(rows, int(length[rows].max()), int(length[rows].sum()), 0)


def _padded(rows: np.ndarray, length: np.ndarray) -> Batch:
    width = int(length[rows].max())
    return Batch(rows, width, len(rows) * width, int(len(rows) * width - length[rows].sum()))


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

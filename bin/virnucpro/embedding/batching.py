"""Which sequences are computed together.

ESM-2: most peptides of one classifier have one of a few lengths (166 residues for 500 bases), so rows of exactly
equal length fill a batch without padding and without a mask. What is left over, and DNABERT-S, whose tokens per
sequence vary, is sorted by length and padded to the longest of its batch.
"""

from typing import NamedTuple

import numpy as np

# A padded batch is closed early when the next row would fill less than this share of its width.
FILLED = 0.9


class Batch(NamedTuple):
    """Rows computed together, each padded to `width` tokens; `padding` tokens of it are filler."""

    rows: np.ndarray  # int64
    width: int
    padding: int

    @property
    def tokens(self) -> int:
        """Tokens computed, padding included."""
        return len(self.rows) * self.width


def plan(length: np.ndarray, budget: int, smallest: int, multiple: int = 1) -> list[Batch]:
    """Batches of at most `budget` tokens that hold each row once, longest first: memory runs out early if at all.

    length: int [rows], tokens of each row. A row longer than the budget is a batch of its own.
    smallest: tokens from which on a batch of equal lengths is worth computing by itself; a smaller one joins the padded
    batches. multiple: padded widths are rounded up to it.
    """
    order = np.argsort(-length, kind="stable")
    ends = np.flatnonzero(np.diff(length[order])) + 1
    batches, left_over = [], []
    for rows in np.split(order, ends):
        if len(rows) == 0:
            continue
        width = int(length[rows[0]])
        size = max(1, budget // width)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            if len(part) == size or len(part) * width >= smallest:
                batches.append(Batch(part, width, 0))
            else:
                left_over.append(part)
    if left_over:
        batches += _padded(np.concatenate(left_over), length, budget, smallest, multiple)
    return sorted(batches, key=lambda batch: -batch.width)


def _padded(order: np.ndarray, length: np.ndarray, budget: int, smallest: int, multiple: int) -> list[Batch]:
    """Batches of rows that follow one another in `order` (by falling length)."""
    batches, start = [], 0
    while start < len(order):
        longest = int(length[order[start]])
        width = -(-longest // multiple) * multiple
        stop = start + max(1, budget // width)
        short = np.flatnonzero(length[order[start:stop]] < FILLED * longest)
        if len(short):
            stop = max(start + int(short[0]), start + -(-smallest // width))
        rows = order[start:stop]
        if (length[rows] == longest).all():
            width = longest
        batches.append(Batch(rows, width, int(len(rows) * width - length[rows].sum())))
        start = stop
    return batches


def halves(batch: Batch, length: np.ndarray) -> list[Batch]:
    """The batch in two parts, each no wider than it must be."""
    return [part for rows in np.array_split(batch.rows, 2) if len(rows) for part in [_narrow(rows, length)]]


def _narrow(rows: np.ndarray, length: np.ndarray) -> Batch:
    width = int(length[rows].max())
    return Batch(rows, width, int(len(rows) * width - length[rows].sum()))

"""VirNucPro's chunks: overlapping windows of one length that cover a sequence from end to end."""

from typing import NamedTuple

import numpy as np


class Chunks(NamedTuple):
    """Chunks of several sequences, in order. All arrays int64 of the same length."""

    owner: np.ndarray  # which of the sequences
    number: np.ndarray  # from 1 within the sequence
    start: np.ndarray  # 0-based, half-open, in bases of the sequence
    end: np.ndarray


def chunk(lengths: np.ndarray, size: int) -> Chunks:
    """Cut sequences of `lengths` bases into chunks of at most `size` bases, as VirNucPro's split_fasta_chunk does.

    n = ceil(L / size) chunks overlap by r = n*size - L bases in all, spread over the n - 1 joints: the first
    a = r - lo*(n-1) joints take lo + 1 bases, the others lo = floor(r / n). Dividing by n, not n - 1, makes the last
    chunk shorter than `size` more often than not; published classifiers were trained so.

    Source: Li et al., Brief Bioinform 2025, bbaf224; units.py of VirNucPro.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    n = -(-lengths // size)
    spare = n * size - lengths
    low = spare // np.maximum(n, 1)
    wide = spare - low * (n - 1)
    owner = np.repeat(np.arange(len(lengths), dtype=np.int64), n)
    k = np.arange(len(owner), dtype=np.int64) - np.repeat(np.cumsum(n) - n, n)
    start = k * size - (k * low[owner] + np.minimum(k, wide[owner]))
    return Chunks(owner, k + 1, start, np.minimum(start + size, lengths[owner]))

"""Sequences that occur more than once in a task: each is embedded once."""

import tempfile
from pathlib import Path

import numpy as np


def unique(digests: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First occurrences int64 [distinct], ascending, and for each row the number of its sequence, int64 [rows].

    digests: uint64 [rows, 2], as of `shards.digests`. `digests[first][member]` equals `digests`.
    """
    order = np.lexsort((digests[:, 1], digests[:, 0]))  # stable: equal digests stay in the order of their rows
    ordered = digests[order]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    by_digest = order[is_new]
    rank = np.empty(len(by_digest), dtype=np.int64)  # of each distinct sequence among the first occurrences
    rank[np.argsort(by_digest)] = np.arange(len(by_digest))
    member = np.empty(len(order), dtype=np.int64)
    member[order] = rank[np.cumsum(is_new) - 1]
    return np.sort(by_digest), member


class Repeats:
    """Embeddings of the sequences that several of a task's shards share, kept on disk until the last of them is done.

    The first shard that holds such a sequence computes it and calls `put`, the later ones call `get`.
    """

    def __init__(self, digests: list[np.ndarray], dim: int, folder: Path):
        """digests: of each shard, uint64 [frames, 2]. folder: for the file, which has no name and ends with us."""
        everything = np.concatenate(digests)
        shard = np.repeat(np.arange(len(digests)), [len(d) for d in digests])
        first, member = unique(everything)
        self.sequences = len(first)  # distinct ones in the task
        self.frames = int((shard > shard[first][member]).sum())  # whose sequence an earlier shard holds
        last_shard = np.zeros(len(first), dtype=np.int64)
        np.maximum.at(last_shard, member, shard)
        shared = np.flatnonzero(last_shard > shard[first])
        self._slot = {everything[row].tobytes(): slot for slot, row in enumerate(first[shared])}
        self._first_shard = shard[first[shared]]
        self._reason: dict[int, str] = {}
        if len(shared):
            with tempfile.TemporaryFile(dir=folder) as file:
                file.truncate(len(shared) * dim * 4)
                self._vectors = np.memmap(file, dtype=np.float32, shape=(len(shared), dim))

    def slots(self, digests: np.ndarray) -> np.ndarray:
        """int64 [rows]: the slot of each sequence, -1 where only one shard holds it."""
        if not self._slot:
            return np.full(len(digests), -1)
        return np.array([self._slot.get(d.tobytes(), -1) for d in digests], dtype=np.int64)

    def is_known(self, slots: np.ndarray, shard: int) -> np.ndarray:
        """bool [rows]: whether a shard before this one computes the sequence."""
        if not self._slot:
            return np.zeros(len(slots), dtype=bool)
        return (slots >= 0) & (self._first_shard[slots] < shard)

    def put(self, slots: np.ndarray, vectors: np.ndarray, reasons: dict[int, str]) -> None:
        """Keep float32 [rows, dim]; reasons: by row, for those that failed."""
        if len(slots):
            self._vectors[slots] = vectors
            self._reason |= {int(slots[row]): reason for row, reason in reasons.items()}

    def get(self, slots: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
        """As they were put."""
        reasons = {row: self._reason[int(slot)] for row, slot in enumerate(slots) if int(slot) in self._reason}
        return self._vectors[slots], reasons

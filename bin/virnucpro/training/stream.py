"""Rows of a packed file in random order, for training, with memory that does not grow with the file.

What fits into memory is read once and drawn row by row. Of a larger file blocks of neighbouring rows are drawn, as many
as half the memory holds, and mixed; the next ones are read meanwhile.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from virnucpro.training.pack import FeatureRows

BLOCK = 64  # rows that are read together: 850 KB of VirNucPro's 3,328 values, enough for a disk to stream
LEAST_BLOCKS = 64  # that are mixed: neighbouring rows are of one sample, and so of one label


class Stream:
    """Batches of one side's rows: features float32 [batch, width], and which rows they are, int64 [batch].

    memory: bytes for rows, beside the batches.
    """

    def __init__(self, rows: FeatureRows, batch: int, memory: int):
        self.rows, self.batch = rows, batch
        self._row_bytes = 4 * rows.width
        self._capacity = max(LEAST_BLOCKS * BLOCK, memory // (2 * self._row_bytes) // BLOCK * BLOCK)  # of one buffer
        self._all = self._read(np.arange(-(-len(rows) // BLOCK))) if len(rows) <= 2 * self._capacity else None

    def shuffled(self, random: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Every row once. A last row by itself is left out: batch normalisation needs two."""
        for features, rows in self._parts(random.permutation(-(-len(self.rows) // BLOCK))):
            order = random.permutation(len(rows))
            for first in range(0, len(order), self.batch):
                at = order[first : first + self.batch]
                if len(at) > 1:
                    yield features[at], rows[at]

    def in_order(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for features, rows in self._parts(np.arange(-(-len(self.rows) // BLOCK))):
            for first in range(0, len(rows), self.batch):
                yield features[first : first + self.batch], rows[first : first + self.batch]

    def _parts(self, blocks: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All rows as they are in memory, else those of `blocks`, a buffer at a time; the next is read meanwhile."""
        if self._all is not None:
            yield self._all
            return
        many = self._capacity // BLOCK
        parts = [blocks[i : i + many] for i in range(0, len(blocks), many)]
        with ThreadPoolExecutor(1, thread_name_prefix="rows") as reader:
            coming = reader.submit(self._read, parts[0])
            for part in [*parts[1:], None]:
                ready = coming.result()
                if part is not None:
                    coming = reader.submit(self._read, part)
                yield ready

    def _read(self, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of these blocks, and their numbers."""
        first = blocks * BLOCK
        sizes = np.minimum(BLOCK, len(self.rows) - first)
        features = np.empty((int(sizes.sum()), self.rows.width), dtype=np.float32)
        rows = np.repeat(first, sizes) + np.arange(len(features)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        view, at = memoryview(features.reshape(-1)).cast("B"), 0
        file = os.open(self.rows.path, os.O_RDONLY)
        try:
            for row, size in zip(first.tolist(), sizes.tolist(), strict=True):
                length = size * self._row_bytes
                done = 0
                while done < length:
                    got = os.preadv(file, [view[at + done : at + length]], row * self._row_bytes + done)
                    if not got:
                        raise OSError(f"{self.rows.path}: ends before row {row + size}")
                    done += got
                at += length
        finally:
            os.close(file)
        return features, rows

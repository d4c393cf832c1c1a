"""A bin's shards made ready for the encoder, one ahead of the one that is being computed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from virnucpro.embedding.repeats import Repeats, unique
from virnucpro.embedding.shards import Shard, digests, read_shard
from virnucpro.embedding.store import Store
from virnucpro.encoders.ragged import Ragged

EMPTY = "the sequence is empty"


class Work(NamedTuple):
    """One shard. Its distinct sequences are numbered by first occurrence; `compute` and `known` share them out."""

    shard: Shard
    key: str | None  # in the embedding store; None where there is no store
    stored: np.ndarray | None  # float32 [frames, dim] from the store: nothing is left to compute
    member: np.ndarray  # int64 [frames], the number of each frame's sequence
    copies: np.ndarray  # int64 [distinct], how many frames have it
    slots: np.ndarray  # int64 [distinct], in Repeats; -1 for most
    compute: np.ndarray  # int64, the numbers to be computed here
    known: np.ndarray  # int64, the numbers that an earlier shard computes
    empty: np.ndarray  # int64, the numbers of sequences without a letter
    tokens: Ragged | None  # of `compute`


class Bin:
    """The shards of one task."""

    def __init__(self, paths: list[Path], kind: str, store: Store | None):
        """Read every shard once, for what the sequences are; 16 bytes of each are kept."""
        self.paths, self._kind, self._store = paths, kind, store
        self._digests = [digests(read_shard(path, kind).sequences) for path in paths]
        self.frames = sum(map(len, self._digests))

    def prepare(self, encoder, folder: Path) -> Repeats:
        """Once the encoder is loaded; folder: for the embeddings of sequences that several shards share."""
        self._encoder = encoder
        self.repeats = Repeats(self._digests, encoder.dim, folder)
        return self.repeats

    def work(self) -> Iterator[Work]:
        """The shards in order; while one is computed the next is read and tokenised."""
        return ahead(self._one, range(len(self.paths)))

    def _one(self, number: int) -> Work:
        shard = read_shard(self.paths[number], self._kind)
        mine = self._digests[number]
        first, member = unique(mine)
        key = self._store.key(mine) if self._store else None
        stored = self._store.load(key, len(mine), self._encoder.dim) if self._store and len(mine) else None
        slots = self.repeats.slots(mine[first])
        known = self.repeats.is_known(slots, number)
        empty = np.array([not shard.sequences[row] for row in first], dtype=bool)
        compute = np.flatnonzero(~known & ~empty)
        tokens = None
        if stored is None and len(compute):
            tokens = self._encoder.tokenize([shard.sequences[row] for row in first[compute]])
        copies = np.bincount(member, minlength=len(first))
        known, empty = np.flatnonzero(known & ~empty), np.flatnonzero(empty)
        return Work(shard, key, stored, member, copies, slots, compute, known, empty, tokens)


def ahead(function: Callable, items) -> Iterator:
    """`map(function, items)`, each computed in another thread while the result before it is being used."""
    items = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
        futures = [pool.submit(function, item) for item in [next(items, None)] if item is not None]
        while futures:
            result = futures.pop().result()
            futures = [pool.submit(function, item) for item in [next(items, None)] if item is not None]
            yield result

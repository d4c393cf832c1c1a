"""A task's shards made ready for the encoder, one ahead of the one that is being computed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from virnucpro.embedding.repeats import Repeats, unique
from virnucpro.embedding.shards import Shard, digests, read_shard
from virnucpro.embedding.store import Entry, Store
from virnucpro.encoders.ragged import Ragged

EMPTY = "the sequence is empty"


class Work(NamedTuple):
    """One shard. Its distinct sequences are numbered by first occurrence; `compute` and `known` share them out."""

    shard: Shard
    key: str | None  # in the embedding store; None where there is no store
    stored: Entry | None  # from the store: nothing is left to compute
    member: np.ndarray  # int64 [frames], the number of each frame's sequence
    copies: np.ndarray  # int64 [distinct], how many frames have it
    slots: np.ndarray  # int64 [distinct], in Repeats; -1 for most
    compute: np.ndarray  # int64, the numbers to be computed here
    known: np.ndarray  # int64, the numbers that an earlier shard computes
    empty: np.ndarray  # int64, the numbers of sequences without a letter
    tokens: Ragged | None  # of `compute`


class TaskShards:
    """The shards of one task."""

    def __init__(self, paths: list[Path], kind: str):
        """Read every shard once, to know which sequences repeat; of each sequence 16 bytes are kept."""
        self._paths, self._kind = paths, kind
        self.digests = [digests(read_shard(path, kind).sequences) for path in paths]

    def work(self, encoder, repeats: Repeats, store: Store | None) -> Iterator[Work]:
        """The shards in order; while one is computed the next is read and tokenised."""
        return ahead(lambda number: self._prepare(number, encoder, repeats, store), range(len(self._paths)))

    def _prepare(self, number: int, encoder, repeats: Repeats, store: Store | None) -> Work:
        shard = read_shard(self._paths[number], self._kind)
        mine = self.digests[number]
        first, member = unique(mine)
        copies = np.bincount(member, minlength=len(first))
        slots = repeats.slots(mine[first])
        is_known = repeats.is_known(slots, number)
        is_empty = np.array([not shard.sequences[row] for row in first], dtype=bool)
        compute, known = np.flatnonzero(~is_known & ~is_empty), np.flatnonzero(is_known & ~is_empty)
        key = store.key(mine) if store else None
        stored = store.load(key, shard, encoder.dim) if store else None
        tokens = None
        if stored is None and len(compute):
            tokens = encoder.tokenize([shard.sequences[row] for row in first[compute]])
        return Work(shard, key, stored, member, copies, slots, compute, known, np.flatnonzero(is_empty), tokens)


def ahead(function: Callable, items: Iterable) -> Iterator:
    """`map(function, items)`, where the next result is computed in another thread while the last one is being used."""
    with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
        waiting: deque[Future] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

"""Saving finished shards while the next ones are computed."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from virnucpro.embedding.events import Events
from virnucpro.embedding.store import Store, link
from virnucpro.embedding.work import Work
from virnucpro.embedding.writing import embedding_table, halved, write_embeddings


class Saver:
    """Writes finished shards in a thread of its own, one at a time.

    half: the embeddings were computed in half precision, and are written so.
    """

    def __init__(self, out: Path, kind: str, metadata: dict[str, str], store: Store | None, events: Events, half: bool):
        self._out, self._kind, self._metadata, self._half = out, kind, metadata, half
        self._store, self._events = store, events
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="save")
        self._last: Future | None = None

    def save(self, work: Work, vectors: np.ndarray, failed: dict[int, str]) -> None:
        """Hand a shard over; waits while the one before is not yet written, so that memory stays flat."""
        self._wait()
        self._last = self._pool.submit(self._save, work, vectors, failed)

    def _save(self, work: Work, vectors: np.ndarray, failed: dict[int, str]) -> None:
        name, reused = work.shard.name, work.stored is not None
        path = self._out / f"{name}.{self._kind}.parquet"
        kept = work.stored.path if reused and work.stored.is_own else None
        if not kept or not link(kept, path):
            vectors = halved(vectors) if self._half else vectors
            table = embedding_table(work.shard, vectors, failed, self._metadata)
            # Only whole shards are kept: what failed once, for want of memory say, may go through next time.
            if self._store is not None and not reused and not failed:
                kept = self._store.save(work.key, work.shard, table)
            if not kept or not link(kept, path):
                write_embeddings(table, path)
        while self._store is not None and self._store.problems:
            self._events.warn(self._store.problems.pop(0))
        self._events.emit("shard", shard=name, reused=reused)

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, kind: type | None, *_) -> None:
        try:
            if kind is None:
                self._wait()
        finally:
            self._pool.shutdown()

"""Shards: files of open frames, the units that are packed into bins, embedded, saved and reused."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from virnucpro import formats
from virnucpro.encoders.kinds import KINDS
from virnucpro.names import shard_name

# A shard holds at most this share of the frames before it, so that shards stay small against any bin: with up to ten
# bins a shard is under 1 % of the mean load, where longest-processing-time packing is within 1 % of even.
SHARE_OF_SAMPLE = 1 / 1000
SMALLEST = 200  # frames; below it the cost of a file outweighs the better balance

PENDING = 20_000  # frames that may wait to be written, some 20 MB: memory stays flat where the disk is slow


class ShardWriter:
    """Collects open frames and writes `<sample>.shard_00001.parquet` and so on, in input order."""

    def __init__(self, sample: str, out: Path, size: int):
        self._sample, self._out, self._size = sample, out, size
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="shards")  # compressing runs beside the search for frames
        self._pending: deque[tuple[int, Future]] = deque()  # frames, and the task that writes them
        self._clear()

    def _clear(self) -> None:
        self.written: list[dict] = []
        self.frames = 0  # in written shards
        self._columns: tuple[list, ...] = ([], [], [], [])

    def add(self, keys: np.ndarray, ids: list[str], nucleotides: list[bytes], peptides: list[bytes]) -> None:
        """Add frames with ascending keys; writes every shard that is full."""
        for column, values in zip(self._columns, (keys.tolist(), ids, nucleotides, peptides), strict=True):
            column.extend(values)
        begin = 0
        while len(self._columns[0]) - begin >= (target := self._target()):
            self._write(begin, begin + target)
            begin += target
        if begin:
            self._columns = tuple(c[begin:] for c in self._columns)

    def _target(self) -> int:
        return min(self._size, max(SMALLEST, int(self.frames * SHARE_OF_SAMPLE)))

    def close(self) -> None:
        """Write what is left."""
        if self._columns[0]:
            self._write(0, len(self._columns[0]))
            self._columns = ([], [], [], [])
        self._wait()
        self._pool.shutdown()

    def _wait(self) -> None:
        while self._pending:
            self._wait_for_one()

    def _wait_for_one(self) -> None:
        _, writing = self._pending.popleft()
        writing.result()

    def discard(self) -> None:
        """Remove what was written."""
        self._wait()
        for shard in self.written:
            self._path(shard["name"]).unlink()
        self._clear()

    def _path(self, name: str) -> Path:
        return self._out / f"{name}.parquet"

    def _write(self, begin: int, end: int) -> None:
        keys, ids, nucleotides, peptides = (c[begin:end] for c in self._columns)
        lengths = [np.fromiter(map(len, x), dtype=np.int64, count=end - begin) for x in (nucleotides, peptides)]
        columns = [np.array(keys), [i.encode() for i in ids], nucleotides, peptides]
        name = shard_name(self._sample, len(self.written) + 1)
        table = formats.build(formats.SHARD, columns)
        while self._pending and sum(frames for frames, _ in self._pending) + len(keys) > PENDING:
            self._wait_for_one()
        # Sequences hardly repeat, so a dictionary of them is work for nothing.
        options = {"use_dictionary": False, "compression": "lz4"}
        self._pending.append((len(keys), self._pool.submit(formats.write, table, self._path(name), **options)))
        self.written.append(
            {
                "name": name,
                "frames": len(keys),
                "first_key": keys[0],
                "last_key": keys[-1],
                # What each kind of encoder will have to do; its tokenizer runs in the embedding task only.
                **{f"{k.name}_tokens": int(k.tokens(*lengths).sum(dtype=np.int64)) for k in KINDS.values()},
            }
        )
        self.frames += len(keys)

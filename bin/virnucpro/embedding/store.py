"""The embedding store: finished shards, kept for retries, resumed runs and other runs with the same sequences.

One file per shard and encoder, `<encoder>/<first two digits>/<key>.f32`. The key is the SHA-256 of everything that the
embeddings depend on: the encoder's files, its settings, the code that computes, and the sequences in their order. Ids
are no part of it, so that a shard is found again under another sample's name. A file is a line of JSON (key, rows, dim,
SHA-256 of the rest) and the vectors, row by row, as little-endian float32. It is whole or absent (written under another
name, synced, moved); one that is damaged nevertheless is noticed, removed and made again.
"""

import hashlib
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

FORMAT = 1
_PART = ".part"
_STALE_SECONDS = 86400  # a part file that old belongs to a process that was killed
_LITTLE = np.dtype("<f4")


class Store:
    """Embeddings of one encoder with one set of settings.

    `problems` tells what did not work (a damaged entry, a full disk), for the task to pass on; none of it ends a task.
    """

    def __init__(self, root: Path, kind: str, settings: dict):
        """settings: what the embeddings depend on beside the sequences; JSON types."""
        self.problems: list[str] = []
        self._folder = root / kind
        self._settings = json.dumps({"format": FORMAT, "encoder": kind} | settings, sort_keys=True)
        self._writable = self._readable = True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._remove_stale()
        except OSError as e:
            self._give_up(e)

    def key(self, digests: np.ndarray) -> str:
        """Of a shard with these sequences: uint64 [frames, 2], in the shard's order."""
        return hashlib.sha256(self._settings.encode() + b"\0" + digests.tobytes()).hexdigest()

    def load(self, key: str, rows: int, dim: int) -> np.ndarray | None:
        """float32 [rows, dim]; None where there is no such entry, or where it is damaged (it is removed then)."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as e:  # another user's, most likely: it would be said of thousands
            if self._readable:
                self._readable = False
                self.problems.append(f"{path}: cannot be read ({e}); such shards are embedded again")
            return None
        header, _, vectors = content.partition(b"\n")
        if header != _header(key, rows, dim, vectors) or len(vectors) != rows * dim * _LITTLE.itemsize:
            self.problems.append(f"{path}: is damaged; it was removed, the shard is embedded again")
            with suppress(OSError):  # it can be another user's
                path.unlink()
            return None
        return np.frombuffer(vectors, dtype=_LITTLE).reshape(rows, dim)

    def save(self, key: str, vectors: np.ndarray) -> None:
        """Keep float32 [rows, dim]. A store that cannot be written is given up, with a word in `problems`."""
        if not self._writable:
            return
        path = self._path(key)
        part = path.with_name(f".{key}.{socket.gethostname()}.{os.getpid()}{_PART}")
        content = memoryview(np.ascontiguousarray(vectors, dtype=_LITTLE)).cast("B")
        try:
            path.parent.mkdir(exist_ok=True)
            with part.open("wb") as file:
                file.write(_header(key, *vectors.shape, content) + b"\n")
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as e:
            self._give_up(e)
            with suppress(OSError):  # what could not be entered cannot be tidied either
                part.unlink()

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.f32"

    def _give_up(self, error: OSError) -> None:
        self._writable = False
        self.problems.append(
            f"{self._folder}: the embedding store cannot be written ({error}); shards finished from now on are not kept"
        )

    def _remove_stale(self) -> None:
        for part in self._folder.glob(f"*/.*{_PART}"):
            try:
                if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                    part.unlink()
            except OSError:  # another task was faster
                continue


def _header(key: str, rows: int, dim: int, vectors: bytes | memoryview) -> bytes:
    return json.dumps({"key": key, "rows": rows, "dim": dim, "sha256": hashlib.sha256(vectors).hexdigest()}).encode()

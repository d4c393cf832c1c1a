"""The embedding store: finished shards, kept for retries, resumed runs and other runs with the same sequences.

One embedding file per shard and encoder, `<encoder>/<first two digits>/<key>.<names>.parquet`. The key is the SHA-256
of everything that the embeddings depend on: the encoder's files, its settings, the code that computes, and the
sequences in their order. Ids are no part of it, so that a shard is found again under another sample's name; `names`
tells the keys and ids in the file, so that a task may hand on the very file where they are its own (`link`). A file is
whole or absent (written under another name, synced, moved); one that is damaged nevertheless is noticed by its
checksums, removed and made again.
"""

import hashlib
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from virnucpro.embedding.shards import Shard
from virnucpro.embedding.writing import write_embeddings

FORMAT = 2
_PART = ".part"
_STALE_SECONDS = 86400  # a part file that old belongs to a process that was killed
_KEY = b"store_key"  # in an entry's metadata


class Entry(NamedTuple):
    """A shard that was found."""

    path: Path
    vectors: np.ndarray  # float32 [frames, dim]
    is_own: bool  # whether the file has the shard's own keys and ids


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

    def load(self, key: str, shard: Shard, dim: int) -> Entry | None:
        """The shard's embeddings; None where there is no such entry, or where it is damaged (it is removed then)."""
        own = self._path(key, shard)
        try:
            found = sorted(path for path in own.parent.iterdir() if path.name.startswith(f"{key}."))
            path = own if own in found else next(iter(found), None)
            return self._read(path, key, len(shard.frame_key), dim, path == own) if path else None
        except FileNotFoundError:  # of the folder, or another task has just removed the file
            return None
        except OSError as e:  # another user's, most likely: it would be said of thousands
            if self._readable:
                self._readable = False
                self.problems.append(f"{own.parent}: cannot be read ({e}); such shards are embedded again")
            return None

    def _read(self, path: Path, key: str, rows: int, dim: int, is_own: bool) -> Entry | None:
        content = path.read_bytes()
        try:
            table = pq.read_table(pa.BufferReader(content), columns=["embedding"], page_checksum_verification=True)
            column, metadata = table["embedding"].combine_chunks(), table.schema.metadata or {}
            if metadata.get(_KEY) == key.encode() and (len(column), column.type.list_size) == (rows, dim):
                values = column.flatten().to_numpy(zero_copy_only=False)
                return Entry(path, values.astype(np.float32, copy=False).reshape(rows, dim), is_own)
        except (OSError, pa.ArrowException, KeyError, AttributeError, ValueError):
            pass
        self.problems.append(f"{path}: is damaged; it was removed, the shard is embedded again")
        with suppress(OSError):  # it can be another user's
            path.unlink()
        return None

    def save(self, key: str, shard: Shard, table: pa.Table) -> Path | None:
        """Keep the embedding file of a whole shard; where it lies. None from a store that cannot be written: it is
        given up, with a word in `problems`."""
        if not self._writable:
            return None
        path = self._path(key, shard)
        part = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}{_PART}")
        try:
            path.parent.mkdir(exist_ok=True)
            write_embeddings(table.replace_schema_metadata({_KEY: key} | table.schema.metadata), part, durable=True)
            part.replace(path)
        except OSError as e:
            self._give_up(e)
            with suppress(OSError):  # what could not be entered cannot be tidied either
                part.unlink()
            return None
        return path

    def _path(self, key: str, shard: Shard) -> Path:
        names = hashlib.blake2b(digest_size=8)
        names.update(np.ascontiguousarray(shard.frame_key.to_numpy()).tobytes())
        names.update("\n".join(shard.frame_id.to_pylist()).encode())
        return self._folder / key[:2] / f"{key}.{names.hexdigest()}.parquet"

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


def link(entry: Path, path: Path) -> bool:
    """Have `path` be an entry's file without a second copy: another name of it, or where the store is on another file
    system (each mount of a container counts as one) a symbolic link. False where neither can be made."""
    path.unlink(missing_ok=True)
    for make in (os.link, os.symlink):
        with suppress(OSError):
            make(entry.absolute(), path)
            return True
    return False

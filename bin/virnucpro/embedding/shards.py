"""Reading a task's shards."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from virnucpro.encoders.kinds import KINDS
from virnucpro.errors import InputError
from virnucpro.formats import SHARD


class Shard(NamedTuple):
    """One shard's frames, as one encoder sees them."""

    name: str  # the file's name without .parquet
    frame_key: pa.ChunkedArray  # int64 [frames]
    frame_id: pa.ChunkedArray  # string [frames]
    sequences: list[str | None]  # [frames]


def list_shards(folder: Path) -> list[Path]:
    """The folder's Parquet files by name. Raises InputError where there is none."""
    shards = sorted(folder.glob("*.parquet"))
    if not shards:
        raise InputError(f"{folder}: holds no shard (*.parquet); give the folder that EXTRACT_FRAMES wrote")
    return shards


def count_frames(path: Path) -> int:
    """Frames of a shard, from the file's footer. Raises InputError where it is no Parquet file."""
    try:
        return pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowException) as e:
        raise InputError(f"{path}: cannot be read as a shard ({e}); run EXTRACT_FRAMES again") from e


def read_shard(path: Path, kind: str) -> Shard:
    """Read what the encoder `kind` needs. Raises InputError where the file is damaged or lacks a column."""
    columns = ["frame_key", "frame_id", KINDS[kind].reads]
    try:
        table = pq.read_table(path, columns=columns)
        table = table.cast(pa.schema([SHARD.field(name) for name in columns]))
    except (OSError, pa.ArrowException, ValueError) as e:
        raise InputError(f"{path}: cannot be read as a shard ({e}); run EXTRACT_FRAMES again") from e
    return Shard(path.stem, table["frame_key"], table["frame_id"], table[KINDS[kind].reads].to_pylist())


def digests(sequences: list[str | None]) -> np.ndarray:
    """uint64 [frames, 2]: 128 bits that are equal where the sequences are equal, and in practice nowhere else."""
    raw = b"".join(hashlib.blake2b((s or "").encode(), digest_size=16).digest() for s in sequences)
    return np.frombuffer(raw, dtype=np.uint64).reshape(-1, 2)

"""Embedding files: one per shard and encoder, with its own keys and ids."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from virnucpro.embedding.shards import Shard
from virnucpro.files import whole
from virnucpro.formats import embedding_schema

_VALUES = "embedding.list.element"  # Parquet's name for the numbers in the column


def vector_column(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """float32 or float16 [rows, dim] as a column of lists of fixed size, without a copy."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])


def halved(vectors: np.ndarray) -> np.ndarray:
    """float32 [rows, dim] rounded to float16, for embeddings that were computed in half precision: rounding moves them
    less than that did (docs/performance.md). As they are where float16 could not hold one of them."""
    with np.errstate(over="ignore"):
        half = vectors.astype(np.float16)
    return half if np.array_equal(np.isfinite(half), np.isfinite(vectors)) else vectors


def embedding_table(shard: Shard, vectors: np.ndarray, failed: dict[int, str], metadata: dict[str, str]) -> pa.Table:
    """Rows of the frames that did not fail, in the shard's order.

    vectors: float32 or float16 [frames, dim]. failed: row in the shard -> reason; these rows are left out, and listed
    in the metadata as `failed`, [{"frame_key", "reason"}], so that the file by itself accounts for every frame of its
    shard.
    """
    keys, ids = shard.frame_key, shard.frame_id
    if failed:
        lost = [{"frame_key": keys[row].as_py(), "reason": reason} for row, reason in sorted(failed.items())]
        metadata = metadata | {"failed": json.dumps(lost)}
        done = np.setdiff1d(np.arange(len(vectors)), list(failed))
        vectors, keys, ids = vectors[done], keys.take(done), ids.take(done)
    schema = embedding_schema(vectors.shape[1], metadata, half=vectors.dtype == np.float16)
    return pa.table([keys, ids, vector_column(vectors)], schema=schema)


def write_embeddings(table: pa.Table, path: Path, durable: bool = False) -> None:
    """Write so that `path` is whole or absent, with checksums; durable: and on the disk itself.

    float32 does not compress and is stored as it is. Of float16 the bytes with sign and exponent repeat: apart from the
    others they shrink, and a file is 0.43 times as large as in float32, without a loss.
    """
    options = {"compression": "none"}
    if table.schema.field("embedding").type.value_type == pa.float16():
        options = {"compression": {_VALUES: "zstd"}, "compression_level": {_VALUES: 1}}
        options |= {"column_encoding": {_VALUES: "BYTE_STREAM_SPLIT"}}
    with whole(path) as part:
        pq.write_table(table, part, use_dictionary=False, write_page_checksum=True, **options)
        if durable:
            with part.open("rb") as file:
                os.fsync(file.fileno())

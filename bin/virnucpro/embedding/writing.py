"""Embedding files: one per shard and encoder, with its own keys and ids."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from virnucpro.embedding.shards import Shard
from virnucpro.files import whole
from virnucpro.formats import embedding_schema


def vector_column(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """float32 [rows, dim] as a column of lists of fixed size, without a copy."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])


def embedding_table(shard: Shard, vectors: np.ndarray, failed: dict[int, str], metadata: dict[str, str]) -> pa.Table:
    """Rows of the frames that did not fail, in the shard's order.

    vectors: float32 [frames, dim]. failed: row in the shard -> reason; these rows are left out, and listed in the
    metadata as `failed`, [{"frame_key", "reason"}], so that the file by itself accounts for every frame of its shard.
    """
    keys, ids = shard.frame_key, shard.frame_id
    if failed:
        lost = [{"frame_key": keys[row].as_py(), "reason": reason} for row, reason in sorted(failed.items())]
        metadata = metadata | {"failed": json.dumps(lost)}
        done = np.setdiff1d(np.arange(len(vectors)), list(failed))
        vectors, keys, ids = vectors[done], keys.take(done), ids.take(done)
    return pa.table([keys, ids, vector_column(vectors)], schema=embedding_schema(vectors.shape[1], metadata))


def write_embeddings(table: pa.Table, path: Path) -> None:
    """Write so that `path` is whole or absent. Vectors do not compress: they are stored as they are, with checksums."""
    with whole(path) as part:
        pq.write_table(table, part, compression="none", use_dictionary=False, write_page_checksum=True)

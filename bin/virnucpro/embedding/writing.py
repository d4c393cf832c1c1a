"""Embedding files: one per shard and encoder, with its own keys and ids."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from virnucpro.embedding.shards import Shard
from virnucpro.tables import embedding_schema


def embedding_table(shard: Shard, vectors: np.ndarray, done: np.ndarray, metadata: dict[str, str]) -> pa.Table:
    """Rows of the frames for which `done` (bool [frames]) is true, in the shard's order.

    vectors: float32 [frames, dim].
    """
    if not done.all():
        keep = pa.array(np.flatnonzero(done))
        vectors = vectors[done]
        keys, ids = shard.frame_key.take(keep), shard.frame_id.take(keep)
    else:
        keys, ids = shard.frame_key, shard.frame_id
    dim = vectors.shape[1]
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dim)
    return pa.table([keys, ids, column], schema=embedding_schema(dim, metadata))


def write_embeddings(table: pa.Table, path: Path) -> None:
    """Write so that `path` is whole or absent. Vectors do not compress: they are stored as they are, with checksums."""
    part = path.with_name(path.name + ".part")
    pq.write_table(table, part, compression="none", use_dictionary=False, write_page_checksum=True)
    part.replace(path)

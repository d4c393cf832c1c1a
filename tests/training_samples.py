"""Labelled samples with made-up embeddings, as EXTRACT_FRAMES and the embedding tasks would leave them."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from models_bundles import DNABERT_S, ESM2, write_encoder

from virnucpro import tables
from virnucpro.models.manifest import sha256_file, write_manifest

DIMS = {"dnabert_s": DNABERT_S["hidden_size"], "esm2": ESM2["hidden_size"]}
NAMES = {"dnabert_s": "dnabert_s", "esm2": "esm2_tiny"}


def write_models(folder: Path) -> Path:
    """A bundle with two encoders and no classifier."""
    for kind, config in (("dnabert_s", DNABERT_S), ("esm2", ESM2)):
        write_encoder(folder / "encoders" / NAMES[kind], kind, config)
    write_manifest(folder, "test", {"": ("made by a test", "MIT")})
    return folder


def write_sample(
    folder: Path, models: Path, name: str, ids: list[str], signal: np.ndarray, seed: int, chunk_length: int = 500
) -> None:
    """A sample of one shard in `folder`/tables and `folder`/embeddings: each sequence has two chunks of 500 and 300
    bases, with two and one open frames.

    signal: [sequences, k]; the first k values of each DNABERT-S embedding are it plus noise, all else is noise.
    """
    random = np.random.default_rng(seed)
    (folder / "tables").mkdir(exist_ok=True)
    (folder / "embeddings").mkdir(exist_ok=True)
    n = len(ids)
    keys = np.array([6 * (2 * s) + f for s in range(n) for f in (0, 3, 6)])  # F1, R1 of chunk 1, F1 of chunk 2
    shard = {"name": f"{name}.shard_00001", "frames": len(keys), "first_key": int(keys[0]), "last_key": int(keys[-1])}
    manifest = {"sample": name, "state": "ok", "reason": "", "chunk_length": chunk_length, "sequences": n}
    manifest |= {"chunks": 2 * n, "frames": len(keys), "shards": [shard]}
    (folder / f"tables/{name}.manifest.json").write_text(json.dumps(manifest))
    rows = {"sequence": range(n), "id": ids, "description": [""] * n, "file": [0] * n, "length": [800] * n}
    rows |= {"chunks": [2] * n, "state": [""] * n, "reason": [""] * n}
    write(folder / f"tables/{name}.sequences.parquet", rows, tables.SEQUENCES)
    rows = {"sequence": np.repeat(range(n), 2), "number": [1, 2] * n, "start": [0, 500] * n, "end": [500, 800] * n}
    write(folder / f"tables/{name}.chunks.parquet", rows | {"open_frames": [0b1001, 0b1] * n}, tables.CHUNKS)
    for kind, dim in DIMS.items():
        vectors = random.normal(0, 1, (len(keys), dim)).astype(np.float32)
        if kind == "dnabert_s":
            vectors[:, : signal.shape[1]] += np.repeat(signal, 3, axis=0)
        write_embeddings(folder, models, shard["name"], kind, keys, vectors)


def write_embeddings(folder: Path, models: Path, shard: str, kind: str, keys: np.ndarray, vectors: np.ndarray) -> None:
    """One embedding file, with the metadata that the embedding tasks write."""
    weights = sha256_file(models / "encoders" / NAMES[kind] / "model.safetensors")
    meta = {"encoder": kind, "weights_sha256": weights, "layer": "2", "precision": "fp32", "dim": str(vectors.shape[1])}
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    columns = [pa.array(keys), pa.array([f"frame_{k}" for k in keys]), column]
    table = pa.Table.from_arrays(columns, schema=tables.embedding_schema(vectors.shape[1], meta))
    pq.write_table(table, folder / f"embeddings/{shard}.{kind}.parquet")


def write(path: Path, rows: dict, schema: pa.Schema) -> None:
    pq.write_table(pa.table(rows, schema=schema), path)

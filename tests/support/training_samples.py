"""Labelled samples with made-up embeddings, as EXTRACT_FRAMES and the embedding tasks would leave them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from models_bundles import DNABERT_S, ESM2, write_encoder

from virnucpro import formats
from virnucpro.bundle.bundle import check_encoders, open_bundle
from virnucpro.bundle.manifest import sha256_file, write_manifest
from virnucpro.frames.fasta import digest, read_fasta
from virnucpro.training.order import Order
from virnucpro.training.split import split

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
    manifest |= {"chunks": 2 * n, "frames": len(keys), "stretches": 0, "shards": [shard]}
    (folder / f"tables/{name}.manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    rows = {"sequence": range(n), "id": ids, "description": [""] * n, "file": [0] * n, "length": [800] * n}
    rows |= {"chunks": [2] * n, "state": [""] * n, "reason": [""] * n}
    rows |= {"digest": [0] * n, "genetic_code": [1] * n, "better_genetic_code": [0] * n}
    write(folder / f"tables/{name}.sequences.parquet", rows, formats.SEQUENCES)
    rows = {"sequence": np.repeat(range(n), 2), "number": [1, 2] * n, "start": [0, 500] * n, "end": [500, 800] * n}
    opened, none = [0b1001, 0b1] * n, [0] * 2 * n
    rows |= {"cut": none, "open_frames": opened, "standard_frames": opened, "stretch_frames": none}
    rows |= {f"residues_{frame}": none for frame in formats.FRAMES}
    rows |= {"residues_F1": [166, 99] * n, "residues_R1": [166, 0] * n}
    write(folder / f"tables/{name}.chunks.parquet", rows, formats.CHUNKS)
    for kind, dim in DIMS.items():
        vectors = random.normal(0, 1, (len(keys), dim)).astype(np.float32)
        if kind == "dnabert_s":
            vectors[:, : signal.shape[1]] += np.repeat(signal, 3, axis=0)
        write_embeddings(folder, models, shard["name"], kind, keys, vectors)


def with_digests(folder: Path, name: str) -> None:
    """The sample's table of sequences anew, as if made of `<name>.fa` as it is now."""
    path = folder / f"tables/{name}.sequences.parquet"
    rows = pq.read_table(path).to_pydict()
    rows["digest"] = [digest(record.sequence) for record in read_fasta(folder / f"{name}.fa")]
    write(path, rows, formats.SEQUENCES)


def write_embeddings(folder: Path, models: Path, shard: str, kind: str, keys: np.ndarray, vectors: np.ndarray) -> None:
    """One embedding file, with the metadata that the embedding tasks write."""
    weights = sha256_file(models / "encoders" / NAMES[kind] / "model.safetensors")
    meta = {"encoder": kind, "weights_sha256": weights, "layer": "2", "precision": "fp32", "dim": str(vectors.shape[1])}
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    columns = [pa.array(keys), pa.array([f"frame_{k}" for k in keys]), column]
    table = pa.Table.from_arrays(columns, schema=formats.embedding_schema(vectors.shape[1], meta))
    pq.write_table(table, folder / f"embeddings/{shard}.{kind}.parquet")


def listed_models(models: Path, path: Path) -> None:
    """What check_models.py finds in the bundle."""
    encoders = check_encoders(open_bundle(models), [])
    names = ("kind", "name", "layer", "layers", "dim", "sha256")
    path.write_text(
        json.dumps({"encoders": [{name: getattr(e, name) for name in names} for e in encoders]}), encoding="utf-8"
    )


def split_table(
    folder: Path, labels: dict[str, str], group_of: Callable[[str], str], test: float = 0.2
) -> pl.DataFrame:
    """`folder`/split.parquet of the samples whose labels are given, as SPLIT_GENOMES makes it."""
    parts = []
    for sample, label in labels.items():
        table = pl.read_parquet(folder / f"tables/{sample}.sequences.parquet").select(
            "sequence", "id", "length", "digest"
        )
        groups = [group_of(i) for i in table["id"]]
        parts.append(
            table.with_columns(
                pl.lit(sample).alias("sample"),
                pl.lit(label).alias("label"),
                pl.Series("group", groups),
                pl.Series("family", groups),
                pl.lit("").alias("side"),
                pl.lit(True).alias("usable"),
            )
        )
    found = split(pl.concat(parts), 0.1, test, 1)
    found.write_parquet(folder / "split.parquet")
    return found


def training_order(folder, out="out", **changes) -> Order:
    """What train_classifier.py would be asked for, with these tables and embeddings."""
    same = {name: folder / path for name, path in (("split", "split.parquet"), ("models", "models.json"))}
    same |= {name: folder / name for name in ("tables", "embeddings")} | {"kinds": ("dnabert_s", "esm2")}
    same |= {"recipe": "single", "epochs": 15, "seed": 1, "frames": "open", "min_stretch": 40, "memory": 1 << 30}
    return Order(
        **{"name": "mine", "threads": 1, "by_frame": False, "counted": None, "out": folder / out} | same | changes
    )


def other_encoder(folder: Path) -> None:
    """One sample's embeddings by another encoder than the other's."""
    keys = np.array([6 * (2 * s) + f for s in range(60) for f in (0, 3, 6)])
    vectors = np.zeros((180, 24), dtype=np.float32)
    (folder / "models/encoders/dnabert_s/model.safetensors").write_bytes(b"other")
    write_embeddings(folder, folder / "models", "bacteria.shard_00001", "dnabert_s", keys, vectors)


def write(path: Path, rows: dict, schema: pa.Schema) -> None:
    pq.write_table(pa.table(rows, schema=schema), path)

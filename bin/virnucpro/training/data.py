"""Labelled embeddings: EXTRACT_FRAMES' tables and the embedding tasks' files of several samples, as arrays.

Imports no polars, so that training can run in the image of the embedding tasks.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from virnucpro.errors import InputError
from virnucpro.models.classifier import CLASSES
from virnucpro.training.labels import LabelledSample

GroupOf = Callable[[str], str]  # record id -> group


@dataclass(frozen=True)
class Origin:
    """What made the embeddings of one kind, from the files' own metadata."""

    kind: str
    weights_sha256: str
    layer: int
    dim: int
    precision: str


@dataclass(frozen=True)
class Dataset:
    """Open frames of all samples, with the chunk, the sequence and the group that each belongs to.

    Rows of `frame_*` are frames, of `chunk_*` chunks, of `sequence_*` sequences; they point at one another by row.
    Chunks without an open frame, and sequences without such a chunk, are in the tables but have no frame.
    """

    features: np.ndarray  # float32 [frames, in]
    frame_chunk: np.ndarray  # int64 [frames], ascending
    chunk_sequence: np.ndarray  # int64 [chunks]
    chunk_length: np.ndarray  # int64 [chunks], bases
    sequence_label: np.ndarray  # int64 [sequences], position in CLASSES
    sequence_group: np.ndarray  # str [sequences]
    sequence_split: np.ndarray  # str [sequences], "" where the split is free
    origins: tuple[Origin, ...]  # in feature order
    bases: int  # a chunk's length, as cut
    failed: int  # frames that could not be embedded; they are left out

    @property
    def frame_sequence(self) -> np.ndarray:
        """int64 [frames]"""
        return self.chunk_sequence[self.frame_chunk]

    @property
    def frame_label(self) -> np.ndarray:
        """int64 [frames]"""
        return self.sequence_label[self.frame_sequence]


def read_dataset(
    samples: list[LabelledSample], tables: Path, embeddings: Path, kinds: tuple[str, ...], group_of: GroupOf
) -> Dataset:
    """Read all samples. Raises InputError where a file is missing, damaged, or was made otherwise than the rest."""
    parts = [_read_sample(s, tables, embeddings, kinds, group_of) for s in samples]
    first = parts[0]
    for sample, part in zip(samples, parts, strict=True):
        if part.bases != first.bases:
            raise InputError(
                f"sample {sample.name}: was cut into chunks of {part.bases} bases, {samples[0].name} into chunks of "
                f"{first.bases}; extract both with the same --chunk_length"
            )
        for a, b in zip(part.origins, first.origins, strict=True):
            _agree(f"sample {sample.name}", a, b)
    chunks = np.cumsum([0] + [len(p.chunk_sequence) for p in parts])
    sequences = np.cumsum([0] + [len(p.sequence_label) for p in parts])
    whole = Dataset(
        np.concatenate([p.features for p in parts]),
        np.concatenate([p.frame_chunk + n for p, n in zip(parts, chunks, strict=False)]),
        np.concatenate([p.chunk_sequence + n for p, n in zip(parts, sequences, strict=False)]),
        *(np.concatenate([getattr(p, f) for p in parts]) for f in ("chunk_length", "sequence_label")),
        *(np.concatenate([getattr(p, f) for p in parts]) for f in ("sequence_group", "sequence_split")),
        first.origins,
        first.bases,
        sum(p.failed for p in parts),
    )
    _one_side_per_group(whole)
    return whole


def _one_side_per_group(data: Dataset) -> None:
    """A group with two labels, or in two given splits, cannot be kept on one side."""
    seen: dict[str, tuple[int, str]] = {}
    for group, label, split in zip(data.sequence_group, data.sequence_label, data.sequence_split, strict=True):
        before = seen.setdefault(str(group), (int(label), str(split)))
        if before[0] != label:
            raise InputError(f"group {group!r}: has sequences labelled virus and others; correct labels or groups")
        if before[1] != split:
            raise InputError(
                f"group {group!r}: has sequences with split {before[1]!r} and {str(split)!r}; its sequences would stand "
                "on both sides"
            )


def _read_sample(
    sample: LabelledSample, tables: Path, embeddings: Path, kinds: tuple[str, ...], group_of: GroupOf
) -> Dataset:
    name = sample.name
    manifest = _manifest(tables / f"{name}.manifest.json")
    sequences = _table(tables / f"{name}.sequences.parquet", ["id"])
    chunks = _table(tables / f"{name}.chunks.parquet", ["sequence", "start", "end"])
    if not manifest["frames"]:
        raise InputError(f"sample {name}: has no open frame, there is nothing to learn from")
    keys, vectors, origins, failed = [], [], None, 0
    for shard in manifest["shards"]:
        files = [_embeddings(embeddings / f"{shard['name']}.{kind}.parquet") for kind in kinds]
        origins = origins or tuple(o for _, _, o in files)
        for (_, _, o), kind, expected in zip(files, kinds, origins, strict=True):
            if o.kind != kind:
                raise InputError(f"{shard['name']}.{kind}.parquet: holds embeddings by {o.kind}")
            _agree(f"{shard['name']}.{kind}.parquet", o, expected)
        common = files[0][0]
        for k, _, _ in files[1:]:
            common = np.intersect1d(common, k, assume_unique=True)
        failed += shard["frames"] - len(common)
        keys.append(common)
        vectors.append(np.concatenate([v[np.searchsorted(k, common)] for k, v, _ in files], axis=1))
    key = np.concatenate(keys)
    if len(key) and (key[-1] // 6 >= chunks.num_rows or (np.diff(key) <= 0).any()):
        raise InputError(f"sample {name}: its embeddings do not belong to its tables in {tables}")
    return Dataset(
        np.concatenate(vectors),
        key // 6,
        chunks["sequence"].to_numpy(),
        chunks["end"].to_numpy() - chunks["start"].to_numpy(),
        np.full(sequences.num_rows, CLASSES.index(sample.label)),
        np.array([group_of(i) for i in sequences["id"].to_pylist()], dtype=object),
        np.full(sequences.num_rows, sample.split, dtype=object),
        origins,
        manifest["chunk_length"],
        failed,
    )


def _manifest(path: Path) -> Mapping:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise InputError(f"{path}: is no sample manifest that can be read ({e}); run extract_frames.py again") from e
    if manifest["state"] != "ok":
        raise InputError(f"{path}: the sample failed ({manifest['reason']}); correct it or leave it out of the labels")
    return manifest


def _table(path: Path, columns: list[str]) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowInvalid) as e:
        raise InputError(f"{path}: is missing or damaged ({e}); run extract_frames.py again") from e


def _embeddings(path: Path) -> tuple[np.ndarray, np.ndarray, Origin]:
    """Keys int64 [rows] ascending, vectors float32 [rows, dim], and who made them."""
    table = _table(path, ["frame_key", "embedding"])
    meta = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    try:
        origin = Origin(
            meta["encoder"], meta["weights_sha256"], int(meta["layer"]), int(meta["dim"]), meta["precision"]
        )
    except KeyError as e:
        raise InputError(f"{path}: does not say what made it (no {e.args[0]!r} in its metadata); embed it again") from e
    keys = table["frame_key"].to_numpy()
    vectors = table["embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, origin.dim)
    order = np.argsort(keys, kind="stable")
    return keys[order], vectors[order], origin


def _agree(what: str, a: Origin, b: Origin) -> None:
    for name in ("weights_sha256", "layer", "dim"):
        if getattr(a, name) != getattr(b, name):
            raise InputError(
                f"{what}: {a.kind} embeddings have {name} {getattr(a, name)}, others here {getattr(b, name)}; "
                "all must come from one encoder"
            )


def pattern_groups(pattern: str) -> GroupOf:
    """Group of a record: what `pattern` (a regular expression) matches first in its id; its first bracket where it has
    one. InputError where it does not match."""
    expression = re.compile(pattern)

    def group(record: str) -> str:
        found = expression.search(record)
        if not found:
            raise InputError(f"record {record!r}: the group pattern {pattern!r} does not match its id")
        return found.group(1 if expression.groups else 0)

    return group

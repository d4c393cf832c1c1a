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

from virnucpro.errors import InputError, UsageError
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
    """Read all samples; the features lie in memory once (frames x 4 bytes x width).

    A frame without an embedding by one of `kinds` is left out and counted. Raises InputError where a file is missing,
    damaged, or was made otherwise than the rest.
    """
    manifests = [_manifest(tables / f"{s.name}.manifest.json") for s in samples]
    bases = manifests[0]["chunk_length"]
    for sample, manifest in zip(samples, manifests, strict=True):
        if manifest["chunk_length"] != bases:
            raise InputError(
                f"sample {sample.name}: was cut into chunks of {manifest['chunk_length']} bases, {samples[0].name} "
                f"into chunks of {bases}; extract all with the same --chunk_length"
            )
    total = sum(m["frames"] for m in manifests)
    frames = _Frames(total, embeddings, kinds)
    chunk_sequence, chunk_length, label, group, split = [], [], [], [], []
    chunks = sequences = 0
    for sample, manifest in zip(samples, manifests, strict=True):
        table = _table(tables / f"{sample.name}.chunks.parquet", ["sequence", "start", "end"])
        ids = _table(tables / f"{sample.name}.sequences.parquet", ["id"])["id"].to_pylist()
        frames.add(sample.name, manifest["shards"], chunks, table.num_rows)
        chunk_sequence.append(table["sequence"].to_numpy() + sequences)
        chunk_length.append(table["end"].to_numpy() - table["start"].to_numpy())
        label += [CLASSES.index(sample.label)] * len(ids)
        group += [group_of(i) for i in ids]
        split += [sample.split] * len(ids)
        chunks, sequences = chunks + table.num_rows, sequences + len(ids)
    if not frames.filled:
        raise InputError(f"{tables}: the samples have no open frame with embeddings, there is nothing to learn from")
    data = Dataset(
        frames.features[: frames.filled],
        frames.chunk[: frames.filled],
        np.concatenate(chunk_sequence),
        np.concatenate(chunk_length),
        np.array(label),
        np.array(group, dtype=object),
        np.array(split, dtype=object),
        frames.origins,
        bases,
        total - frames.filled,
    )
    _one_side_per_group(data)
    return data


class _Frames:
    """Features and chunks of the frames read so far."""

    def __init__(self, total: int, embeddings: Path, kinds: tuple[str, ...]):
        self.folder, self.kinds = embeddings, kinds
        self.total, self.filled = total, 0
        self.origins: tuple[Origin, ...] = ()
        self.features = np.empty((0, 0), dtype=np.float32)
        self.chunk = np.empty(total, dtype=np.int64)

    def add(self, sample: str, shards: list[dict], before: int, chunks: int) -> None:
        """Read a sample's shards. `before`: chunks of earlier samples; `chunks`: of this one."""
        for shard in shards:
            files = [_embeddings(self.folder / f"{shard['name']}.{kind}.parquet", kind) for kind in self.kinds]
            if not self.origins:
                self.origins = tuple(origin for _, _, origin in files)
                self.features = np.empty((self.total, sum(o.dim for o in self.origins)), dtype=np.float32)
            for (_, _, origin), first in zip(files, self.origins, strict=True):
                _agree(f"{shard['name']}.{origin.kind}.parquet", origin, first)
            keys = files[0][0]
            for other, _, _ in files[1:]:
                keys = np.intersect1d(keys, other, assume_unique=True)
            end = self.filled + len(keys)
            last = self.chunk[self.filled - 1] if self.filled else 0
            in_place = not len(keys) or (last <= keys[0] // 6 + before and keys[-1] // 6 < chunks)
            if end > self.total or not in_place:
                raise InputError(f"{shard['name']}: its embeddings do not belong to the tables of sample {sample}")
            column = 0
            for key, vectors, origin in files:
                self.features[self.filled : end, column : column + origin.dim] = vectors[np.searchsorted(key, keys)]
                column += origin.dim
            self.chunk[self.filled : end] = keys // 6 + before
            self.filled = end


def _one_side_per_group(data: Dataset) -> None:
    """A group with two labels, or in two given splits, cannot be kept on one side."""
    seen: dict[str, tuple[int, str]] = {}
    for group, label, split in zip(data.sequence_group, data.sequence_label, data.sequence_split, strict=True):
        before = seen.setdefault(str(group), (int(label), str(split)))
        if before[0] != label:
            raise InputError(f"group {group!r}: has sequences labelled virus and others; correct labels or groups")
        if before[1] != split:
            raise InputError(
                f"group {group!r}: has sequences in the splits {before[1]!r} and {str(split)!r}; a genome must not "
                "stand on both sides"
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


def _embeddings(path: Path, kind: str) -> tuple[np.ndarray, np.ndarray, Origin]:
    """Keys int64 [rows] ascending, vectors float32 [rows, dim], and who made them."""
    table = _table(path, ["frame_key", "embedding"])
    meta = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    try:
        origin = Origin(
            meta["encoder"], meta["weights_sha256"], int(meta["layer"]), int(meta["dim"]), meta["precision"]
        )
    except KeyError as e:
        raise InputError(f"{path}: does not say what made it (no {e.args[0]!r} in its metadata); embed it again") from e
    if origin.kind != kind:
        raise InputError(f"{path}: holds embeddings by {origin.kind}, its name says {kind}")
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
    one. UsageError where the expression cannot be, InputError where it does not match."""
    try:
        expression = re.compile(pattern)
    except re.error as e:
        raise UsageError(f"--group_pattern {pattern!r}: is no regular expression ({e})") from e

    def group(record: str) -> str:
        found = expression.search(record)
        if not found:
            raise InputError(f"record {record!r}: the group pattern {pattern!r} does not match its id")
        return found.group(1 if expression.groups else 0)

    return group

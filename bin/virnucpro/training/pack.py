"""Labelled frames, taken from the embedding tasks' files into one file of rows for each side of the split.

A classifier reads all encoders' values of a frame side by side, thousands of frames drawn from everywhere at a step;
the embedding tasks leave them by encoder and shard. Here they are joined by key, once. Memory holds one shard.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from virnucpro.errors import InputError
from virnucpro.formats import FRAMES, chunk_of, frame_of
from virnucpro.training.sheet import LABELS, SIDES

EXACT = "fp32"  # of encoders without weights


@dataclass(frozen=True)
class Origin:
    """What made the embeddings of one kind, from the files' own metadata."""

    kind: str
    weights_sha256: str
    layer: int
    dim: int
    precision: str  # of the encoder's arithmetic; EXACT where there is only one


@dataclass(frozen=True)
class FeatureRows:
    """Frames of one side. path: their features, float32 [rows, width], as bytes, row by row."""

    path: Path
    width: int
    label: np.ndarray  # int8 [rows], position in LABELS
    chunk: np.ndarray  # int64 [rows], of all samples' chunks; ascending
    residues: np.ndarray  # int16 [rows]

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class Packed:
    """All sides; origins in feature order.

    failed: frames that could not be embedded, uncounted: those that no annotated protein vouches for; both are left
    out.
    """

    sides: dict[str, FeatureRows]
    origins: tuple[Origin, ...]
    chunk_length: int
    failed: int
    uncounted: int


SideOf = Callable[[np.ndarray], np.ndarray]  # of frames' sides by their sequence, int8: another side of each


def pack(
    split: Path,
    tables: Path,
    embeddings: Path,
    kinds: tuple[str, ...],
    out: Path,
    side_of: SideOf = lambda side: side,
    counted: Path | None = None,
) -> Packed:
    """Write `out`/<side>.f32 for each side. split: SPLIT_GENOMES' table. kinds: of encoder, in feature order. side_of:
    for a split by frame, which VirNucPro has. counted: of the chunks that are annotated the frames that count.

    A frame without an embedding by one of `kinds` is left out and counted. InputError where a file is missing or
    damaged, or was made otherwise than the rest.
    """
    known = _table(split, ["sample", "sequence", "label", "side"])
    of = np.array(known["sample"].to_pylist(), dtype=object)
    label = np.array([LABELS.index(x) for x in known["label"].to_pylist()], dtype=np.int8)
    side = np.array([SIDES.index(x) for x in known["side"].to_pylist()], dtype=np.int8)
    out.mkdir(parents=True, exist_ok=True)
    work = _Work(embeddings, kinds, out, side_of)
    vouched = _table(counted, ["sample", "chunk", "frames"]) if counted else None
    lengths = {}
    for sample in dict.fromkeys(of.tolist()):
        manifest = _manifest(tables / f"{sample}.manifest.json")
        lengths[manifest["chunk_length"]] = sample
        if len(lengths) > 1:
            raise InputError(f"samples {' and '.join(lengths.values())} were cut into chunks of different lengths")
        chunks = _table(tables / f"{sample}.chunks.parquet", ["sequence", *(f"residues_{f}" for f in FRAMES)])
        mine = np.flatnonzero(of == sample)
        order = np.argsort(known["sequence"].to_numpy()[mine])
        sequence = chunks["sequence"].to_numpy()
        residues = np.stack([chunks[f"residues_{f}"].to_numpy() for f in FRAMES], axis=1)
        counts = np.full((len(sequence), len(FRAMES)), True)
        if vouched is not None:
            of_sample = vouched.filter(pc.field("sample") == sample)
            bits = of_sample["frames"].to_numpy()[:, None] >> np.arange(len(FRAMES))
            counts[of_sample["chunk"].to_numpy()] = bits & 1
        where = label[mine][order][sequence], side[mine][order][sequence]
        work.add(sample, manifest["shards"], *where, residues, counts)
    return work.finished(next(iter(lengths)))


class _Work:
    """The files of rows while they grow."""

    def __init__(self, embeddings: Path, kinds: tuple[str, ...], out: Path, side_of: SideOf):
        self.folder, self.kinds, self.out, self.side_of = embeddings, kinds, out, side_of
        self.origins: tuple[Origin, ...] = ()
        self.files = [(out / f"{side}.f32").open("wb") for side in SIDES]
        self.columns: list[list[tuple[np.ndarray, ...]]] = [[] for _ in SIDES]
        self.chunks = self.failed = self.uncounted = 0  # chunks of the samples so far

    def add(self, sample: str, shards: list[dict], label, side, residues, counts) -> None:
        """A sample's shards. label, side: int8 [chunks]; residues: int16 [chunks, 6]; counts: bool [chunks, 6]."""
        for shard in shards:
            keys, features = self._joined(shard["name"])
            self.failed += shard["frames"] - len(keys)
            chunk, frame = chunk_of(keys), frame_of(keys)
            if len(keys) and (chunk[-1] >= len(label) or len(keys) > shard["frames"]):
                raise InputError(f"{shard['name']}: its embeddings do not belong to the tables of sample {sample}")
            kept = np.flatnonzero(counts[chunk, frame])
            self.uncounted += len(keys) - len(kept)
            features, chunk, frame = features[kept], chunk[kept], frame[kept]
            sides = self.side_of(side[chunk])
            for number, file in enumerate(self.files):
                rows = np.flatnonzero(sides == number)
                file.write(features[rows].data)
                self.columns[number].append(
                    (label[chunk[rows]], self.chunks + chunk[rows], residues[chunk[rows], frame[rows]])
                )
        self.chunks += len(label)

    def _joined(self, shard: str) -> tuple[np.ndarray, np.ndarray]:
        """Keys int64, ascending, of the frames that all encoders embedded, and their values side by side."""
        files = [read_embeddings(self.folder / f"{shard}.{kind}.parquet", kind) for kind in self.kinds]
        self.origins = self.origins or tuple(origin for _, _, origin in files)
        for (_, _, origin), first in zip(files, self.origins, strict=True):
            _agree(f"{shard}.{origin.kind}.parquet", origin, first)
        keys = files[0][0]
        for other, _, _ in files[1:]:
            keys = np.intersect1d(keys, other, assume_unique=True)
        features = np.empty((len(keys), sum(o.dim for o in self.origins)), dtype=np.float32)
        column = 0
        for key, vectors, origin in files:
            features[:, column : column + origin.dim] = vectors[np.searchsorted(key, keys)]
            column += origin.dim
        return keys, features

    def finished(self, chunk_length: int) -> Packed:
        for file in self.files:
            file.close()
        width = sum(o.dim for o in self.origins)
        sides = {}
        for name, columns in zip(SIDES, self.columns, strict=True):
            label, chunk, residues = (np.concatenate(c) for c in zip(*columns, strict=True)) if columns else ([],) * 3
            sides[name] = FeatureRows(self.out / f"{name}.f32", width, label, chunk, residues)
            for number, text in enumerate(LABELS):
                if not (np.asarray(label) == number).any():
                    raise InputError(
                        f"the {name} set has no frame of a sequence labelled {text} that could be embedded; add "
                        "genomes, or read stretches, too (--frames longest)"
                    )
        return Packed(sides, self.origins, chunk_length, self.failed, self.uncounted)


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
        raise InputError(f"{path}: is missing or damaged ({e})") from e


def read_embeddings(path: Path, kind: str) -> tuple[np.ndarray, np.ndarray, Origin]:
    """Keys int64 [rows] ascending, vectors float32 [rows, dim], and who made them."""
    if not path.exists():
        raise InputError(
            f"{path.name} is absent: its embedding task failed; remove the cause and run again with -resume"
        )
    table = _table(path, ["frame_key", "embedding"])
    meta = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    try:
        origin = Origin(
            meta["encoder"], meta["weights_sha256"], int(meta["layer"]), int(meta["dim"]), meta.get("precision", EXACT)
        )
    except KeyError as e:
        raise InputError(f"{path}: does not say what made it (no {e.args[0]!r} in its metadata); embed it again") from e
    if origin.kind != kind:
        raise InputError(f"{path}: holds embeddings by {origin.kind}, its name says {kind}")
    keys = table["frame_key"].to_numpy()
    values = table["embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors = values.astype(np.float32, copy=False).reshape(-1, origin.dim)
    order = np.argsort(keys, kind="stable")
    return keys[order], vectors[order], origin


def _agree(what: str, a: Origin, b: Origin) -> None:
    for name in ("weights_sha256", "layer", "dim"):
        if getattr(a, name) != getattr(b, name):
            raise InputError(
                f"{what}: {a.kind} embeddings have {name} {getattr(a, name)}, others here {getattr(b, name)}; "
                "all must come from one encoder"
            )

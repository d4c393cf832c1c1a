"""Score a sample's open frames: join embeddings by frame key, run the classifier, account for the rest."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from virnucpro.calling.mlp import Mlp
from virnucpro.calling.sample import Sample
from virnucpro.errors import InputError
from virnucpro.formats import chunk_of


@dataclass
class Scores:
    """One row per open frame of the sample, in the order of `keys`."""

    keys: np.ndarray  # int64 [frames]
    probabilities: np.ndarray  # float32 [frames, 2] (others, virus); NaN where a frame failed
    reasons: dict[int, str] = field(default_factory=dict)  # frame key -> why it has no score
    missing: list[str] = field(default_factory=list)  # embedding files that never came
    # float32 [frames, classes], where the classifier knows more than two; NaN where a frame failed
    classes: np.ndarray | None = None

    @property
    def scored(self) -> np.ndarray:
        """bool [frames]"""
        return ~np.isnan(self.probabilities[:, 0])


@dataclass(frozen=True)
class Embeddings:
    """One embedding file in memory."""

    path: Path
    keys: np.ndarray  # int64 [rows]
    vectors: np.ndarray  # float32 or float16 [rows, dim]
    failed: dict[int, str]  # frame key -> reason


def read_embeddings(path: Path) -> Embeddings:
    """Read an embedding file; InputError where it is damaged, or a key stands in it twice."""
    try:
        table = pq.read_table(path, columns=["frame_key", "embedding"], page_checksum_verification=True)
    except (OSError, pa.ArrowInvalid, KeyError) as e:
        raise InputError(f"{path.name}: not an embedding file, or a damaged one ({e})") from e
    keys = table["frame_key"].to_numpy()
    column = table["embedding"].combine_chunks()
    dim = table.schema.field("embedding").type.list_size
    vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
    if len(np.unique(keys)) != len(keys):
        raise InputError(f"{path.name}: a frame stands in it twice")
    failed = json.loads((table.schema.metadata or {}).get(b"failed", b"[]"))
    return Embeddings(path, keys, vectors, {f["frame_key"]: f["reason"] for f in failed})


def score(sample: Sample, folder: Path, mlps: list[Mlp], kinds: list[str]) -> Scores:
    """Score every open frame of `sample` whose embeddings by all `kinds` (in feature order) lie in `folder`.

    mlps: the classifier of each cut; those of one run have the same classes and read the same embeddings.

    A frame without a score gets a reason. InputError where an embedding belongs to no open frame of its shard, or an
    embedding that should be there is neither there nor listed as failed: then the accounting would not add up.
    """
    scores = Scores(sample.keys, np.full((len(sample.keys), 2), np.nan, dtype=np.float32))
    if mlps[0].classes > 2:
        scores.classes = np.full((len(sample.keys), mlps[0].classes), np.nan, dtype=np.float32)
    cut = sample.chunks["cut"].to_numpy()[chunk_of(sample.keys)]
    for shard in sample.shards:
        first, last = np.searchsorted(scores.keys, [shard["first_key"], shard["last_key"] + 1])
        keys = scores.keys[first:last]
        if len(keys) != shard["frames"]:
            raise InputError(
                f"{shard['name']}: {len(keys)} open frames in the tables, {shard['frames']} in the manifest"
            )
        joined = _join(shard["name"], keys, folder, kinds, scores)
        if joined is None:
            continue
        rows, features = joined
        for number, mlp in enumerate(mlps):
            if features.shape[1] != mlp.features:
                raise InputError(
                    f"{shard['name']}: its embeddings have {features.shape[1]} values per frame, the classifier reads "
                    f"{mlp.features}"
                )
            mine = cut[first + rows] == number
            if mine.any():
                at = first + rows[mine]
                scores.probabilities[at], of_classes = mlp.both(features[mine])
                if scores.classes is not None:
                    scores.classes[at] = of_classes
    return scores


def _join(name: str, keys: np.ndarray, folder: Path, kinds: list[str], scores: Scores):
    """Rows of `keys` (int64) that all `kinds` embedded, with their features [rows, sum of dims]; None where a file is
    absent. Notes in `scores` why the others are not there."""
    parts: list[np.ndarray] = []
    whole = np.ones(len(keys), dtype=bool)
    absent = [kind for kind in kinds if not (folder / f"{name}.{kind}.parquet").exists()]
    for kind in absent:
        scores.missing.append(f"{name}.{kind}")
    if absent:
        reason = f"not embedded: its {' and '.join(absent)} task failed"
        scores.reasons.update(dict.fromkeys(keys.tolist(), reason))
        return None
    for kind in kinds:
        e = read_embeddings(folder / f"{name}.{kind}.parquet")
        at = np.searchsorted(keys, e.keys)
        if (at >= len(keys)).any() or (keys[np.minimum(at, len(keys) - 1)] != e.keys).any():
            raise InputError(f"{e.path.name}: it has an embedding of a frame that is not of shard {name}")
        here = np.zeros(len(keys), dtype=bool)
        here[at] = True
        for row in np.flatnonzero(~here).tolist():
            key = int(keys[row])
            if key not in e.failed:
                raise InputError(f"{e.path.name}: frame {key} is neither embedded nor listed as failed")
            scores.reasons.setdefault(key, f"{kind}: {e.failed[key]}")
        vectors = np.empty((len(keys), e.vectors.shape[1]), dtype=np.float32)
        vectors[at] = e.vectors
        parts.append(vectors)
        whole &= here
    rows = np.flatnonzero(whole)
    return rows, np.concatenate(parts, axis=1)[rows]

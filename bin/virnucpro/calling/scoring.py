"""Score a sample's open frames: join embeddings by frame key, run the classifier, account for the rest."""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from virnucpro.calling.mlp import ROWS, Mlp
from virnucpro.calling.sample import Sample
from virnucpro.errors import InputError
from virnucpro.formats import FRAMES, chunk_of


@dataclass
class Scores:
    """One row per open frame of a sample or a block of it, in the order of `keys`, which are the block's own."""

    keys: np.ndarray  # int64 [frames]
    probabilities: np.ndarray  # float32 [frames, 2] (others, virus); NaN where a frame failed
    reasons: dict[int, str] = field(default_factory=dict)  # frame key -> why it has no score
    missing: list[str] = field(default_factory=list)  # embedding files that never came; told once
    # float32 [frames, classes], where the classifier knows more than two; NaN where a frame failed
    classes: np.ndarray | None = None

    @property
    def scored(self) -> np.ndarray:
        """bool [frames]"""
        return ~np.isnan(self.probabilities[:, 0])


@dataclass(frozen=True)
class Embeddings:
    """One embedding file in memory. Of `vectors`, row order[i] belongs to keys[i]."""

    path: Path
    keys: np.ndarray  # int64 [rows], ascending
    order: np.ndarray  # int64 [rows]
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
    order = np.argsort(keys, kind="stable")
    if (np.diff(keys[order]) == 0).any():
        raise InputError(f"{path.name}: a frame stands in it twice")
    failed = json.loads((table.schema.metadata or {}).get(b"failed", b"[]"))
    return Embeddings(path, keys[order], order, vectors, {f["frame_key"]: f["reason"] for f in failed})


def score(sample: Sample, folder: Path, mlps: list[Mlp], kinds: list[str]) -> Scores:
    """Score every open frame of a whole sample. See Scorer."""
    scorer = Scorer(sample.manifest["shards"], folder, mlps, kinds)
    scores = scorer.score(sample)
    scorer.close()
    return scores


class Scorer:
    """Scores a sample block after block, and reads each embedding file once: one shard is in memory at a time."""

    def __init__(self, shards: Sequence[dict], folder: Path, mlps: list[Mlp], kinds: list[str]):
        """shards: as in the manifest, by their keys. folder: where their embeddings by all `kinds` lie (in feature
        order). mlps: the classifier of each cut; those of one run have the same classes and read the same embeddings.
        """
        self._shards = deque(shards)
        self._folder, self._mlps, self._kinds = folder, mlps, kinds
        self._shard: _Shard | None = None

    def score(self, block: Sample) -> Scores:
        """The scores of the next block's frames.

        A frame without a score gets a reason. InputError where an embedding belongs to no open frame of its shard, or
        an embedding that should be there is neither there nor listed as failed: then the accounting would not add up.
        """
        n = len(block.keys)
        scores = Scores(block.keys, np.full((n, 2), np.nan, dtype=np.float32))
        if (classes := self._mlps[0].classes) > 2:
            scores.classes = np.full((n, classes), np.nan, dtype=np.float32)
        cut = block.chunks["cut"].to_numpy()[chunk_of(block.keys)]
        keys = block.keys + block.first_key
        end = block.first_key + len(FRAMES) * block.chunks.height
        for shard in self._until(end, scores):
            first, last = np.searchsorted(keys, [shard.first, min(shard.last + 1, end)])
            shard.frames += int(last - first)
            shard.check_strangers(keys[first:last], min(shard.last + 1, end))
            for begin in range(first, last, ROWS):
                rows = np.arange(begin, min(begin + ROWS, last))
                self._score(shard, rows, keys[rows], cut, scores, block.first_key)
        return scores

    def close(self) -> None:
        """InputError where frames of the manifest are not in the tables."""
        if self._shard is not None:
            self._shard.check_frames()
        if self._shards:
            raise InputError(f"{self._shards[0]['name']}: no open frames in the tables, though in the manifest")

    def _until(self, end: int, scores: Scores) -> Iterator["_Shard"]:
        """The shards that have keys below `end` and were not left behind."""
        while True:
            if self._shard is None:
                if not self._shards or self._shards[0]["first_key"] >= end:
                    return
                self._shard = _Shard(self._shards.popleft(), self._folder, self._kinds)
                scores.missing += [f"{self._shard.name}.{kind}" for kind in self._shard.absent]
            yield self._shard
            if self._shard.last >= end:
                return
            self._shard.check_frames()
            self._shard = None

    def _score(
        self, shard: "_Shard", rows: np.ndarray, keys: np.ndarray, cut: np.ndarray, scores: Scores, first_key: int
    ) -> None:
        """Score some frames of a shard: `rows` of the scores, with the sample's `keys`."""
        found, features, reasons = shard.features(keys)
        scores.reasons.update((key - first_key, reason) for key, reason in reasons.items())
        for number, mlp in enumerate(self._mlps):
            if features is not None and features.shape[1] != mlp.features:
                raise InputError(
                    f"{shard.name}: its embeddings have {features.shape[1]} values per frame, the classifier reads "
                    f"{mlp.features}"
                )
            mine = cut[rows[found]] == number
            if mine.any():
                at = rows[found][mine]
                scores.probabilities[at], of_classes = mlp.both(features[mine])
                if scores.classes is not None:
                    scores.classes[at] = of_classes


class _Shard:
    """The embeddings of one shard by all kinds of encoder."""

    def __init__(self, entry: dict, folder: Path, kinds: list[str]):
        self.name, self.first, self.last = entry["name"], entry["first_key"], entry["last_key"]
        self.frames, self._expected = 0, entry["frames"]  # found in the tables; as the manifest says
        paths = {kind: folder / f"{self.name}.{kind}.parquet" for kind in kinds}
        self.absent = [kind for kind, path in paths.items() if not path.exists()]
        self._embeddings = {} if self.absent else {kind: read_embeddings(path) for kind, path in paths.items()}
        self._checked = self.first  # keys below were looked at

    def check_frames(self) -> None:
        if self.frames != self._expected:
            raise InputError(f"{self.name}: {self.frames} open frames in the tables, {self._expected} in the manifest")

    def check_strangers(self, keys: np.ndarray, end: int) -> None:
        """InputError where a file has an embedding below `end` of none of these frames. keys: all of the shard's frames
        from the last such check to `end`."""
        for e in self._embeddings.values():
            begin = 0 if self._checked == self.first else np.searchsorted(e.keys, self._checked)
            stop = len(e.keys) if end > self.last else np.searchsorted(e.keys, end)
            if not np.isin(e.keys[begin:stop], keys).all():
                raise InputError(f"{e.path.name}: it has an embedding of a frame that is not of shard {self.name}")
        self._checked = end

    def features(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, dict[int, str]]:
        """Of frames of the shard, by keys (int64, ascending): which of them all kinds embedded (positions), features
        of these float32 [found, sum of dims], and why the others are not there. None where a file is absent."""
        if self.absent:
            reason = f"not embedded: its {' and '.join(self.absent)} task failed"
            return np.empty(0, dtype=np.int64), None, dict.fromkeys(keys.tolist(), reason)
        reasons: dict[int, str] = {}
        places = {}
        found = np.ones(len(keys), dtype=bool)
        for kind, e in self._embeddings.items():
            place = np.minimum(np.searchsorted(e.keys, keys), len(e.keys) - 1)
            here = e.keys[place] == keys if len(e.keys) else np.zeros(len(keys), dtype=bool)
            for key in keys[~here].tolist():
                if key not in e.failed:
                    raise InputError(f"{e.path.name}: frame {key} is neither embedded nor listed as failed")
                reasons.setdefault(key, f"{kind}: {e.failed[key]}")
            places[kind] = place
            found &= here
        rows = np.flatnonzero(found)
        parts = [e.vectors[e.order[places[kind][rows]]] for kind, e in self._embeddings.items()]
        return rows, np.concatenate(parts, axis=1, dtype=np.float32), reasons

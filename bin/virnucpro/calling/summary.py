"""A sample's summary: the counts and samples of rows that the report is made of."""

from collections import Counter

import numpy as np
import polars as pl

from virnucpro.calling.ids import shown
from virnucpro.calling.scoring import Scores
from virnucpro.errors import InputError
from virnucpro.formats import FRAMES, chunk_of, frame_of
from virnucpro.names import CHUNK_STATES, SEQUENCE_STATES

TOP = 50
POINTS = 2000
FAILURES = 1000
BINS = 20
CHUNK_GROUPS, CHUNK_LABELS = (1, 2, 4, 8), ["0", "1", "2-3", "4-7", "8+"]  # of scored chunks: where each group begins


class Summary:
    """The content of `<sample>.summary.json`: counts by state (they add up to the input) and what figures need.

    First the calls of all blocks are added, then their sequences as they are called in the end.
    """

    def __init__(self, name: str, manifest: dict, classifiers: list[str]):
        self._name, self._manifest, self._classifiers = name, manifest, classifiers
        self._chunks = dict.fromkeys(("total", *CHUNK_STATES), 0)
        self._frames = {"total": 0, "stretches": manifest["stretches"], "scored": 0, "failed": 0}
        self._missing: list[str] = []
        self._failed_frames: list[dict] = []
        self._sequences = dict.fromkeys(("total", *SEQUENCE_STATES), 0)
        self._with_score = 0  # sequences
        self._screened = self._failed_alone = self._seen = 0
        self._failed_sequences: list[dict] = []
        self._of_classifiers = dict.fromkeys(classifiers, 0)
        self._by_evidence: Counter[tuple[str, str, str]] = Counter()
        self._codes = {"genetic_code": {}, "better_genetic_code": {}}
        self._histogram = np.zeros(BINS, dtype=np.int64)
        self._points: list[list] = []
        self._top: pl.DataFrame | None = None
        self._weak = {"one_scored_chunk": 0, "shorter_than_a_chunk": 0}

    def add_calls(self, sequences: pl.DataFrame, chunks: pl.DataFrame, scores: Scores) -> None:
        """A block's chunks, called; `sequence_id` is among their columns, or is taken from the block's sequences."""
        _count(self._chunks, chunks)
        self._with_score += len(sequences) - sequences["virus_score"].null_count()
        self._frames["total"] += len(scores.keys)
        self._frames["scored"] += int(scores.scored.sum())
        self._frames["failed"] += len(scores.reasons)
        self._missing += scores.missing
        for key in sorted(scores.reasons)[: FAILURES - len(self._failed_frames)]:
            chunk = chunks.row(chunk_of(key), named=True)
            of = sequences["sequence_id"][chunk["sequence"]]
            name = f"{of}_chunk_{chunk['number']}{FRAMES[frame_of(key)]}"
            self._failed_frames.append({"level": "frame", "id": name, "reason": scores.reasons[key]})

    def add_sequences(self, sequences: pl.DataFrame) -> None:
        """A block's sequences, in order, with the sample's numbers."""
        _count(self._sequences, sequences)
        self._screened += sequences.filter(pl.col("evidence") == "screened").height
        alone = sequences.filter((pl.col("state") == "failed") & (pl.col("chunks_failed") == 0))
        self._failed_alone += alone.height
        told = alone.head(FAILURES - len(self._failed_sequences)).select("sequence_id", "reason").rows()
        self._failed_sequences += [{"level": "sequence", "id": name, "reason": reason} for name, reason in told]
        called = sequences.filter(pl.col("state").is_in(["virus", "other"]))
        for cut, name in enumerate(self._classifiers):
            self._of_classifiers[name] += called.filter(pl.col("cut") == cut).height
        self._by_evidence.update(_evidence(called))
        for column, codes in self._codes.items():
            _add_codes(codes, sequences, column)
        scored = sequences.filter(pl.col("virus_score").is_not_null())
        self._histogram += np.histogram(scored["virus_score"].to_numpy(), bins=BINS, range=(0, 1))[0]
        self._add_points(scored)
        top = sequences if self._top is None else pl.concat([self._top, _viruses(sequences)])
        self._top = _viruses(top).head(TOP)
        viral = sequences.filter(pl.col("state") == "virus")
        self._weak["one_scored_chunk"] += viral.filter(pl.col("chunks_scored") == 1).height
        self._weak["shorter_than_a_chunk"] += viral.filter(pl.col("length") < self._manifest["chunk_length"]).height

    def check(self) -> None:
        """Every sequence, chunk and frame of the input must be there, once, in a known state; InputError if not."""
        wrong = []
        for what, counts in (("sequences", self._sequences), ("chunks", self._chunks)):
            expected, known = self._manifest[what], sum(counts.values()) - counts["total"]
            if counts["total"] != expected:
                wrong.append(f"{counts['total']:,} {what} called, {expected:,} in the input")
            if known != expected:
                wrong.append(f"{known:,} {what} have a state, {expected:,} are in the input")
        explained = self._frames["scored"] + self._frames["failed"]
        if explained != self._manifest["frames"]:
            wrong.append(f"{explained:,} frames are scored or explained, {self._manifest['frames']:,} are open")
        if wrong:
            raise InputError(f"sample {self._name}: the accounts do not add up: {'; '.join(wrong)}")

    def content(self, min_score: float) -> dict:
        failures = (self._failed_sequences + self._failed_frames)[:FAILURES]
        total = self._failed_alone + self._frames["failed"]
        state = "failed" if self._manifest["state"] == "failed" else "partial" if total else "complete"
        reason = self._manifest["reason"]
        sequences = self._sequences["total"]
        if sequences and not self._frames["scored"] and self._sequences["failed"] == sequences:
            first = failures[0]
            state = "failed"
            reason = f"none of its sequences could be scored; the first, {first['id']}: {first['reason']}"
        return {
            "format": 1,
            "sample": self._name,
            "state": state,
            "reason": reason,
            "files": self._manifest["files"],
            "bases": self._manifest["bases"],
            "sequences": self._sequences,
            "screened": self._screened,  # among the others
            "chunks": self._chunks,
            "frames": self._frames,
            "classifiers": self._of_classifiers,
            "calls_by_evidence": self._evidence_rows(),
            "genetic_codes": _code_rows(self._codes["genetic_code"]),
            "better_genetic_codes": _code_rows(self._codes["better_genetic_code"]),
            "min_score": min_score,
            "score_histogram": self._histogram.tolist(),
            "length_score": self._points,
            "top_viruses": self._top_rows(),
            "virus_calls": self._weak,
            "failures": failures,
            "failures_total": total,
            "missing": self._missing,
        }

    def _add_points(self, scored: pl.DataFrame) -> None:
        """At most POINTS rows [length, virus_score, state], evenly spaced in input order: the same for the same
        input."""
        rows = np.unique(np.linspace(0, self._with_score - 1, min(POINTS, self._with_score)).astype(int))
        mine = rows[(rows >= self._seen) & (rows < self._seen + scored.height)] - self._seen
        picked = scored[mine.tolist()].select("length", pl.col("virus_score").round(4), "state")
        self._points += [list(row) for row in picked.iter_rows()]
        self._seen += scored.height

    def _evidence_rows(self) -> list[dict]:
        """How many sequences were called virus and other, by what the call rests on and the number of scored chunks."""
        groups = {(evidence, label) for evidence, label, _ in self._by_evidence}
        return [
            {"evidence": evidence, "scored_chunks": label}
            | {state: self._by_evidence[evidence, label, state] for state in ("virus", "other")}
            for evidence, label in sorted(groups, key=lambda group: (group[0], CHUNK_LABELS.index(group[1])))
        ]

    def _top_rows(self) -> list[dict]:
        """The TOP viral sequences with the most viral chunks."""
        numbers = ["length", "virus_score", "max_p_virus", "chunks", "chunks_scored", "chunks_virus"]
        rows = pl.col("sequence_id").alias("id"), shown("description"), *numbers
        return [] if self._top is None else self._top.select(rows).to_dicts()


def _count(counts: dict[str, int], table: pl.DataFrame) -> None:
    """Add a table's rows to the counts: all, and by state."""
    counts["total"] += table.height
    for state, count in table["state"].value_counts().iter_rows():
        if state in counts:
            counts[state] += count


def _evidence(called: pl.DataFrame) -> dict[tuple[str, str, str], int]:
    """Called sequences by what the call rests on, the number of scored chunks, and the call."""
    group = np.searchsorted(CHUNK_GROUPS, called["chunks_scored"].to_numpy(), side="right")
    labels = pl.Series("scored_chunks", CHUNK_LABELS).gather(group)
    counts = called.with_columns(labels).group_by("evidence", "scored_chunks", "state").len()
    return {(evidence, label, state): count for evidence, label, state, count in counts.iter_rows()}


def _add_codes(codes: dict[int, dict], sequences: pl.DataFrame, column: str) -> None:
    """Of each genetic code in `column` how many sequences have it, how many bases, and the longest one's id."""
    coded = sequences.filter(pl.col(column) > 0)
    longest = pl.col("sequence_id").get(pl.col("length").arg_max())
    of_code = coded.group_by(column).agg(pl.len(), pl.col("length").sum(), longest, most=pl.col("length").max())
    for code, count, bases, name, most in of_code.iter_rows():
        known = codes.setdefault(code, {"sequences": 0, "bases": 0, "longest": name, "most": most})
        known["sequences"] += count
        known["bases"] += bases
        if most > known["most"]:
            known |= {"longest": name, "most": most}


def _code_rows(codes: dict[int, dict]) -> dict[str, dict]:
    names = ("sequences", "bases", "longest")
    return {str(code): {name: codes[code][name] for name in names} for code in sorted(codes)}


def _viruses(sequences: pl.DataFrame) -> pl.DataFrame:
    """The viral sequences, those with the most viral chunks first; of as many, those with the highest score. By score
    alone, fragments with a single scored chunk would lead: a mean over many chunks is hardly ever extreme."""
    order = ["chunks_virus", "virus_score", "length", "sequence"]
    return sequences.filter(pl.col("state") == "virus").sort(order, descending=[True, True, True, False]).head(TOP)

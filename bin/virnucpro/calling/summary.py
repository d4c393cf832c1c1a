"""A sample's summary: the counts and samples of rows that the report is made of."""

import numpy as np
import polars as pl

from virnucpro.calling.ids import shown
from virnucpro.calling.sample import Sample
from virnucpro.calling.scoring import Scores
from virnucpro.formats import FRAMES, chunk_of, frame_of
from virnucpro.names import CHUNK_STATES, SEQUENCE_STATES

TOP = 50
POINTS = 2000
FAILURES = 1000
BINS = 20
CHUNK_GROUPS, CHUNK_LABELS = (1, 2, 4, 8), ["0", "1", "2-3", "4-7", "8+"]  # of scored chunks: where each group begins


def summarise(
    sample: Sample,
    sequences: pl.DataFrame,
    chunks: pl.DataFrame,
    scores: Scores,
    min_score: float,
    classifiers: list[str],
) -> dict:
    """The content of `<sample>.summary.json`: counts by state (they add up to the input) and what figures need."""
    scored = sequences.filter(pl.col("virus_score").is_not_null())
    histogram = np.histogram(scored["virus_score"].to_numpy(), bins=BINS, range=(0, 1))[0]
    called = pl.col("state").is_in(["virus", "other"])
    failures, total = _failures(sequences, scores, chunks)
    state = "failed" if sample.manifest["state"] == "failed" else "partial" if total else "complete"
    reason = sample.manifest["reason"]
    if sequences.height and not scores.scored.any() and (sequences["state"] == "failed").all():
        first = failures[0]
        state, reason = "failed", f"none of its sequences could be scored; the first, {first['id']}: {first['reason']}"
    return {
        "format": 1,
        "sample": sample.name,
        "state": state,
        "reason": reason,
        "files": sample.manifest["files"],
        "bases": sample.manifest["bases"],
        "sequences": {"total": sequences.height, **_counts(sequences, SEQUENCE_STATES)},
        "screened": sequences.filter(pl.col("evidence") == "screened").height,  # among the others
        "chunks": {"total": chunks.height, **_counts(chunks, CHUNK_STATES)},
        "frames": {
            "total": len(scores.keys),
            "stretches": sample.manifest["stretches"],
            "scored": int(scores.scored.sum()),
            "failed": len(scores.reasons),
        },
        "classifiers": {
            name: sequences.filter(called & (pl.col("cut") == i)).height for i, name in enumerate(classifiers)
        },
        "calls_by_evidence": _by_evidence(sequences.filter(called)),
        "genetic_codes": _by_code(sequences, "genetic_code"),
        "better_genetic_codes": _by_code(sequences, "better_genetic_code"),
        "min_score": min_score,
        "score_histogram": histogram.tolist(),
        "length_score": _points(scored),
        "top_viruses": _top(sequences),
        "virus_calls": _weak_calls(sequences, sample.manifest["chunk_length"]),
        "failures": failures,
        "failures_total": total,
        "missing": scores.missing,
    }


def _counts(table: pl.DataFrame, states: tuple[str, ...]) -> dict[str, int]:
    return {state: table.filter(pl.col("state") == state).height for state in states}


def _by_evidence(called: pl.DataFrame) -> list[dict]:
    """How many sequences were called virus and other, by what the call rests on and the number of scored chunks."""
    group = np.searchsorted(CHUNK_GROUPS, called["chunks_scored"].to_numpy(), side="right")
    labels = pl.Series("scored_chunks", CHUNK_LABELS).gather(group)
    by = called.with_columns(labels).group_by("evidence", "scored_chunks")
    counts = by.agg(*((pl.col("state") == state).sum().alias(state) for state in ("virus", "other")))
    order = {label: i for i, label in enumerate(CHUNK_LABELS)}
    return sorted(counts.to_dicts(), key=lambda row: (row["evidence"], order[row["scored_chunks"]]))


def _by_code(sequences: pl.DataFrame, column: str) -> dict[str, dict]:
    """Of each genetic code in `column` how many sequences have it, how many bases, and the longest one's id."""
    longest = sequences.filter(pl.col(column) > 0).sort("length", descending=True, maintain_order=True)
    of_code = longest.group_by(column).agg(pl.len(), pl.col("length").sum(), pl.col("sequence_id").first())
    rows = of_code.sort(column).rows()
    return {str(code): {"sequences": n, "bases": bases, "longest": name} for code, n, bases, name in rows}


def _points(scored: pl.DataFrame) -> list[list]:
    """At most POINTS rows [length, virus_score, state], evenly spaced in input order: the same for the same input."""
    rows = np.unique(np.linspace(0, scored.height - 1, min(POINTS, scored.height)).astype(int))
    picked = scored[rows.tolist()].select("length", pl.col("virus_score").round(4), "state")
    return [list(row) for row in picked.iter_rows()]


def _top(sequences: pl.DataFrame) -> list[dict]:
    """The TOP viral sequences with the most viral chunks; of as many, those with the highest score. By score alone,
    fragments with a single scored chunk would lead: a mean over many chunks is hardly ever extreme."""
    order = ["chunks_virus", "virus_score", "length", "sequence"]
    top = sequences.filter(pl.col("state") == "virus").sort(order, descending=[True, True, True, False]).head(TOP)
    numbers = ["length", "virus_score", "max_p_virus", "chunks", "chunks_scored", "chunks_virus"]
    return top.select(pl.col("sequence_id").alias("id"), shown("description"), *numbers).to_dicts()


def _weak_calls(sequences: pl.DataFrame, chunk_length: int) -> dict[str, int]:
    """How many sequences called virus stand on little: one scored chunk, or fewer bases than a chunk has."""
    viral = sequences.filter(pl.col("state") == "virus")
    return {
        "one_scored_chunk": viral.filter(pl.col("chunks_scored") == 1).height,
        "shorter_than_a_chunk": viral.filter(pl.col("length") < chunk_length).height,
    }


def _failures(sequences: pl.DataFrame, scores: Scores, chunks: pl.DataFrame) -> tuple[list[dict], int]:
    """The first FAILURES records that failed, with reasons, and how many there are."""
    alone = sequences.filter((pl.col("state") == "failed") & (pl.col("chunks_failed") == 0))
    told = alone.head(FAILURES).select("sequence_id", "reason").rows()
    rows = [{"level": "sequence", "id": name, "reason": reason} for name, reason in told]
    keys = sorted(scores.reasons)
    for key in keys[: FAILURES - len(rows)]:
        chunk = chunks.row(chunk_of(key), named=True)
        name = f"{sequences['sequence_id'][chunk['sequence']]}_chunk_{chunk['number']}{FRAMES[frame_of(key)]}"
        rows.append({"level": "frame", "id": name, "reason": scores.reasons[key]})
    return rows, alone.height + len(keys)

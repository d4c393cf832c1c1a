"""From frame scores to calls: chunks as VirNucPro calls them, sequences from their chunks. Every row gets one state."""

import numpy as np
import polars as pl

from virnucpro.errors import InputError
from virnucpro.sample import Sample
from virnucpro.scoring import Scores
from virnucpro.tables import FRAMES

CHUNK_STATES = ("virus", "other", "no_open_frame", "failed")
SEQUENCE_STATES = ("virus", "other", "no_open_frame", "too_short", "failed")


def call_chunks(sample: Sample, scores: Scores) -> pl.DataFrame:
    """The chunk table with its calls: one row per chunk, in order.

    virus where the best virus score of its frames reaches the best score for "others" (VirNucPro's rule). Its
    `chunk_score` is the share of the first in the sum of both: 0.5 and above exactly where that rule says virus. A
    chunk of which any open frame has no score is `failed`: its call could differ from that of an undisturbed run.
    """
    n = sample.chunks.height
    chunk = scores.keys // 6
    virus, other = (np.full(n, np.nan, dtype=np.float32) for _ in range(2))
    frame = np.full(n, -1, dtype=np.int8)
    done = scores.scored
    if done.any():
        of, p = chunk[done], scores.probabilities[done]
        first = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])  # frames of one chunk lie together
        virus[of[first]] = np.maximum.reduceat(p[:, 1], first)
        other[of[first]] = np.maximum.reduceat(p[:, 0], first)
        top = np.flatnonzero(p[:, 1] == virus[of])[::-1]  # reversed: of equal frames the first is kept
        frame[of[top]] = (scores.keys[done][top] % 6).astype(np.int8)
    opened = np.bincount(chunk, minlength=n)
    scored = np.bincount(chunk[done], minlength=n)
    state = np.select([opened == 0, scored < opened, virus >= other], ["no_open_frame", "failed", "virus"], "other")
    reasons: list[str | None] = [None] * n
    for key in sorted(scores.reasons, reverse=True):  # reversed: the first of a chunk's frames is kept
        reasons[key // 6] = f"{FRAMES[key % 6]}: {scores.reasons[key]}"
    both = virus.astype(np.float64) + other  # exact, so that the share is not rounded across 0.5
    both[scored < opened] = np.nan
    return sample.chunks.with_columns(
        pl.Series("open_count", opened, dtype=pl.Int32),
        pl.Series("scored_count", scored, dtype=pl.Int32),
        pl.Series("virus_score", virus).fill_nan(None),
        pl.Series("other_score", other).fill_nan(None),
        pl.Series("chunk_score", virus / both).fill_nan(None),
        pl.Series("best_frame", frame),
        pl.Series("state", state.tolist(), dtype=pl.String),
        pl.Series("reason", reasons, dtype=pl.String),
    )


def call_sequences(sample: Sample, chunks: pl.DataFrame, min_score: float) -> pl.DataFrame:
    """The sequence table with its calls: one row per input record, in order.

    virus_score: mean over the scored chunks, weighted by chunk length, of `chunk_score`. Not of the best virus scores:
    they rise with the number of open frames, whatever these say, and sequences without a viral chunk reached 0.5
    (docs/method.md). A sequence with a failed chunk is `failed`; its score then covers the other chunks only.
    """
    scored = pl.col("state").is_in(["virus", "other"])
    length = (pl.col("end") - pl.col("start")).cast(pl.Float64)
    per_sequence = chunks.group_by("sequence", maintain_order=True).agg(
        ((pl.col("chunk_score") * length).filter(scored).sum() / length.filter(scored).sum())
        .fill_nan(None)
        .alias("virus_score"),
        pl.col("virus_score").filter(scored).max().cast(pl.Float64).alias("max_virus_score"),
        scored.sum().alias("chunks_scored"),
        (pl.col("state") == "virus").sum().alias("chunks_virus"),
        (pl.col("state") == "no_open_frame").sum().alias("chunks_no_open_frame"),
        (pl.col("state") == "failed").sum().alias("chunks_failed"),
        pl.col("reason").drop_nulls().first().alias("chunk_reason"),
    )
    counts = [c for c in per_sequence.columns if c.startswith("chunks_")]
    called = sample.sequences.join(per_sequence, on="sequence", how="left", maintain_order="left").with_columns(
        pl.col(counts).fill_null(0)
    )
    failed = pl.col("chunks_failed") > 0
    state = (
        pl.when(pl.col("state") != "")
        .then(pl.col("state"))
        .when(failed)
        .then(pl.lit("failed"))
        .when(pl.col("chunks_scored") == 0)
        .then(pl.lit("no_open_frame"))
        .when(pl.col("virus_score") >= min_score)
        .then(pl.lit("virus"))
        .otherwise(pl.lit("other"))
    )
    why = pl.format("{} of {} chunks failed, the first in frame {}", "chunks_failed", "chunks", "chunk_reason")
    reason = pl.when(failed).then(why).otherwise(pl.col("reason"))
    return called.with_columns(state.alias("state"), reason.alias("reason")).drop("chunk_reason")


def check_accounts(sample: Sample, sequences: pl.DataFrame, chunks: pl.DataFrame, scores: Scores) -> None:
    """Every sequence, chunk and frame of the input must be there, once, in a known state; InputError if not."""
    wrong = []
    for what, table, states in (("sequences", sequences, SEQUENCE_STATES), ("chunks", chunks, CHUNK_STATES)):
        if table.height != sample.manifest[what]:
            wrong.append(f"{table.height:,} {what} called, {sample.manifest[what]:,} in the input")
        known = table.filter(pl.col("state").is_in(states)).height
        if known != sample.manifest[what]:
            wrong.append(f"{known:,} {what} have a state, {sample.manifest[what]:,} are in the input")
    if not sequences["sequence"].equals(pl.Series("sequence", np.arange(sequences.height))):
        wrong.append("sequences are missing, doubled or out of order")
    explained = int(scores.scored.sum()) + len(scores.reasons)
    if explained != sample.manifest["frames"]:
        wrong.append(f"{explained:,} frames are scored or explained, {sample.manifest['frames']:,} are open")
    if wrong:
        raise InputError(f"sample {sample.name}: the accounts do not add up: {'; '.join(wrong)}")

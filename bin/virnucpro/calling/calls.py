"""From frame scores to calls: chunks as VirNucPro calls them, sequences from their chunks. Every row gets one state."""

import numpy as np
import polars as pl

from virnucpro.bundle.coding import Coding
from virnucpro.calling.sample import Sample
from virnucpro.calling.scoring import Scores
from virnucpro.formats import FRAMES, chunk_of, frame_of

NEIGHBOURS = 5  # chunks on either side


def share_of_virus(virus: np.ndarray, other: np.ndarray) -> np.ndarray:
    """virus / (virus + other), float64, of float32 scores: 0.5 and above exactly where `virus` reaches `other`, as
    their sum is exact in float64 and nothing is rounded across 0.5."""
    return virus / (virus.astype(np.float64) + other)


def call_chunks(sample: Sample, scores: Scores, rule: str = "best", coding: Coding | None = None) -> pl.DataFrame:
    """The chunk table with its calls: one row per chunk, in order.

    Rule `best`, VirNucPro's: virus where the best virus score of its frames reaches the best score for "others". Its
    `virus_score` is the share of the first in the sum of both: 0.5 and above exactly where that rule says virus. Rule
    `mean`: the mean log-odds of its frames (`odds`), weighted by their residues, as a probability; with `coding`
    (bundle/coding.py; the column has its own mean log-odds) that it codes at all is weighed in, together with its
    neighbours: 500 bases alone say little of that. `weight` is what the chunk counts in its sequence: its bases, or
    with `mean` the residues read. A chunk of which any frame has no score is `failed`: its call could differ from that
    of an undisturbed run.
    """
    n = sample.chunks.height
    odds = codes = np.full(n, np.nan)
    chunk = chunk_of(scores.keys)
    virus, other = (np.full(n, np.nan, dtype=np.float32) for _ in range(2))
    frame = np.full(n, -1, dtype=np.int8)
    done = scores.scored
    if done.any():
        of, p = chunk[done], scores.probabilities[done]
        first = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])  # frames of one chunk lie together
        virus[of[first]] = np.maximum.reduceat(p[:, 1], first)
        other[of[first]] = np.maximum.reduceat(p[:, 0], first)
        top = np.flatnonzero(p[:, 1] == virus[of])[::-1]  # reversed: of equal frames the first is kept
        frame[of[top]] = frame_of(scores.keys[done][top]).astype(np.int8)
    opened = np.bincount(chunk, minlength=n)
    scored = np.bincount(chunk[done], minlength=n)
    reasons: list[str | None] = [None] * n
    for key in sorted(scores.reasons, reverse=True):  # reversed: the first of a chunk's frames is kept
        reasons[chunk_of(key)] = f"{FRAMES[frame_of(key)]}: {scores.reasons[key]}"
    if rule == "mean":
        weight = frame_residues(sample)
        total = np.bincount(chunk, weight, minlength=n)

        def mean(of_frames: np.ndarray) -> np.ndarray:
            summed = np.bincount(chunk[done], (weight * of_frames)[done], minlength=n)
            return np.divide(summed, total, out=np.full(n, np.nan), where=scored > 0)

        of_virus = odds = mean(log_odds(scores.probabilities))
        if coding is not None:
            codes = mean(coding.evidence(scores.classes))
            of_virus = coding.bounded(odds, of_neighbourhood(codes, total, sample.chunks))
        share, weight = as_probability(of_virus), total
    else:
        share, weight = share_of_virus(virus, other), (sample.chunks["end"] - sample.chunks["start"]).to_numpy()
    share = np.where(scored < opened, np.nan, share)
    state = np.select([opened == 0, scored < opened, share >= 0.5], ["no_open_frame", "failed", "virus"], "other")
    return sample.chunks.with_columns(
        evidence_of(pl.col("open_frames") > 0, pl.col("stretch_frames") > 0).alias("evidence"),
        pl.Series("scored_count", scored, dtype=pl.Int32),
        pl.Series("max_p_virus", virus).fill_nan(None),
        pl.Series("max_p_other", other).fill_nan(None),
        pl.Series("virus_score", share).fill_nan(None),
        pl.Series("odds", odds).fill_nan(None),
        pl.Series("coding", codes).fill_nan(None),
        pl.Series("weight", weight, dtype=pl.Float64),
        pl.Series("best_frame", frame),
        pl.Series("state", state.tolist(), dtype=pl.String),
        pl.Series("reason", reasons, dtype=pl.String),
    )


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """log(virus / other), float64 [frames], of float32 [frames, 2] (other, virus); at most 16 either way."""
    p = np.clip(probabilities.astype(np.float64), 1e-7, 1)
    return np.log(p[:, 1]) - np.log(p[:, 0])


def as_probability(odds: np.ndarray) -> np.ndarray:
    """Of log-odds, float64."""
    return 1 / (1 + np.exp(-odds))


def of_neighbourhood(values: np.ndarray, weight: np.ndarray, chunks: pl.DataFrame) -> np.ndarray:
    """Mean of each chunk and up to NEIGHBOURS on either side of it in its sequence, by weight; float64 [chunks].

    values: NaN where there is none, and none counts; NaN comes back where no neighbour has one, either. Added up in the
    same order wherever a sequence stands, to the same last digit.
    """
    group = chunks.select(pl.struct("sequence", "cut").rle_id()).to_series().to_numpy()
    n = len(values)
    weight = np.where(np.isnan(values), 0, weight)
    known = np.where(weight > 0, values, 0) * weight
    total, weights = np.zeros(n), np.zeros(n)
    most = min(NEIGHBOURS, n - 1)
    for step in range(-most, most + 1):
        here = slice(max(0, -step), n - max(0, step))
        there = slice(max(0, step), n - max(0, -step))
        same = group[here] == group[there]
        total[here] += np.where(same, known[there], 0)
        weights[here] += np.where(same, weight[there], 0)
    return np.divide(total, weights, out=np.full(n, np.nan), where=weights > 0)


def frame_residues(sample: Sample) -> np.ndarray:
    """Residues of what was read of each frame, int64 [frames], in the order of the keys."""
    residues = sample.chunks.select(f"residues_{frame}" for frame in FRAMES).to_numpy()
    return residues[chunk_of(sample.keys), frame_of(sample.keys)].astype(np.int64)


def deciding(chunks: pl.DataFrame) -> pl.DataFrame:
    """The chunks that decide about their sequences: where one was cut once more, for a second classifier as the first
    could read nothing of it, those alone."""
    last = pl.col("cut").max().over("sequence")
    return chunks.filter(pl.col("cut") == last) if (chunks["cut"] > 0).any() else chunks


def call_sequences(
    sample: Sample, chunks: pl.DataFrame, min_score: float, rule: str = "best", coding: Coding | None = None
) -> pl.DataFrame:
    """The sequence table with its calls: one row per input record, in order. chunks: those that are `deciding`.

    virus_score: mean over the scored chunks, by their weight, of theirs; with the rule `mean` of their log-odds, and
    with `coding` as for chunks. Not of their highest probabilities: they rise with the number of open frames, whatever
    these say, and sequences without a viral chunk reached 0.5 (docs/method.md). A sequence with a failed chunk is
    `failed`; its score then covers the other chunks only. What a small model has left out is `other`, without a score.
    """
    scored = pl.col("state").is_in(["virus", "other"])
    weight = pl.col("weight")

    def mean(name: str) -> pl.Expr:
        return ((pl.col(name) * weight).filter(scored).sum() / weight.filter(scored).sum()).fill_nan(None)

    per_sequence = chunks.group_by("sequence", maintain_order=True).agg(
        *(mean(name) for name in (("odds", "coding") if rule == "mean" else ("virus_score",))),
        pl.col("max_p_virus").filter(scored).max().cast(pl.Float64),
        scored.sum().alias("chunks_scored"),
        (pl.col("state") == "virus").sum().alias("chunks_virus"),
        (pl.col("state") == "no_open_frame").sum().alias("chunks_no_open_frame"),
        (pl.col("state") == "failed").sum().alias("chunks_failed"),
        (scored & (pl.col("evidence") == "stretches")).sum().alias("chunks_stretch"),
        (scored & (pl.col("open_frames") > 0)).any().alias("open_read"),
        (scored & (pl.col("stretch_frames") > 0)).any().alias("stretch_read"),
        (pl.col("end") - pl.col("start")).filter(scored).sum().alias("bases_scored"),
        weight.filter(scored).sum(),
        pl.len().cast(pl.Int32).alias("chunks"),
        pl.col("cut").max(),
        pl.col("reason").drop_nulls().first().alias("chunk_reason"),
    )
    if rule == "mean":
        odds = per_sequence["odds"].to_numpy()
        if coding is not None:
            odds = coding.bounded(odds, per_sequence["coding"].to_numpy())
        score = pl.Series("virus_score", as_probability(odds)).fill_nan(None)
        per_sequence = per_sequence.drop("odds", "coding").with_columns(score)
    counts = [c for c in per_sequence.columns if c.startswith(("chunks", "bases_"))]
    called = (
        sample.sequences.drop("chunks")
        .join(per_sequence, on="sequence", how="left", maintain_order="left")
        .with_columns(pl.col(counts).fill_null(0))
    )
    failed = pl.col("chunks_failed") > 0
    state = (
        pl.when(pl.col("state") == "screened")
        .then(pl.lit("other"))
        .when(pl.col("state") != "")
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
    read = evidence_of(pl.col("open_read"), pl.col("stretch_read"))
    evidence = pl.when(pl.col("state") == "screened").then(pl.lit("screened")).otherwise(read)
    return called.with_columns(state.alias("state"), reason.alias("reason"), evidence.alias("evidence")).drop(
        "chunk_reason", "open_read", "stretch_read"
    )


def evidence_of(open_frames: pl.Expr, stretches: pl.Expr) -> pl.Expr:
    """What a score rests on: open_frames, stretches or both; null where nothing was read."""
    return (
        pl.when(open_frames & stretches)
        .then(pl.lit("both"))
        .when(open_frames)
        .then(pl.lit("open_frames"))
        .when(stretches)
        .then(pl.lit("stretches"))
    )

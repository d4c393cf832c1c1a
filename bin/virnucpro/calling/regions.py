"""Viral regions of sequences, proviruses among them: a hidden Markov model with two states over the chunks' scores.

Each chunk is viral or not, and most neighbours are alike. The path of states that explains all scores best (Viterbi
1967, doi:10.1109/TIT.1967.1054010) is found in linear time, for all sequences at once. A chunk without a score says
nothing, and cuts no region in two. docs/method.md has what the parameters rest on.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from virnucpro.calling.calls import evidence_of


@dataclass(frozen=True)
class Model:
    """Parameters of the hidden Markov model."""

    viral_bases: float = 20_000  # expected length of a viral stretch of a longer sequence
    other_bases: float = 200_000  # and of what lies between two
    shift: float = 0.25  # added to a score's log-odds: what a chunk with a score of 0.5 speaks for a virus
    ends: float = 0.1  # the same at a region's ends: to find a region takes less than to say how far it goes
    most: float = 3.0  # log-odds that a single chunk may speak for either side


def viral_regions(chunks: pl.DataFrame, model: Model = Model()) -> pl.DataFrame:
    """The viral regions of all sequences, in input order.

    chunks: those of `call_chunks`, in order. Columns: sequence; start, end (from 0, end exclusive: those of the first
    and the last scored chunk); virus_score, the mean of its chunks', by their weight; chunks, chunks_scored,
    chunks_virus; evidence (open_frames, stretches or both); whole, whether no scored chunk of the sequence is outside.
    """
    scored = (chunks["state"].is_in(["virus", "other"])).to_numpy()
    score = np.where(scored, chunks["virus_score"].fill_null(0.5).to_numpy(), 0.5)
    score = np.clip(score, 1e-6, 1 - 1e-6)
    odds = np.log(score) - np.log1p(-score)
    evidence, at_ends = (
        np.where(scored, np.clip(odds + shift, -model.most, model.most), 0.0) for shift in (model.shift, model.ends)
    )
    length = (chunks["end"] - chunks["start"]).to_numpy()
    viral = viterbi(chunks["sequence"].to_numpy(), evidence, length, model)
    return _joined(_trimmed(chunks.with_columns(viral=viral, scored=scored, at_ends=at_ends)))


def viterbi(sequence: np.ndarray, evidence: np.ndarray, length: np.ndarray, model: Model) -> np.ndarray:
    """The likeliest state of each chunk, bool [chunks]: True where viral.

    sequence: int [chunks], ascending. evidence: float [chunks], log-likelihood ratio of viral to other. length: bases
    of each chunk. Chunk after chunk of all sequences side by side: what matters of a path's likelihood is the
    difference between its ending viral and not, one number a sequence.
    """
    n = len(sequence)
    if not n:
        return np.zeros(0, dtype=bool)
    first = np.flatnonzero(np.r_[True, sequence[1:] != sequence[:-1]])
    size = np.diff(np.r_[first, n])
    order = np.argsort(-size, kind="stable")  # long ones first: those that go on are always the first few
    first, size = first[order], size[order]
    leave, enter = (np.minimum(0.5, length / bases) for bases in (model.viral_bases, model.other_bases))
    stay_viral, stay_other = np.log1p(-leave), np.log1p(-enter)
    leave, enter = np.log(leave), np.log(enter)
    came_viral = np.zeros((2, n), dtype=bool)  # by state (other, viral): whether the best path came from viral
    difference = evidence[first].copy()
    viral = np.zeros(n, dtype=bool)
    for step in range(1, int(size[0])):
        going = int(np.searchsorted(-size, -step))  # sequences with more than `step` chunks
        at = first[:going] + step
        before = difference[:going]
        to_viral, to_other = before + stay_viral[at], before + leave[at]
        came_viral[1, at], came_viral[0, at] = to_viral >= enter[at], to_other > stay_other[at]
        difference[:going] = evidence[at] + np.maximum(to_viral, enter[at]) - np.maximum(to_other, stay_other[at])
    viral[first + size - 1] = difference > 0
    for step in range(int(size[0]) - 1, 0, -1):
        going = int(np.searchsorted(-size, -step))
        at = first[:going] + step
        viral[at - 1] = np.where(viral[at], came_viral[1, at], came_viral[0, at])
    return viral


def _trimmed(chunks: pl.DataFrame) -> pl.DataFrame:
    """Viral no more are the first and the last chunks of a run that, together, speak against it by `at_ends`, where
    scored chunks that are not viral lie beyond. Adds `run`, a number for each run of chunks alike.

    A region next to genes that look somewhat viral would else go on through them. Of a run that would have nothing
    left, nothing is taken.
    """
    change = (pl.col("viral") != pl.col("viral").shift()) | (pl.col("sequence") != pl.col("sequence").shift())
    other = (pl.col("scored") & ~pl.col("viral")).cast(pl.Int64)
    before = other.cum_sum().over("sequence")
    runs = chunks.with_columns(
        change.fill_null(True).cum_sum().alias("run"),
        (before > 0).alias("left"),
        (before < other.sum().over("sequence")).alias("right"),
    )
    upto = pl.col("at_ends").cum_sum().over("run")
    runs = runs.with_columns(upto.alias("upto"), pl.int_range(pl.len()).over("run").alias("at"))
    runs = runs.with_columns(pl.col("upto").shift(1).over("run").fill_null(0.0).alias("so_far"))
    least = pl.col("so_far") == pl.col("so_far").min()
    first = pl.when("left").then(pl.col("at").filter(least).max().over("run")).otherwise(0)
    last = pl.when("right").then(pl.col("at").filter(pl.col("upto") == pl.col("upto").max()).min().over("run"))
    runs = runs.with_columns(first.alias("first"), last.otherwise(pl.len().over("run")).alias("last"))
    kept = pl.col("at").is_between("first", "last") | (pl.col("first") > pl.col("last"))
    return runs.with_columns(pl.col("viral") & kept).drop(
        "at_ends", "left", "right", "upto", "so_far", "at", "first", "last"
    )


def _joined(chunks: pl.DataFrame) -> pl.DataFrame:
    """Runs of viral chunks with their figures; from the first to the last scored chunk of a run."""
    scored = pl.col("scored")
    outside = (scored & ~pl.col("viral")).sum().over("sequence")
    read = pl.col("evidence").filter(scored)
    open_frames, stretches = (read.is_in([name, "both"]).any() for name in ("open_frames", "stretches"))
    return (
        chunks.with_columns(outside=outside)
        .filter("viral")
        .group_by("sequence", "run", maintain_order=True)
        .agg(
            pl.col("start").filter(scored).min(),
            pl.col("end").filter(scored).max(),
            (
                (pl.col("virus_score") * pl.col("weight")).filter(scored).sum() / pl.col("weight").filter(scored).sum()
            ).alias("virus_score"),
            pl.len().alias("chunks"),
            scored.sum().alias("chunks_scored"),
            (pl.col("state") == "virus").sum().alias("chunks_virus"),
            evidence_of(open_frames, stretches).alias("evidence"),
            (pl.col("outside").first() == 0).alias("alone"),
        )
        .filter(pl.col("chunks_scored") > 0)
        .with_columns(whole=pl.col("alone") & (pl.len().over("sequence") == 1))
        .drop("run", "alone")
    )

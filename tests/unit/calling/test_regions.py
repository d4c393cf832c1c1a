"""Viral regions: the best path against all paths, known segments, and the cost of long and of many sequences."""

import itertools
import math
import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virnucpro.calling.regions import Model, _trimmed, viral_regions, viterbi

MODEL = Model()


def path_likelihood(states, evidence, length, model):
    """log-likelihood of one path, up to what all paths share: both states are as likely at the beginning."""
    total = sum(e for e, viral in zip(evidence, states, strict=True) if viral)
    for before, after, bases in zip(states, states[1:], length[1:], strict=False):
        leave, enter = min(0.5, bases / model.viral_bases), min(0.5, bases / model.other_bases)
        step = {(1, 1): 1 - leave, (1, 0): leave, (0, 0): 1 - enter, (0, 1): enter}
        total += math.log(step[before, after])
    return total


EVIDENCE = st.lists(st.floats(-3, 3, allow_nan=False), min_size=1, max_size=9)


@given(st.lists(EVIDENCE, min_size=1, max_size=4), st.sampled_from([1500, 20_000]))
@settings(max_examples=80)
def test_no_path_is_likelier(sequences, viral_bases):
    model = Model(viral_bases=viral_bases, other_bases=10 * viral_bases)
    owner = np.repeat(np.arange(len(sequences)), [len(s) for s in sequences])
    length = np.full(len(owner), 500)
    found = viterbi(owner, np.concatenate(sequences), length, model)
    for number, evidence in enumerate(sequences):
        mine = found[owner == number].astype(int).tolist()
        lengths = [500] * len(evidence)
        best = max(
            path_likelihood(p, evidence, lengths, model) for p in itertools.product((0, 1), repeat=len(evidence))
        )
        assert path_likelihood(mine, evidence, lengths, model) == pytest.approx(best, abs=1e-9)


def table(scores, sequence=None, closed=(), size=500):
    """Chunks of one size with these scores; `closed` have none."""
    n = len(scores)
    sequence = np.zeros(n, dtype=int) if sequence is None else np.asarray(sequence)
    number = np.arange(n) - np.searchsorted(sequence, sequence)
    state = np.where(np.asarray(scores) >= 0.5, "virus", "other")
    state[list(closed)] = "no_open_frame"
    frame = pl.DataFrame({"sequence": sequence, "start": number * size, "end": (number + 1) * size, "state": state})
    frame = frame.with_columns(pl.Series("virus_score", scores), evidence=pl.lit("open_frames"), weight=float(size))
    return frame.with_columns(
        pl.when(pl.col("state") == "no_open_frame").then(None).otherwise(pl.col("virus_score")).alias("virus_score"),
    )


def test_known_segments_are_found_to_within_a_chunk():
    """A chromosome of 2 Mb with three proviruses; noisy scores, two in five of the chunks closed."""
    rng = np.random.default_rng(5)
    viral = np.zeros(4000, dtype=bool)
    truth = [(400, 480), (1500, 1580), (3000, 3100)]
    for a, b in truth:
        viral[a:b] = True
    scores = 1 / (1 + np.exp(-rng.normal(np.where(viral, 1.5, -1.5), 0.7)))
    closed = np.flatnonzero(rng.random(4000) < 0.4)
    edges = [i for a, b in truth for i in (a, b - 1, a - 1, b)]
    closed = np.setdiff1d(closed, edges)
    found = viral_regions(table(scores, closed=closed))
    assert found.height == 3
    for (a, b), row in zip(truth, found.iter_rows(named=True), strict=True):
        assert abs(row["start"] - 500 * a) <= 500 and abs(row["end"] - 500 * b) <= 500
        assert row["chunks_scored"] < row["chunks"] and not row["whole"]


def test_chunks_without_a_score_cut_nothing_in_two():
    found = viral_regions(table([0.9] * 3 + [0.5] * 20 + [0.9] * 3, closed=range(3, 23)))
    assert found.select("start", "end", "chunks", "chunks_scored", "whole").row(0) == (0, 13_000, 26, 6, True)


def test_ends_are_those_of_scored_chunks():
    found = viral_regions(table([0.5, 0.5, 0.9, 0.9, 0.9, 0.5], closed=[0, 1, 5]))
    assert found.select("start", "end").row(0) == (1000, 2500)
    assert viral_regions(table([0.5, 0.5], closed=[0, 1])).height == 0


def test_a_region_does_not_run_on_through_somewhat_viral_neighbours():
    """40 viral chunks between host genes of which ten on either side look neither way; `ends` of `shift` keeps them."""
    host, neither, virus = [0.1] * 60, [0.46] * 10, [0.8] * 40
    scores = [*host, *neither, *virus, *neither, *host]
    assert viral_regions(table(scores)).select("start", "end").rows() == [(70 * 500, 110 * 500)]
    wide = viral_regions(table(scores), Model(ends=MODEL.shift))
    assert wide.select("start", "end").rows() == [(60 * 500, 120 * 500)]


def test_ends_of_a_sequence_are_not_trimmed():
    """What is cut off there may go on: the same neighbours stay where nothing else lies beyond."""
    neither, virus, host = [0.46] * 10, [0.8] * 40, [0.1] * 60
    found = viral_regions(table([*neither, *virus, *neither]))
    assert found.select("chunks", "whole").rows() == [(60, True)]
    assert viral_regions(table([*neither, *virus, *neither, *host]))["chunks"].to_list() == [50]


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=30))
@settings(max_examples=80, deadline=None)
def test_trimmed_ends_leave_what_speaks_most_for_a_virus(odds):
    """Of all parts of the run the one with the largest sum, if its ends can be had one by one; else the whole run."""
    speaks = np.round(odds, 3)
    upto = np.r_[0, np.cumsum(speaks)]
    first = len(odds) - 1 - int(np.argmin(upto[:-1][::-1]))  # the last place with the least before it
    last = int(np.argmax(upto[1:]))
    expected = (first, last + 1) if first <= last else (0, len(odds))
    viral = [False, *[True] * len(odds), False]
    chunks = table([0.9] * len(viral)).with_columns(
        viral=pl.Series(viral), scored=pl.lit(True), at_ends=pl.Series([-3.0, *speaks, -3.0])
    )
    trimmed = _trimmed(chunks)["viral"].arg_true().to_list()
    assert trimmed == list(range(expected[0] + 1, expected[1] + 1))


def test_a_single_odd_chunk_makes_no_region():
    scores = [0.1] * 100
    scores[40] = 0.99
    assert viral_regions(table(scores)).height == 0
    scores = [0.95] * 100
    scores[40] = 0.02
    assert viral_regions(table(scores))["chunks"].to_list() == [100]


def test_short_sequences_are_regions_where_their_chunks_are_viral():
    sequence = [0, 1, 2, 2, 3]
    found = viral_regions(table([0.8, 0.2, 0.7, 0.9, 0.5], sequence, closed=[4]))
    assert found.select("sequence", "start", "end", "whole").rows() == [(0, 0, 500, True), (2, 0, 1000, True)]


def test_means_are_by_weight():
    chunks = table([0.6, 0.9]).with_columns(weight=pl.Series([300.0, 100.0]))
    assert viral_regions(chunks)["virus_score"][0] == pytest.approx((0.6 * 300 + 0.9 * 100) / 400)


def test_long_and_many_sequences_take_linear_time():
    """A chromosome of 10 Mb, and 200,000 sequences of five chunks: both within seconds."""
    rng = np.random.default_rng(1)
    began = time.process_time()
    viterbi(np.zeros(20_000, dtype=int), rng.normal(size=20_000), np.full(20_000, 500), MODEL)
    many = np.repeat(np.arange(200_000), 5)
    viterbi(many, rng.normal(size=len(many)), np.full(len(many), 500), MODEL)
    assert time.process_time() - began < 20


def test_what_a_region_rests_on():
    chunks = table([0.9, 0.9, 0.9])
    for evidence, expected in (("open_frames", "open_frames"), ("stretches", "stretches"), ("both", "both")):
        assert viral_regions(chunks.with_columns(evidence=pl.lit(evidence)))["evidence"][0] == expected
    mixed = chunks.with_columns(evidence=pl.Series(["open_frames", "stretches", "stretches"]))
    assert viral_regions(mixed)["evidence"][0] == "both"

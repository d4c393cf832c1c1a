"""How a chunk's score comes from its frames, and a sequence's from its chunks: the rule `mean`, by hand."""

import math

import numpy as np
import polars as pl
import pytest

from virnucpro.bundle.coding import Coding
from virnucpro.calling.calls import call_chunks, call_sequences, frame_residues, of_neighbourhood
from virnucpro.calling.sample import Sample
from virnucpro.calling.scoring import Scores


def logit(p):
    return math.log(p / (1 - p))


def expit(x):
    return 1 / (1 + math.exp(-x))


@pytest.fixture
def sample():
    """Three chunks of a sequence: frames F2 and R1 open; two stretches of 90 and 50 residues; one of 40."""
    columns = {"sequence": [0, 0, 0], "number": [1, 2, 3], "start": [0, 500, 1000], "end": [500, 1000, 1300]}
    columns |= {"cut": [0, 0, 0], "open_frames": [0b1010, 0, 0], "stretch_frames": [0, 0b10001, 0b100]}
    residues = {
        "F1": [0, 90, 0],
        "F2": [166, 0, 0],
        "F3": [0, 0, 40],
        "R1": [166, 0, 0],
        "R2": [0, 50, 0],
        "R3": [0] * 3,
    }
    chunks = pl.DataFrame(columns | {f"residues_{frame}": numbers for frame, numbers in residues.items()})
    sequences = pl.DataFrame({"sequence": [0], "chunks": [3], "state": [""], "reason": [""]})
    return Sample("s", {}, sequences, chunks, np.array([1, 3, 6, 10, 14]))


def scores(sample, virus):
    virus = np.array(virus, dtype=np.float32)
    return Scores(sample.keys, np.stack([1 - virus, virus], axis=1))


def test_residues_of_what_was_read(sample):
    assert frame_residues(sample).tolist() == [166, 166, 90, 50, 40]


def test_the_mean_of_log_odds_by_residues(sample):
    p = [0.9, 0.2, 0.7, 0.4, 0.35]
    chunks = call_chunks(sample, scores(sample, p), "mean")
    of_chunks = [
        (166 * logit(0.9) + 166 * logit(0.2)) / 332,
        (90 * logit(0.7) + 50 * logit(0.4)) / 140,
        logit(0.35),
    ]
    assert chunks["virus_score"].to_list() == pytest.approx([expit(x) for x in of_chunks], abs=1e-6)
    assert chunks["weight"].to_list() == [332, 140, 40]
    assert chunks["state"].to_list() == ["virus", "virus", "other"]
    assert chunks["evidence"].to_list() == ["open_frames", "stretches", "stretches"]
    called = call_sequences(sample, chunks, 0.5, "mean").row(0, named=True)
    weighted = sum(w * x for w, x in zip([332, 140, 40], of_chunks, strict=True)) / 512
    assert called["virus_score"] == pytest.approx(expit(weighted), abs=1e-6)
    assert (called["evidence"], called["chunks_stretch"], called["bases_scored"]) == ("both", 2, 1300)


def test_the_best_frames_alone_count_with_virnucpros_rule(sample):
    chunks = call_chunks(sample, scores(sample, [0.9, 0.2, 0.7, 0.4, 0.35]))
    expected = [0.9 / (0.9 + 0.8), 0.7 / (0.7 + 0.6), 0.35]
    assert chunks["virus_score"].to_list() == pytest.approx(expected, abs=1e-6)
    called = call_sequences(sample, chunks, 0.5)["virus_score"][0]
    assert called == pytest.approx((500 * expected[0] + 500 * expected[1] + 300 * expected[2]) / 1300, abs=1e-6)


def test_that_it_codes_at_all_is_weighed_in_by_residues(sample):
    p, nothing = [0.9, 0.2, 0.7, 0.4, 0.35], [0.1, 0.6, 0.2, 0.3, 0.99]
    of = scores(sample, p)
    of.classes = np.array([[1 - n, 0, n] for n in nothing], dtype=np.float32)
    coding = Coding(2, slope=2.0, intercept=0.5)
    chunks = call_chunks(sample, of, "mean", coding)
    weights, rows = [332, 140, 40], [(0, 1), (2, 3), (4,)]
    residues = [166, 166, 90, 50, 40]

    def mean(values, at):
        return sum(residues[i] * values[i] for i in at) / sum(residues[i] for i in at)

    odds = [mean([logit(x) for x in p], at) for at in rows]
    codes = [mean([-logit(x) for x in nothing], at) for at in rows]
    a, c = (sum(w * x for w, x in zip(weights, of, strict=True)) / 512 for of in (odds, codes))
    share = [1 / (1 + math.exp(-own) + math.exp(-(2 * c + 0.5))) for own in odds]  # of all three neighbours
    assert chunks["virus_score"].to_list() == pytest.approx(share, abs=1e-5)
    assert chunks["coding"].to_list() == pytest.approx(codes, abs=1e-5)
    called = call_sequences(sample, chunks, 0.5, "mean", coding)
    assert called["virus_score"][0] == pytest.approx(1 / (1 + math.exp(-a) + math.exp(-(2 * c + 0.5))), abs=1e-5)
    assert not {"odds", "coding"} & set(called.columns)


def test_a_neighbourhood_ends_with_its_sequence():
    """Brute force, with rows of other sequences before and behind: not a digit differs."""
    rng = np.random.default_rng(4)
    sizes = [1, 30, 3, 12, 2]
    chunks = pl.DataFrame({"sequence": np.repeat(np.arange(5), sizes), "cut": np.zeros(48, dtype=np.int64)})
    chunks = chunks.with_columns(pl.when(pl.int_range(48) > 40).then(1).otherwise(pl.col("cut")).alias("cut"))
    values, weight = rng.normal(0, 3, 48), rng.integers(0, 900, 48).astype(float)
    weight[[0, 5, 31, 32, 33]] = 0
    values[weight == 0] = np.nan
    found = of_neighbourhood(values, weight, chunks)
    groups = list(zip(chunks["sequence"], chunks["cut"], strict=True))
    for i in range(48):
        near = [j for j in range(48) if abs(i - j) <= 5 and groups[i] == groups[j] and weight[j] > 0]
        expected = sum(values[j] * weight[j] for j in near) / sum(weight[near]) if near else math.nan
        assert found[i] == pytest.approx(expected, nan_ok=True)
    alone = of_neighbourhood(values[1:31], weight[1:31], chunks[1:31])
    assert alone.tobytes() == found[1:31].tobytes()
    assert of_neighbourhood(values[1:2], weight[1:2], chunks[1:2]).tolist() == [pytest.approx(values[1])]


def test_certain_scores_stay_finite(sample):
    chunks = call_chunks(sample, scores(sample, [1, 1, 1, 1, 1]), "mean")
    assert call_sequences(sample, chunks, 0.5, "mean")["virus_score"][0] == pytest.approx(1, abs=1e-6)
    chunks = call_chunks(sample, scores(sample, [0, 0, 0, 0, 0]), "mean")
    assert call_sequences(sample, chunks, 0.5, "mean")["virus_score"][0] == pytest.approx(0, abs=1e-6)

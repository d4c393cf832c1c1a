"""How a chunk's score comes from its frames, and a sequence's from its chunks: the rule `mean`, by hand."""

import math

import numpy as np
import polars as pl
import pytest

from virnucpro.calling.calls import call_chunks, call_sequences, frame_residues
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


def test_certain_scores_stay_finite(sample):
    chunks = call_chunks(sample, scores(sample, [1, 1, 1, 1, 1]), "mean")
    assert call_sequences(sample, chunks, 0.5, "mean")["virus_score"][0] == pytest.approx(1, abs=1e-6)
    chunks = call_chunks(sample, scores(sample, [0, 0, 0, 0, 0]), "mean")
    assert call_sequences(sample, chunks, 0.5, "mean")["virus_score"][0] == pytest.approx(0, abs=1e-6)

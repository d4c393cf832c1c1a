"""What a calibration achieves, on scores whose truth is known."""

import numpy as np
import pytest

from virnucpro.calling.calibration import Calibration
from virnucpro.evaluation.rates import ASKED, SHARES, achieved_rates, before_and_after, logit
from virnucpro.training.calibration_fit import fit


def scores(n: int, seed: int, overconfident: float = 3.0):
    """Log-odds from two normal distributions 2 apart (so that odds of 2x are right), told three times as sure."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, n)
    odds = 2 * random.normal(2 * label - 1, 1)
    return 1 / (1 + np.exp(-overconfident * odds)), np.full(n, 500.0), label


def test_a_calibration_mends_what_it_was_fitted_for():
    score, weight, label = scores(4000, 1)
    calibration = fit(logit(score), weight, label)
    found = before_and_after(*scores(4000, 2), calibration)
    assert found["before"]["error"] > 0.05
    assert found["after"]["error"] < 0.03


def test_rates_asked_for_are_kept_at_any_share_of_viruses():
    calibration = Calibration(0, 1, 0, 0, 500)
    rows = achieved_rates(*scores(20_000, 3, overconfident=1.0), calibration, seed=1)
    assert [(r["share_of_viruses"], r["asked"]) for r in rows] == [(s, a) for s in SHARES for a in ASKED]
    for row in rows:
        # Of 2,000 sequences with 1 % viruses a handful is called: the mean rate of so few is coarse.
        assert row["false_discovery_rate"] <= row["asked"] + (0.12 if row["share_of_viruses"] == 0.01 else 0.03)
        assert row["estimated_share"] == pytest.approx(row["share_of_viruses"], abs=0.02)

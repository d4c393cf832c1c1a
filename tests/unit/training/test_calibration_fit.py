"""The curve from scores to probabilities: flat where hosts look viral by chance, plain log-odds without evidence."""

from dataclasses import replace

import numpy as np
import pytest

from virnucpro.calling.calibration import estimated_prevalence, probabilities, q_values
from virnucpro.training.calibration_fit import fit


def made(rng, n, share):
    """Sequences of 100 and of 1,000 residues: log-odds of score, weight, label. Scores are log-likelihood ratios, but
    one short piece of a host in fifty has a virus's."""
    label = (rng.random(n) < share).astype(int)
    weight = rng.choice([100, 1000], n)
    looks = (label == 1) | ((rng.random(n) < 0.02) & (weight == 100))
    mean = np.where(weight == 100, 3, 6)
    return rng.normal(np.where(looks, mean, -mean), np.sqrt(2 * mean)), weight, label


def achieved(calibration, asked=0.1):
    odds, weight, label = made(np.random.default_rng(2), 60_000, 0.1)
    calibrated = calibration(odds, weight)
    called = q_values(probabilities(calibrated, estimated_prevalence(calibrated))) <= asked
    assert called.sum() > 500
    return (1 - label[called]).mean()


def test_hosts_that_look_viral_by_chance_do_not_break_the_rate():
    calibration = fit(*made(np.random.default_rng(1), 20_000, 0.5))
    straight = replace(calibration, tail=np.inf, tail_by_weight=0.0)
    assert achieved(calibration) < 0.11 < 0.14 < achieved(straight)
    short, long = (calibration.tail + calibration.tail_by_weight * np.log(w / calibration.unit) for w in (100, 1000))
    assert short < long - 1


def test_without_evidence_scores_stay_as_they_are():
    """Few sequences: the penalty holds the slopes near plain log-odds."""
    found = fit(np.array([1.0, -1.0]), np.array([100, 100]), np.array([1, 0]))
    assert found.log_odds == pytest.approx(1, abs=0.5) and found.log_odds_by_weight == 0
    with pytest.raises(ValueError, match="both classes"):
        fit(np.ones(3), np.ones(3), np.ones(3))


def test_classes_that_are_told_apart_without_a_fault():
    odds = np.r_[np.linspace(1, 40, 50), np.linspace(-40, -1, 50)]
    found = fit(odds, np.full(100, 300), (odds > 0).astype(int))
    assert (np.diff(found(np.sort(odds), np.full(100, 300))) >= 0).all() and found.log_odds < 10

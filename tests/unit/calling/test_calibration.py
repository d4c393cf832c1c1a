"""Calibration on made sequences whose truth is known: probabilities hold, shares are found, rates are kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro.calling.calibration import (
    Calibration,
    estimated_prevalence,
    probabilities,
    q_values,
    read_calibration,
)
from virnucpro.training.calibration_fit import fit


def made(rng, n, share):
    """Sequences whose scores are over-confident, the more so the less was read: log-odds of score, weight, label.

    Their true log-likelihood ratio is normal with a variance twice its mean, as such ratios are.
    """
    label = (rng.random(n) < share).astype(int)
    weight = np.exp(rng.uniform(np.log(50), np.log(5000), n))
    slope = 0.5 + 0.12 * np.log(weight / 500)
    true = rng.normal(np.where(label, 1, -1) * 8 * slope, np.sqrt(16 * slope))
    return true / slope, weight, label


def expected_calibration_error(p, label, bins=10):
    group = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs(p[group == g].mean() - label[group == g].mean()) * (group == g).mean() for g in np.unique(group))


@pytest.fixture(scope="module")
def calibration():
    return fit(*made(np.random.default_rng(1), 20_000, 0.3))


def test_probabilities_hold_on_other_sequences(calibration):
    odds, weight, label = made(np.random.default_rng(2), 8000, 0.5)
    before = expected_calibration_error(1 / (1 + np.exp(-odds)), label)
    after = expected_calibration_error(probabilities(calibration(odds, weight), 0.5), label)
    assert after < 0.02 < 0.04 < before


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_the_share_of_viruses_is_found(calibration, share):
    odds, weight, label = made(np.random.default_rng(3), 20_000, share)
    assert estimated_prevalence(calibration(odds, weight)) == pytest.approx(label.mean(), rel=0.2, abs=0.004)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("asked", [0.05, 0.2])
def test_the_false_discovery_rate_is_about_what_was_asked_for(calibration, share, asked):
    odds, weight, label = made(np.random.default_rng(4), 60_000, share)
    calibrated = calibration(odds, weight)
    called = q_values(probabilities(calibrated, estimated_prevalence(calibrated))) <= asked
    assert called.sum() > 50
    assert (1 - label[called]).mean() == pytest.approx(asked, abs=0.35 * asked)


def test_q_values_by_hand():
    assert q_values(np.array([0.9, 0.5, 0.9, 0.0])) == pytest.approx([0.1, 0.7 / 3, 0.1, 1.7 / 4])
    assert q_values(np.array([0.8])) == pytest.approx([0.2])
    assert len(q_values(np.zeros(0))) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_rise_as_probabilities_fall(values):
    p = np.array(values)
    q = q_values(p)
    order = np.argsort(-p, kind="stable")
    assert (np.diff(q[order]) >= -1e-12).all() and (q >= 0).all() and (q <= 1).all()
    for i in range(len(p)):
        assert q[i] == pytest.approx((1 - p[p >= p[i]]).mean(), abs=1e-9)


def test_nothing_read_nothing_estimated():
    assert estimated_prevalence(np.zeros(0)) == 0.5


def test_a_few_viruses_do_not_make_everything_viral():
    """As if one virus and one other had been seen besides: (3 + 1) / (3 + 2)."""
    assert estimated_prevalence(np.full(3, 30.0)) == pytest.approx(0.8)
    assert estimated_prevalence(np.full(3, -30.0)) == pytest.approx(0.2)


CARD = {"intercept": 0.1, "log_odds": 0.8, "log_odds_by_weight": 0.1, "weight": 0, "unit": 400}


def test_a_card(calibration):
    assert read_calibration(CARD) == Calibration(0.1, 0.8, 0.1, 0.0, 400.0)
    assert read_calibration(None) is None and read_calibration({}) is None
    by_hand = 0.1 + 0.8 * 2 + 0.1 * 2 * np.log(2)
    assert read_calibration(CARD)(np.array([2.0]), np.array([800]))[0] == pytest.approx(by_hand)


def test_a_card_whose_curve_flattens():
    """A long piece keeps 9 of 10 of its slope far above 2, one of the weight `unit` half; 0 stays 0 for both."""
    card = CARD | {"intercept": 0, "log_odds": 1, "log_odds_by_weight": 0, "tail": 0, "tail_by_weight": np.log(9)}
    found = read_calibration(card)
    odds, weight = np.array([0.0, 12.0, 14.0]), np.array([400, 400, 400])
    assert np.diff(found(odds, weight))[1] == pytest.approx(1, abs=1e-3)
    assert np.diff(found(odds, weight * np.e))[1] == pytest.approx(1.8, abs=1e-3)
    assert found(odds, weight)[0] == 0 == found(odds, weight * np.e)[0]


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ([1], "mapping"),
        (CARD | {"unit": 0}, "unit"),
        (CARD | {"weight": "x"}, "weight is 'x'"),
        ({"unit": 1}, "intercept"),
        (CARD | {"tail": 1}, "tail_by_weight is None"),
        (CARD | {"tail": float("inf"), "tail_by_weight": 0}, "tail is inf"),
    ],
)
def test_a_card_that_cannot_be(card, words):
    with pytest.raises(ValueError, match=words):
        read_calibration(card)

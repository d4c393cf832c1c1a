"""Figures against scikit-learn, and their intervals against what is known of them."""

import numpy as np
import pytest
from sklearn import metrics

from virnucpro.evaluation.figures import (
    Judged,
    all_of,
    auprc,
    auroc,
    curves,
    difference,
    reliability,
    sensitivity_at,
    weights,
    with_intervals,
)


def judged(n: int, seed: int, digits: int = 9, genomes: int | None = None, shift: float = 0.7) -> Judged:
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, n).astype(np.int8)
    score = np.round(random.normal(label * shift, 1), digits)
    genome = np.arange(n) if genomes is None else random.integers(0, genomes, n)
    return Judged(score, score >= 0.4, random.random(n) < 0.9, label, genome)


@pytest.mark.parametrize("digits", [1, 9])  # with many ties, and with none
@pytest.mark.parametrize("weighted", [False, True])
def test_areas_and_calls_are_scikit_learns(digits, weighted):
    some = judged(300, 3, digits)
    weight = np.random.default_rng(4).integers(0, 4, 300).astype(float) if weighted else np.ones(300)
    counts = some.counted(weight)
    label, score, called = some.label, some.score, some.called
    assert auroc(*counts) == pytest.approx(metrics.roc_auc_score(label, score, sample_weight=weight))
    assert auprc(*counts) == pytest.approx(metrics.average_precision_score(label, score, sample_weight=weight))
    found = all_of(some, weight)
    assert found["f1"] == pytest.approx(metrics.f1_score(label, called, sample_weight=weight))
    assert found["mcc"] == pytest.approx(metrics.matthews_corrcoef(label, called, sample_weight=weight))
    assert found["sensitivity"] == pytest.approx(metrics.recall_score(label, called, sample_weight=weight))
    assert found["precision"] == pytest.approx(metrics.precision_score(label, called, sample_weight=weight))
    specificity = metrics.recall_score(1 - label, ~called, sample_weight=weight)
    assert found["specificity"] == pytest.approx(specificity)
    assert found["no_answer"] == pytest.approx(1 - np.average(some.answered, weights=weight))


def test_sensitivity_at_few_false_positives_by_hand():
    label = np.array([1, 1, 0, 1, 0, 1, 0, 0, 0, 0], dtype=np.int8)
    some = Judged(np.arange(10, 0, -1.0), np.ones(10, bool), np.ones(10, bool), label, np.arange(10))
    assert sensitivity_at(*some.counted(), 0.0) == 0.5  # two of four above the first other
    assert sensitivity_at(*some.counted(), 0.17) == 0.75  # one other of six may pass
    assert sensitivity_at(*some.counted(), 0.34) == 1


def test_one_class_has_no_area():
    some = judged(20, 1)
    viruses = some[np.flatnonzero(some.label == 1)]
    found = with_intervals(viruses, seed=1, draws=20)
    assert found["auroc"] == found["mcc"] == found["specificity"] == [None, None, None]
    assert found["sensitivity"][0] == pytest.approx(viruses.called.mean())


def test_an_interval_holds_the_truth_as_often_as_it_says():
    """Normal distributions 1 apart: AUROC is Phi(1 / sqrt 2) = 0.760. Of 60 data sets some 57 intervals hold it."""
    held = 0
    for seed in range(60):
        low, high = with_intervals(judged(200, seed, shift=1.0), seed=1, draws=200)["auroc"][1:]
        held += low <= 0.760 <= high
    assert 51 <= held <= 60


def test_few_genomes_make_wide_intervals():
    """The same number of sequences; those of a genome share its deviation."""
    random = np.random.default_rng(1)
    width = []
    for genomes in (400, 8):
        genome = np.arange(400) * genomes // 400
        label = (genome % 2).astype(np.int8)
        score = label * 0.7 + random.normal(0, 1, genomes)[genome]
        everything = np.ones(400, dtype=bool)
        low, high = with_intervals(Judged(score, score > 0, everything, label, genome), 1)["auroc"][1:]
        width.append(high - low)
    assert width[1] > 2 * width[0]


def test_genomes_are_drawn_whole_and_labels_apart():
    some = judged(100, 5, genomes=20)
    for weight in weights(some, seed=2, draws=5):
        assert all(len(set(weight[some.genome == g])) == 1 for g in np.unique(some.genome))
    pure = judged(100, 5)
    for weight in weights(pure, seed=2, draws=5):
        assert weight[pure.label == 1].sum() == (pure.label == 1).sum()


def test_callers_are_compared_on_the_same_draws():
    """Two callers that differ little differ surely, though each one's own interval is wide."""
    random = np.random.default_rng(6)
    label = np.repeat([0, 1], 150).astype(np.int8)
    noise = random.normal(0, 1, 300)
    all_ = np.ones(300, dtype=bool)
    a, b = (Judged(label * s + noise, all_, all_, label, np.arange(300)) for s in (1.1, 1.0))
    value, low, high = difference(a, b, seed=1)
    assert 0 < low <= value <= high < 0.05
    own = with_intervals(a, seed=1)["auroc"]
    assert own[2] - own[1] > 3 * (high - low)


def test_reliability_by_hand():
    probability = np.array([0.05, 0.15, 0.15, 0.95, 1.0])
    label = np.array([0, 0, 1, 1, 1])
    rows, error = reliability(probability, label)
    assert [(r["low"], r["sequences"]) for r in rows] == [(0.0, 1), (0.1, 2), (0.9, 2)]
    assert rows[1]["share_of_viruses"] == 0.5
    assert error == pytest.approx((1 * 0.05 + 2 * 0.35 + 2 * 0.025) / 5)


def test_curves_end_where_all_is_called():
    some = judged(3000, 7)
    drawn = curves(some)
    assert drawn["roc"][0] == [0, 0] and drawn["roc"][-1] == [1, 1]
    assert len(drawn["roc"]) <= 201
    x, y = np.array(drawn["roc"]).T
    assert np.trapezoid(y, x) == pytest.approx(auroc(*some.counted()), abs=0.01)
    assert drawn["precision_recall"][-1][0] == 1

"""What a threshold costs: arithmetic by hand, and the cards of the classifiers that come along."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from virnucpro.bundle.classifier import card_text, read_classifier
from virnucpro.bundle.thresholds import SCORES, measured, read_curves
from virnucpro.errors import ModelError

BUNDLED = sorted(Path(__file__).resolve().parents[3].glob("assets/*_models/classifiers/*"))


def test_counts_by_hand():
    """A score that equals a threshold is a call; no answer is none."""
    virus, others = [0.5, 0.49, 0.951, 0.7, None], [0.5, 0.1, None, 0.2]
    found = measured([*virus, *others], [True] * 5 + [False] * 4)
    at = {score: i for i, score in enumerate(found["score"])}
    assert (found["virus"], found["others"]) == (5, 4)
    assert found["sensitivity"][at[0.5]] == 3 / 5 and found["specificity"][at[0.5]] == 3 / 4
    assert found["sensitivity"][at[0.55]] == 2 / 5 and found["specificity"][at[0.55]] == 1
    assert found["sensitivity"][at[0.95]] == 1 / 5 and found["sensitivity"][at[0.97]] == 0
    assert found["sensitivity"][at[0.05]] == 4 / 5 and found["specificity"][at[0.05]] == 1 / 4
    with pytest.raises(ValueError, match="both classes"):
        measured([0.5, 0.7], [True, True])


def test_between_two_scores_lies_the_line():
    entry = {"virus": 4, "others": 9, "score": [0.4, 0.6], "sensitivity": [1, 0.5], "specificity": [0.5, 1]}
    (curve,) = read_curves({100: entry})
    assert curve.at(0.4) == (1, 0.5) and curve.at(0.6) == (0.5, 1)
    assert curve.at(0.5) == pytest.approx((0.75, 0.75)) and curve.at(0.2) == pytest.approx((1, 0.25))
    assert curve.at(0) == (1, 0) and curve.at(1) == (0, 1)
    # None of nine others is above .6: one in ten is taken for it.
    assert curve.share_right(0.6, 0.2) == pytest.approx(0.2 * 0.5 / (0.2 * 0.5 + 0.8 * 0.1))


@pytest.mark.parametrize(
    "entry",
    [
        [1],
        {"x": {}},
        {100: {"virus": 1, "others": 1, "score": [0.5], "sensitivity": [1]}},
        {100: {"virus": 1, "others": 1, "score": [0.5, 0.4], "sensitivity": [1, 1], "specificity": [1, 1]}},
        {100: {"virus": 1, "others": 1, "score": [0.5], "sensitivity": [1.2], "specificity": [1]}},
        {100: {"virus": 1, "others": 1, "score": [0.5], "sensitivity": [1, 1], "specificity": [1]}},
    ],
)
def test_a_card_that_cannot_be_is_refused(tmp_path, root, entry):
    with pytest.raises(ValueError):
        read_curves(entry)
    card = yaml.safe_load((root / "assets/demo_models/classifiers/demo_500/classifier.yml").read_text(encoding="utf-8"))
    (tmp_path / "classifier.yml").write_text(card_text(card | {"thresholds": entry}), encoding="utf-8")
    with pytest.raises(ModelError, match="thresholds"):
        read_classifier(tmp_path)


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda path: path.name)
def test_the_classifiers_that_come_along_have_their_prices(folder):
    """And at .5 they are those of the evaluation, where it counts the same sequences."""
    card = read_classifier(folder)
    curves = {curve.length: curve for curve in read_curves(card.thresholds)}
    assert {500, 1000, 3000} <= set(curves) and all(curve.score == SCORES for curve in curves.values())
    for length, curve in curves.items():
        assert all(a >= b for a, b in zip(curve.sensitivity, curve.sensitivity[1:], strict=False))
        assert all(a <= b for a, b in zip(curve.specificity, curve.specificity[1:], strict=False))
        by_length = card.evaluation.get("by_length") or card.evaluation["by_size"]
        measured_before = by_length.get(f"{length} bases")
        if measured_before:
            expected = measured_before["sensitivity"], measured_before["specificity"]
            assert curve.at(0.5) == pytest.approx(expected, abs=0.002)


def test_lists_of_numbers_stand_on_one_line():
    card = {"b": [1, 2.5], "a": ["x", "y"], "c": {"d": [{"e": 1}], "f": []}}
    text = card_text(card)
    assert "b: [1, 2.5]\n" in text and "a:\n- x\n- y\n" in text
    found = yaml.safe_load(text)
    assert list(found) == ["format", "b", "a", "c"] and found == {"format": 1} | card


def test_they_are_measured_by_one_command(root, tmp_path):
    """On the example, as long as two contigs: the card gets them, the bundle stays whole."""
    models = shutil.copytree(root / "assets/compact_models", tmp_path / "models")
    command = [sys.executable, root / "maintenance/measure_thresholds.py", "--models", models]
    command += ["--classifier", "compact_500", "--virus", root / "assets/example/mixed_phage.fa.gz"]
    command += ["--others", root / "assets/example/mixed_host.fa.gz", "--lengths", "1000", "5000"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    card = read_classifier(models / "classifiers/compact_500")
    assert list(card.thresholds) == [1000, 5000]
    (short, long) = read_curves(card.thresholds)
    assert long.virus == 4 + 2 + 1 and short.virus > 30
    assert min(long.at(0.5)) > 0.5
    check = [sys.executable, root / "bin/check_models.py", "--models", models, "--full"]
    assert subprocess.run(check, capture_output=True).returncode == 0

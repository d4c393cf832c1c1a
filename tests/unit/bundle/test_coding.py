"""Whether what was read codes at all: by hand, and cards that cannot be."""

import math

import numpy as np
import pytest
import yaml

from virnucpro.bundle.classifier import card_text, read_classifier
from virnucpro.bundle.coding import Coding, read_coding
from virnucpro.errors import ModelError

CLASSES = ("virus", "host", "noncoding")


def test_virus_host_or_nothing():
    odds, codes = np.array([2.0, 2.0, -3.0, np.nan]), np.array([4.0, 0.2, 0.2, 1.0])
    found = 1 / (1 + np.exp(-Coding(2, slope=5.0, intercept=-3.5).bounded(odds, codes)))
    by_hand = [1 / (1 + math.exp(-a) + math.exp(-b)) for a, b in ((2, 16.5), (2, -2.5), (-3, -2.5))]
    assert found[:3].tolist() == pytest.approx(by_hand, abs=1e-12) and np.isnan(found[3])


def test_the_odds_of_coding():
    classes = np.array([[0.5, 0.3, 0.2], [0, 0, 1], [0.5, 0.5, 0]], dtype=np.float32)
    found = Coding(2, 1.0, 0.0).evidence(classes)
    assert found[0] == pytest.approx(math.log(4), abs=1e-6)
    assert found[1] == pytest.approx(-math.log(1e7)) and found[2] == pytest.approx(math.log(1e7))


def test_from_a_card():
    card = {"class": "noncoding", "slope": 5, "intercept": -3.5}
    assert read_coding(card, CLASSES, CLASSES[:1]) == Coding(2, 5.0, -3.5)
    assert read_coding(None, CLASSES, CLASSES[:1]) is None and read_coding({}, CLASSES, CLASSES[:1]) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"class": "virus"}, "no virus"),
        ({"class": "plasmid"}, "no virus"),
        ({"slope": 0}, "above 0"),
        ({"slope": "5"}, "a number"),
        ({"intercept": None}, "a number"),
        ({"intercept": float("nan")}, "a number"),
    ],
)
def test_a_card_that_cannot_be_is_refused(tmp_path, root, change, words):
    card = {"class": "noncoding", "slope": 5, "intercept": -3.5} | change
    with pytest.raises(ValueError, match=words):
        read_coding(card, CLASSES, CLASSES[:1])
    whole = yaml.safe_load((root / "assets/compact_models/classifiers/compact_500/classifier.yml").read_text("utf-8"))
    (tmp_path / "classifier.yml").write_text(card_text(whole | {"coding": card}), encoding="utf-8")
    with pytest.raises(ModelError, match="coding"):
        read_classifier(tmp_path)


def test_it_needs_the_mean(tmp_path, root):
    whole = yaml.safe_load((root / "assets/compact_models/classifiers/compact_500/classifier.yml").read_text("utf-8"))
    (tmp_path / "classifier.yml").write_text(card_text(whole | {"rule": "best"}), encoding="utf-8")
    with pytest.raises(ModelError, match="rule mean"):
        read_classifier(tmp_path)

"""Baselines: what they see of a sequence, counted by hand, and that they learn."""

import random
from collections import Counter

import numpy as np
import pytest
from Bio.Seq import Seq
from sklearn.metrics import roc_auc_score

from virnucpro.evaluation.baselines import AMINO_ACIDS, NAMES, composition, train_baselines


def dna(seed: int, length: int, weights=(1, 1, 1, 1)) -> str:
    return "".join(random.Random(seed).choices("ACGT", weights, k=length))


def by_hand(s: str) -> list[float]:
    words = [s[i : i + 4] for i in range(len(s) - 3) if set(s[i : i + 4]) <= set("ACGT")]
    counts = Counter(min(w, str(Seq(w).reverse_complement())) for w in words)
    return [n / len(words) for n in counts.values()]


def test_words_are_those_of_either_strand():
    s = dna(1, 500) + "N" + dna(2, 300)
    found = composition(s.encode())
    assert found.shape == (156,)
    assert np.allclose(sorted(found[:136][found[:136] > 0]), sorted(by_hand(s)))
    other = composition(str(Seq(s).reverse_complement()).encode())
    assert np.allclose(found[:136], other[:136])
    assert found[:136].sum() == pytest.approx(1)


def test_amino_acids_are_those_of_the_longest_part_without_a_stop():
    s = dna(3, 900)
    parts = [
        part
        for strand in (Seq(s), Seq(s).reverse_complement())
        for f in range(3)
        for part in str(strand[f : f + 3 * ((len(s) - f) // 3)].translate()).split("*")
    ]
    longest = max(map(len, parts))
    expected = [[p.count(chr(a)) / longest for a in AMINO_ACIDS] for p in parts if len(p) == longest]
    assert any(np.allclose(composition(s.encode())[136:], e) for e in expected)


def test_nothing_is_something():
    assert not composition(b"").any()
    assert not composition(b"NNNNNN")[:136].any()


def test_both_learn_a_difference_in_composition():
    sequences = [dna(i, 600, (1, 1, 1, 1) if i % 2 else (3, 2, 2, 3)) for i in range(240)]
    x, y = np.stack([composition(s.encode()) for s in sequences]), np.arange(240) % 2
    again = {b.name: b for b in train_baselines(x[:160], y[:160], seed=1)}
    assert set(again) == set(NAMES.values())
    for baseline in train_baselines(x[:160], y[:160], seed=1):
        assert roc_auc_score(y[160:], baseline.probability(x[160:])) > 0.95
        assert (again[baseline.name].probability(x) == baseline.probability(x)).all()

"""Shuffled sequences keep what they are to keep, and nothing else."""

import random
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from virnucpro.evaluation.shuffle import shuffled


def pairs(sequence: bytes) -> Counter:
    return Counter(sequence[i : i + 2] for i in range(len(sequence) - 1))


@pytest.mark.parametrize("letters", ["ACGT", "ACGTN", "AT", "A"])
@pytest.mark.parametrize("length", [1, 2, 3, 10, 3000])
@pytest.mark.parametrize("seed", range(5))
def test_words_are_kept(letters, length, seed):
    sequence = "".join(random.Random(seed).choices(letters, k=length)).encode()
    one, two = (shuffled(sequence, words, np.random.default_rng(seed)) for words in (1, 2))
    assert Counter(one) == Counter(sequence) and Counter(two) == Counter(sequence)
    if length > 2:
        assert pairs(two) == pairs(sequence) and two[:1] + two[-1:] == sequence[:1] + sequence[-1:]
    if length == 3000 and len(letters) > 1:
        assert two != sequence and one != sequence and sum(a == b for a, b in zip(two, sequence, strict=True)) < 1800


def test_all_orders_are_alike():
    """AACAGA has six sequences with its pairs: 3! ways to leave A (A, C, G), of which the last leads home."""
    found = Counter(shuffled(b"AACAGA", 2, np.random.default_rng(seed)) for seed in range(3000))
    assert set(found) == {b"AACAGA", b"AAGACA", b"ACAAGA", b"AGAACA", b"ACAGAA", b"AGACAA"}
    assert max(found.values()) < 600 and min(found.values()) > 400


def test_the_script(root, tmp_path):
    (tmp_path / "a.fa").write_text(">one two\nACGTTGCA\nACCA\n>b\nGGGTA\n", encoding="utf-8")
    command = [sys.executable, root / "bin/shuffle_sequences.py", "--fasta", tmp_path / "a.fa", "--out"]
    subprocess.run([*command, tmp_path / "out.fa"], check=True)
    lines = (tmp_path / "out.fa").read_text(encoding="utf-8").splitlines()
    assert lines[::2] == [">one_shuffled_2", ">b_shuffled_2"] and pairs(lines[1].encode()) == pairs(b"ACGTTGCAACCA")

"""Near relatives: found as counted by hand."""

import random

import numpy as np
import pytest

from virnucpro.training.relatives import common, families, near, words


def sequence(seed: int, length: int = 3000) -> bytes:
    return "".join(random.Random(seed).choices("ACGT", k=length)).encode()


def complement(s: bytes) -> bytes:
    return s[::-1].translate(bytes.maketrans(b"ACGT", b"TGCA"))


def test_words_are_counted_on_either_strand():
    a = sequence(1)
    by_hand = {min(a[i : i + 21], complement(a[i : i + 21])) for i in range(len(a) - 20)}
    assert len(words(a)) == len(by_hand) == 2980
    assert (words(complement(a)) == words(a)).all()
    assert common(words(a[:1000]), words(complement(a))) == 980
    assert common(words(sequence(2)), words(a)) == 0
    assert len(words(b"ACGT" * 5 + b"N" + b"ACGT" * 5)) == 0 == len(words(b"ACG"))


def test_long_sequences_are_read_in_blocks(monkeypatch):
    a = sequence(1)
    whole = words(a)
    monkeypatch.setattr("virnucpro.training.relatives._BLOCK", 700)
    assert (words(a) == whole).all()


def test_a_sample_of_words_is_the_same_for_equal_sequences():
    a, b = sequence(1, 30_000), sequence(2, 30_000)
    some = words(a, 0.1)
    assert 0.08 < len(some) / 29_980 < 0.12
    assert np.isin(some, words(a)).all()
    assert common(words(b + a, 0.1), some) == len(some)


def test_families_join_relatives_and_groups():
    a, b = sequence(1), sequence(2)
    fragments = [
        ("A", a),
        ("A", b),  # nothing shared with the first, but the same group
        ("B", sequence(3)[:2950] + complement(b[:50])),  # 30 words of the second, on the other strand
        ("C", sequence(4)[:2951] + a[:49]),  # 29 words of the first: one too few
        ("D", sequence(5)[:1000] + sequence(3)[:1000]),  # of B, so of A
    ]
    groups, found = [g for g, _ in fragments], [words(s) for _, s in fragments]
    assert families(groups, found) == ["A", "A", "A", "C", "A"]
    assert families(groups, found, least=0) == groups
    named = {str(i): w for i, w in enumerate(found)}
    assert near(named, [a]) == {"0"}
    assert near(named, [complement(b), b"ACGT"]) == {"1", "2"}


def test_one_gene_in_common_makes_no_family_of_long_genomes():
    """A conserved gene has more words than two fragments must share, but is little of a genome."""
    gene = sequence(9, 1500)
    genomes = [sequence(i, 200_000) + gene for i in range(2)]
    assert families(["a", "b"], [words(g) for g in genomes]) == ["a", "b"]
    assert families(["a", "b"], [words(genomes[0]), words(gene)]) == ["a", "a"], "a phage in its host"


def test_many_strains_are_one_family():
    strains = [sequence(1, 600) + sequence(i + 2, 600) for i in range(60)]
    found = families([f"s{i:02}" for i in range(60)], [words(s) for s in strains])
    assert set(found) == {"s00"}


@pytest.mark.parametrize("fraction", [0.5, 0.1])
def test_a_sample_of_words_finds_the_same_families(fraction):
    genomes = [sequence(i // 2, 20_000) + sequence(100 + i, 20_000) for i in range(10)]
    names = [f"g{i}" for i in range(10)]
    found = families(names, [words(g, fraction) for g in genomes], fraction=fraction)
    assert found == [f"g{i - i % 2}" for i in range(10)]

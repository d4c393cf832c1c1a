"""Which training fragments are of one genome or of near relatives, found by the words of 21 bases that they share."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

import numpy as np

K = 21
SHARED = 30  # words in common from which two 3,000-base fragments count as relatives: 1 % of what each has

_CODE = np.full(256, 4, dtype=np.uint64)
_CODE[np.frombuffer(b"ACGT", dtype=np.uint8)] = range(4)


def words(sequence: str) -> np.ndarray:
    """The distinct words of K bases of either strand (the smaller of the two as a number), uint64, ascending."""
    code = _CODE[np.frombuffer(sequence.upper().encode(), dtype=np.uint8)]
    n = max(0, len(code) - K + 1)
    forward, reverse, known = np.zeros(n, dtype=np.uint64), np.zeros(n, dtype=np.uint64), np.ones(n, dtype=bool)
    for i in range(K):
        base = code[i : i + n]
        known &= base < 4
        forward = forward * np.uint64(4) + (base & np.uint64(3))
        reverse += (np.uint64(3) - (base & np.uint64(3))) << np.uint64(2 * i)
    return np.unique(np.minimum(forward, reverse)[known])


def common(a: np.ndarray, b: np.ndarray) -> int:
    """How many words of `a` are in `b` (both ascending)."""
    at = np.searchsorted(b, a)
    within = at < len(b)
    return int((b[at[within]] == a[within]).sum())


def groups(fragments: dict[str, tuple[str, np.ndarray]]) -> dict[str, str]:
    """The group of each fragment: fragments of one accession, and of accessions with related fragments, are together.

    `fragments`: (accession, words) by record name. A group is named after its first accession in name order.
    """
    names = sorted(fragments)
    owner = np.repeat(np.arange(len(names)), [len(fragments[n][1]) for n in names])
    word = np.concatenate([fragments[n][1] for n in names])
    order = np.argsort(word, kind="stable")
    word, owner = word[order], owner[order]
    starts = np.flatnonzero(np.r_[True, word[1:] != word[:-1]])
    ends = np.r_[starts[1:], len(word)]
    shared: Counter[tuple[int, int]] = Counter()
    for start, end in zip(starts, ends, strict=True):
        if end - start > 1:
            shared.update(combinations(owner[start:end].tolist(), 2))
    parent = {accession: accession for accession, _ in fragments.values()}

    def root(accession: str) -> str:
        while parent[accession] != accession:
            accession = parent[accession]
        return accession

    for (i, j), count in shared.items():
        a, b = root(fragments[names[i]][0]), root(fragments[names[j]][0])
        if count >= SHARED and a != b:
            parent[max(a, b)] = min(a, b)
    return {name: root(fragments[name][0]) for name in names}


def near(fragments: dict[str, tuple[str, np.ndarray]], genomes: Iterable[str]) -> set[str]:
    """Names of the fragments that share SHARED words or more with one of these genomes."""
    known = [words(g) for g in genomes]
    return {name for name, (_, w) in fragments.items() if any(common(w, g) >= SHARED for g in known)}

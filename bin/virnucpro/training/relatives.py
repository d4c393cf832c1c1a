"""Which sequences are of near relatives, found by the words of 21 bases that they share.

A classifier that has seen a genome's sister is not asked anything new by that genome, so relatives stand on one side of
a split. Of large data a sample of the words is looked at, always the same ones of equal sequences (Broder 1997).
"""

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

K = 21
SHARED = 30  # words in common from which two 3,000-base fragments count as relatives: 1 % of what each has
SHARE = 0.01  # of the words of the smaller one: two genomes of many genes may share one that all have
MOST_WORDS = 32_000_000  # looked at, of all sequences together: some 1.5 GB of working memory
NEIGHBOURS = 16  # of a word that many sequences have, each is compared with so many others that have it

_CODE = np.full(256, 4, dtype=np.uint64)
_CODE[np.frombuffer(b"ACGT", dtype=np.uint8)] = range(4)
_BLOCK = 4 << 20  # bases at a time
_MIX = np.uint64(0x9E3779B97F4A7C15)


def words(sequence: bytes, fraction: float = 1.0) -> np.ndarray:
    """The distinct words of K bases of either strand (the smaller of the two as a number), uint64, ascending.

    sequence: upper case; a word with another letter than ACGT is none. fraction: of all words, those that are kept.
    """
    parts = [_words(block, fraction) for block in _blocks(sequence)]
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.uint64)


def _blocks(sequence: bytes) -> Iterator[bytes]:
    for first in range(0, max(len(sequence) - K + 1, 0), _BLOCK):
        yield sequence[first : first + _BLOCK + K - 1]


def _words(sequence: bytes, fraction: float) -> np.ndarray:
    code = _CODE[np.frombuffer(sequence, dtype=np.uint8)]
    n = len(code) - K + 1
    forward, reverse, known = np.zeros(n, dtype=np.uint64), np.zeros(n, dtype=np.uint64), np.ones(n, dtype=bool)
    for i in range(K):
        base = code[i : i + n]
        known &= base < 4
        forward = forward * np.uint64(4) + (base & np.uint64(3))
        reverse += (np.uint64(3) - (base & np.uint64(3))) << np.uint64(2 * i)
    found = np.unique(np.minimum(forward, reverse)[known])
    return found if fraction >= 1 else found[found * _MIX < np.uint64(int(fraction * 2**64))]


def common(a: np.ndarray, b: np.ndarray) -> int:
    """How many words of `a` are in `b` (both ascending)."""
    return len(np.intersect1d(a, b, assume_unique=True))


def families(groups: list[str], found: list[np.ndarray], least: int = SHARED, fraction: float = 1.0) -> list[str]:
    """The family of each sequence: those of one group are together, and groups with related sequences.

    groups, found: of each sequence its group (a genome, say) and its words (`words`, of this `fraction`). Two sequences
    are related where they share `least` words, and SHARE of those that the smaller one has; 0: none is. A family is
    named after its first group in name order.
    """
    names, member = np.unique(np.array(groups, dtype=object).astype(str), return_inverse=True)
    edges = _related(found, least * fraction) if least else np.zeros((2, 0), dtype=np.int64)
    a, b = member[edges]
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(len(names), len(names)))
    number, family = connected_components(graph, directed=False)
    first = np.full(number, len(names))
    np.minimum.at(first, family, np.arange(len(names)))
    return names[first[family[member]]].tolist()


def _related(found: list[np.ndarray], least: float) -> np.ndarray:
    """Pairs of related sequences, int64 [2, pairs]."""
    sizes = np.array([len(w) for w in found])
    owner = np.repeat(np.arange(len(found)), sizes)
    word = np.concatenate(found) if found else np.zeros(0, dtype=np.uint64)
    order = np.argsort(word, kind="stable")
    word, owner = word[order], owner[order]
    found_pairs = [np.zeros((2, 0), dtype=np.int64)]  # pair, words in common
    for step in range(1, NEIGHBOURS + 1):
        at = np.flatnonzero(word[step:] == word[:-step])
        if not len(at):
            break
        found_pairs.append(np.stack(np.unique(owner[at] * len(found) + owner[at + step], return_counts=True)))
    pairs, shares = np.concatenate(found_pairs, axis=1)
    pair, which = np.unique(pairs, return_inverse=True)
    shared = np.bincount(which, shares, minlength=len(pair))
    ends = np.stack([pair // max(len(found), 1), pair % max(len(found), 1)])
    needed = np.maximum(least, SHARE * np.minimum(*sizes[ends])) if len(pair) else least
    return ends[:, shared >= needed]


def near(found: dict[str, np.ndarray], genomes: Iterable[bytes]) -> set[str]:
    """Names of the sequences that share SHARED words or more with one of these genomes."""
    known = [words(genome) for genome in genomes]
    return {name for name, own in found.items() if any(common(own, w) >= SHARED for w in known)}

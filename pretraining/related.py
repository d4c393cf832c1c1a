"""What training must not see: words of the genomes that judge."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pretraining.corpus import BASES
from pretraining.stretches import reverse_complement

WORD = 31  # bases; a gene that shares one with the judging genomes is left out
PEPTIDE_WORD = 10  # residues: host genes with many such words of viral genes are left out, too
BLOCK = 1 << 24  # bases or residues looked at together
BUCKETS = 29  # bits of the first, coarse look-up


def fasta_records(folder: Path) -> Iterator[np.ndarray]:
    """Codes (uint8) of every record of every .fa and .fa.gz under `folder`."""
    files = sorted(p for pattern in ("*.fa", "*.fa.gz") for p in folder.rglob(pattern))
    if not files:
        raise SystemExit(f"{folder}: holds no .fa or .fa.gz")
    for path in files:
        yield from records_of(path)


def records_of(path: Path) -> Iterator[np.ndarray]:
    """Codes (uint8) of every record of a FASTA file, gzip or not, with Unix line ends."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    for record in text.split(b">")[1:]:
        yield BASES[np.frombuffer(record.partition(b"\n")[2].replace(b"\n", b""), dtype=np.uint8)]


def packed(symbols: np.ndarray, width: int, bits: int, known: int) -> tuple[np.ndarray, np.ndarray]:
    """Every word of `width` symbols as a number (uint64), and whether all its symbols are below `known`."""
    n = max(0, len(symbols) - width + 1)
    out, done = np.zeros(n, dtype=np.uint64), 0
    part, size = (symbols & np.uint8((1 << bits) - 1)).astype(np.uint64), 1  # words of 1, 2, 4 ... symbols
    while True:
        if width & size:  # this power of two is a digit of the width
            out = (out << np.uint64(bits * size)) | part[done : done + n]
            done += size
        if done == width:
            break
        part = (part[:-size] << np.uint64(bits * size)) | part[size:]
        size *= 2
    gaps = np.append(0, np.cumsum(symbols >= known, dtype=np.int32))
    return out, (gaps[width:] == gaps[: len(gaps) - width]) if n else np.zeros(0, dtype=bool)


def mix(words: np.ndarray, bits: int) -> np.ndarray:
    """Hash of words (uint64) to `bits` bits, by Fibonacci's multiplier."""
    return (words * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits)


class WordSet:
    """A set of words that is asked for hundreds of millions of them."""

    def __init__(self, words: np.ndarray):
        self.words = np.unique(words)
        self._bucket = np.zeros(1 << BUCKETS, dtype=bool)
        self._bucket[mix(self.words, BUCKETS)] = True

    def among(self, words: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Indices of the `known` ones of `words` that are in the set."""
        maybe = np.flatnonzero(known & self._bucket[mix(words, BUCKETS)])
        at = np.minimum(np.searchsorted(self.words, words[maybe]), len(self.words) - 1)
        return maybe[self.words[at] == words[maybe]]


def words_of_bases(records: list[np.ndarray]) -> WordSet:
    """31-mers of both strands."""
    found = []
    for codes in records:
        for strand in (codes, reverse_complement(codes)):
            words, known = packed(strand, WORD, 2, 4)
            found.append(words[known])
    return WordSet(np.concatenate(found))


def hits(symbols: np.ndarray, offsets: np.ndarray, words: WordSet, width: int, bits: int, known: int) -> np.ndarray:
    """int64 [records]: how many of each record's words are in the set."""
    count = np.zeros(len(offsets) - 1, dtype=np.int64)
    for first in range(0, len(symbols), BLOCK):
        number, good = packed(symbols[first : first + BLOCK + width - 1], width, bits, known)
        at = first + words.among(number, good)
        record = np.searchsorted(offsets, at, side="right") - 1
        inside = at + width <= offsets[record + 1]
        count += np.bincount(record[inside], minlength=len(count))
    return count

"""Whether a sequence's genes are read with another genetic code: one of the standard stops then stands within them.

Of the codes that phages use, 4 reads TGA and 15 reads TAG (Ivanova et al. 2014, doi:10.1126/science.1250691). That more
chunks are open without a stop says little: in GC-rich genes TGA is rare in wrong frames, and phage lambda has 58 % of
its chunks open under code 4, 37 % under its own. So the three stops are compared with one another, in one sequence.

A stop is *lone* where no frame has a long stretch over it, as a gene would be. A lone stop is *inside* where its frame
goes on for many codons on both sides. Were all three stops, each kind would be inside as often as it is lone.
"""

import numpy as np

from virnucpro.frames.cuts import BLOCK_BASES, open_chunks
from virnucpro.frames.genetic_codes import STANDARD, codon_number, genetic_code
from virnucpro.frames.open_frames import codons_by_phase

KINDS = ("TAA", "TAG", "TGA")
RECODED = {4: "TGA", 15: "TAG"}  # code 25 reads TGA as well (as glycine): by stops alone it is code 4
SHORTEST = 5000  # bases of a sequence that is looked at
MOST_CHANCE = 1e-4
TIMES = 3
LONG = 100  # codons of a stretch that may be a gene
FLANK = 60  # codons on either side that hold no stop
BETWEEN = b"NNN"  # sequences: in each phase a codon that is none


def chosen_codes(
    block: bytes, lengths: np.ndarray, scored: np.ndarray, chunk_length: int, given: int | None
) -> np.ndarray:
    """Numbers of the sequences' genetic codes, int64 [sequences]: the one given, or for None each sequence's own."""
    codes = np.full(len(lengths), given or 1)
    if given:
        return codes
    long = scored & (lengths >= SHORTEST)
    better = better_codes(block, lengths, long, open_chunks(block, lengths, long, chunk_length), chunk_length, codes)
    return np.where(better > 0, better, codes)


def better_codes(
    block: bytes, lengths: np.ndarray, wanted: np.ndarray, opened: np.ndarray, chunk_length: int, used: np.ndarray
) -> np.ndarray:
    """Number of the code under which far more chunks of a sequence would be open, int64 [sequences]; 0 where none is.

    block: the sequences one after another, of `lengths` bases each. wanted: bool, those to be looked at; of these such
    as are long and have most chunks closed. opened: chunks with an open frame under the codes `used`. The code is named
    where it opens a fifth more chunks, and the stop that it reads is inside genes.
    """
    chunks = -(-lengths // chunk_length)
    rows = np.flatnonzero(wanted & (lengths >= SHORTEST) & (2 * opened < chunks))
    better = np.zeros(len(lengths), dtype=np.int64)
    if not len(rows):
        return better
    counts, most = _counts(block, lengths, rows), 1.2 * opened
    for number, stop in RECODED.items():
        there = np.zeros(len(lengths), dtype=bool)
        there[rows] = is_inside(counts, stop) & (used[rows] != number)
        if there.any():
            now = open_chunks(block, lengths, there, chunk_length, genetic_code(number))
            better[now > most] = number
            most = np.maximum(now, most)
    return better


def _counts(block: bytes, lengths: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`stops_inside` of some sequences of a block, pieces of about BLOCK_BASES at a time."""
    counts = np.zeros((len(rows), len(KINDS), 3), dtype=np.int64)
    begin, end = (np.cumsum(lengths) - lengths)[rows].tolist(), np.cumsum(lengths)[rows].tolist()
    pieces, owners, bases = [], [], 0
    for row, (first, last) in enumerate(zip(begin, end, strict=True)):
        for at in range(first, last, BLOCK_BASES):
            pieces.append(block[at : min(at + BLOCK_BASES, last)])
            owners.append(row)
            bases += len(pieces[-1])
            if bases >= BLOCK_BASES:
                np.add.at(counts, owners, stops_inside(pieces))
                pieces, owners, bases = [], [], 0
    if pieces:
        np.add.at(counts, owners, stops_inside(pieces))
    return counts


def is_inside(counts: np.ndarray, stop: str) -> np.ndarray:
    """Whether a kind of stop is inside far more often than the other two, bool [sequences]; counts: of `stops_inside`.

    In one way of counting at least: three times as often, and by chance with a probability below MOST_CHANCE, of which
    Chernoff's bound for the binomial distribution is taken.
    """
    kind = KINDS.index(stop)
    others = [k for k in range(len(KINDS)) if k != kind]
    lone, lone_others = counts[:, kind, 0], counts[:, others, 0].sum(axis=1)
    expected = lone / np.maximum(lone + lone_others, 1)
    found = np.zeros(len(counts), dtype=bool)
    for way in (1, 2):
        inside, inside_others = counts[:, kind, way], counts[:, others, way].sum(axis=1)
        n = inside + inside_others
        share = inside / np.maximum(n, 1)
        often = inside * lone_others > TIMES * inside_others * lone
        found |= often & (n * _divergence(share, expected) > -np.log(MOST_CHANCE))
    return found


def _divergence(share: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Kullback and Leibler's, of two-sided coins; `expected` is above 0 where `share` is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = share * np.log(share / expected), (1 - share) * np.log((1 - share) / (1 - expected))
    return np.nan_to_num(parts[0]) + np.nan_to_num(parts[1])


def stops_inside(sequences: list[bytes]) -> np.ndarray:
    """int64 [sequences, 3 kinds, 3]: lone stops; of these, inside with no stop in the flanks; inside with none of the
    other two kinds."""
    block = b"".join(s + BETWEEN for s in sequences)
    ends = np.cumsum([len(s) + len(BETWEEN) for s in sequences])
    codons, width = codons_by_phase(block)

    def base(codon: np.ndarray) -> np.ndarray:
        return 3 * (codon % width) + codon // width

    strands = []  # of each the places of stops and barriers, and what they are
    change = np.zeros(3 * width + 3, dtype=np.int8)  # in how many frames a base is in a long stretch: at most six
    for table in _STOPS:
        kinds = np.frombuffer(codons.translate(table), dtype=np.uint8)
        place = np.flatnonzero(kinds)
        strands.append((np.append(-1, place), np.append(BARRIER, kinds[place])))
        first, last = strands[-1][0][:-1] + 1, strands[-1][0][1:] - 1
        long = last - first >= LONG - 1
        np.add.at(change, base(first[long]), 1)
        np.add.at(change, base(last[long]) + 3, -1)
    is_covered = np.cumsum(change, dtype=np.int8) > 0
    counts = np.zeros((len(sequences), len(KINDS), 3), dtype=np.int64)
    for place, kinds in strands:
        at = base(place)
        lone = ~(is_covered[at] | is_covered[at + 2])
        for kind in range(len(KINDS)):
            mine = np.flatnonzero(lone & (kinds == kind + 1))
            others = place[kinds != kind + 1]
            owner = np.searchsorted(ends, at[mine], side="right")
            near = place[mine - 1], place[mine + 1]
            after = np.searchsorted(others, place[mine])
            ways = [np.ones(len(mine), dtype=bool)]
            for left, right in (near, (others[after - 1], others[after])):
                ways.append((place[mine] - left > FLANK) & (right - place[mine] > FLANK))
            for way, is_so in enumerate(ways):
                counts[:, kind, way] += np.bincount(owner[is_so], minlength=len(sequences))
    return counts


def _kinds(strand: int) -> bytes:
    """A table for bytes.translate: codon number to 1 + the index of its kind, BARRIER where it is no codon, else 0."""
    table = bytearray(BARRIER if residue == 0 else 0 for residue in STANDARD.residues[0])
    for index, kind in enumerate(KINDS):
        table[codon_number(kind, strand)] = 1 + index
    return bytes(table)


BARRIER = 1 + len(KINDS)  # a codon that is none: with another letter than ACGT, or between two sequences
_STOPS = _kinds(0), _kinds(1)

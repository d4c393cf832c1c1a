"""Open reading frames of chunks: six frames, no stop, as VirNucPro's identify_seq finds them.

The work is done for a block of sequences at once. For every base i of the block the codon that starts there is looked
up in two tables (forward strand, reverse strand). Running totals of stops and of unknown codons, one per reading phase,
then say in constant time whether a frame of a chunk is open; only open frames are ever written out as text.
"""

from typing import NamedTuple

import numpy as np

from virnucpro.chunks import Chunks

_CODON_ORDER = "TCAG"
_AMINO_ACIDS = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"  # NCBI translation table 1
_STOP = ord("*")
_UNKNOWN = 0  # a codon with a letter outside ACGT adds no residue

# Letters that may stand in a nucleotide sequence: IUPAC codes, gaps, and X and * of masking programs.
NUCLEOTIDE_LETTERS = b"ACGTRYSWKMBDHVNX-.*"

_COMPLEMENT = np.arange(256, dtype=np.uint8)
_COMPLEMENT[list(b"ACGT")] = list(b"TGCA")

_CODE = np.full(256, 4, dtype=np.uint8)  # A C G T -> 0..3, others 4: a codon is a number in base 5
_CODE[list(b"ACGT")] = range(4)


def _codon_tables() -> tuple[np.ndarray, np.ndarray]:
    """Residue (as a byte) of each codon number 0..124, read forward and read on the reverse strand."""
    residue = {
        a + b + c: _AMINO_ACIDS[16 * i + 4 * j + k]
        for i, a in enumerate(_CODON_ORDER)
        for j, b in enumerate(_CODON_ORDER)
        for k, c in enumerate(_CODON_ORDER)
    }
    forward = np.full(125, _UNKNOWN, dtype=np.uint8)
    reverse = np.full(125, _UNKNOWN, dtype=np.uint8)
    letters = "ACGT"
    for codon, amino_acid in residue.items():
        a, b, c = (letters.index(x) for x in codon)
        forward[25 * a + 5 * b + c] = ord(amino_acid)
        reverse[25 * (3 - c) + 5 * (3 - b) + (3 - a)] = ord(amino_acid)  # complement of code x is 3 - x
    return forward, reverse


_FORWARD, _REVERSE = _codon_tables()
# Three counters in one int64, 21 bits each, so that one running total serves all: forward stops, reverse stops,
# unknown codons.
_COUNTER = 21
_COUNTERS = (
    (_FORWARD == _STOP).astype(np.int64)
    + ((_REVERSE == _STOP).astype(np.int64) << _COUNTER)
    + ((_FORWARD == _UNKNOWN).astype(np.int64) << (2 * _COUNTER))
)
_COUNTER_MASK = (1 << _COUNTER) - 1

MAX_BLOCK = 3 * _COUNTER_MASK  # bases; beyond it a counter could overflow


class OpenFrames(NamedTuple):
    """The open frames of a block's chunks, ordered by chunk, then F1 F2 F3 R1 R2 R3."""

    chunk: np.ndarray  # int64, index into the chunks given
    frame: np.ndarray  # int64, 0..5
    nucleotides: list[bytes]
    peptides: list[bytes]


def open_frames(block: np.ndarray, chunks: Chunks, origin: np.ndarray) -> OpenFrames:
    """Find every open frame of `chunks`.

    block: uint8 [bases], the sequences one after another, upper case, fewer than MAX_BLOCK bases.
    origin: int64 [chunks], where the sequence of each chunk begins in `block`.

    A frame is open when its peptide is not empty and has no stop. Its nucleotides are
    strand[f : f + 3 * len(peptide) + 1] (f from 0): one base more than the codons where there is one, as VirNucPro
    gives them to DNABERT-S. The reverse complement maps only ACGT; other letters stay as they are.
    """
    if len(block) >= MAX_BLOCK:
        raise ValueError(f"a block of {len(block)} bases is too large, the limit is {MAX_BLOCK}")
    codons = _codon_numbers(block)
    start, end = chunks.start + origin, chunks.end + origin
    f = np.arange(3)
    count = np.maximum((end - start)[:, None] - f, 0) // 3  # [chunks, 3] codons per frame, the same on both strands
    first_forward = start[:, None] + f
    first_reverse = end[:, None] - f - 3 * count  # leftmost base of the frame's last codon
    totals = _running_totals(codons)
    forward = _between(totals, first_forward, count)
    reverse = _between(totals, first_reverse, count)
    stops = np.concatenate([forward & _COUNTER_MASK, (reverse >> _COUNTER) & _COUNTER_MASK], axis=1)
    unknown = np.concatenate([forward, reverse], axis=1) >> (2 * _COUNTER)
    count = np.concatenate([count, count], axis=1)
    chunk, frame = np.nonzero((stops == 0) & (count > unknown))
    first = np.concatenate([first_forward, first_reverse], axis=1)[chunk, frame]
    picked = (chunk, frame), first, count[chunk, frame], unknown[chunk, frame]
    peptides = _peptides(codons, *picked)
    return OpenFrames(chunk, frame, _nucleotides(block, start, end, chunk, frame, peptides), peptides)


def _codon_numbers(block: np.ndarray) -> np.ndarray:
    """Number 0..124 of the codon that starts at each base, uint8, padded with unknown codons to a multiple of 3."""
    code = np.full(-(-len(block) // 3) * 3 + 2, 4, dtype=np.uint8)
    code[: len(block)] = _CODE[block]
    return 25 * code[:-2] + 5 * code[1:-1] + code[2:]


def _running_totals(codons: np.ndarray) -> np.ndarray:
    """int64 [3, n/3 + 1]: row p holds the packed counters of codons p, p + 3, ... summed up to (not with) column j."""
    totals = np.zeros((3, len(codons) // 3 + 1), dtype=np.int64)
    np.cumsum(_COUNTERS[codons.reshape(-1, 3).T], axis=1, out=totals[:, 1:])
    return totals


def _between(totals: np.ndarray, first: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Packed counters of `count` successive codons of one phase, the leftmost at base `first`."""
    phase, column = first % 3, first // 3
    return totals[phase, column + count] - totals[phase, column]


def _peptides(codons: np.ndarray, at: tuple, first: np.ndarray, count: np.ndarray, unknown: np.ndarray) -> list[bytes]:
    # In each phase the residues of one strand lie side by side, so that a peptide is a slice: forward as it stands, on
    # the reverse strand of the reversed row.
    by_phase = codons.reshape(-1, 3).T
    rows = [row.tobytes() for row in _FORWARD[by_phase]] + [row[::-1].tobytes() for row in _REVERSE[by_phase]]
    width = by_phase.shape[1]
    is_reverse = at[1] >= 3
    column = np.where(is_reverse, width - first // 3 - count, first // 3)
    row = first % 3 + 3 * is_reverse
    cut = zip(row.tolist(), column.tolist(), (column + count).tolist(), strict=True)
    peptides = [rows[r][a:b] for r, a, b in cut]
    for i in np.flatnonzero(unknown).tolist():
        peptides[i] = peptides[i].replace(b"\0", b"")
    return peptides


def _nucleotides(block, start, end, chunk, frame, peptides) -> list[bytes]:
    forward = block.tobytes()
    backward = _COMPLEMENT[block][::-1].tobytes()
    is_reverse = frame >= 3
    offset = frame % 3
    size = np.array([3 * len(p) + 1 for p in peptides], dtype=np.int64)
    left = np.where(is_reverse, len(block) - end[chunk], start[chunk])  # where the chunk begins on its strand
    right = np.minimum(left + offset + size, left + (end - start)[chunk])
    cut = zip(is_reverse.tolist(), (left + offset).tolist(), right.tolist(), strict=True)
    return [(backward if r else forward)[a:b] for r, a, b in cut]

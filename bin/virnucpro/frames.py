"""Open reading frames of chunks: six frames, no stop, as VirNucPro's identify_seq finds them.

The work is done for a block of sequences at once. The codon that starts at each base becomes a number; whether a frame
of a chunk is open is then one search among the positions of its strand's stops, and only open frames are ever
translated and cut out.
"""

from functools import reduce
from typing import NamedTuple

import numpy as np

from virnucpro.chunks import Chunks

_CODON_ORDER = "TCAG"
_AMINO_ACIDS = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"  # NCBI translation table 1
_STOP = ord("*")
_UNKNOWN = 0  # a codon with a letter outside ACGT adds no residue

# Letters that may stand in a nucleotide sequence: IUPAC codes, gaps, and X and * of masking programs.
NUCLEOTIDE_LETTERS = b"ACGTRYSWKMBDHVNX-.*"

_COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")
_CODE = bytes(b"ACGT".find(letter) % 5 for letter in range(256))  # A C G T -> 0..3, others 4: codons count in base 5


def _codon_tables() -> tuple[bytes, bytes]:
    """Residue of each codon number 0..124, read forward and on the reverse strand, as tables of bytes.translate."""
    forward, reverse = (bytearray(256) for _ in range(2))  # _UNKNOWN where nothing is set
    code = dict(zip("ACGT", range(4), strict=True))
    codons = ((a, b, c) for a in _CODON_ORDER for b in _CODON_ORDER for c in _CODON_ORDER)
    for letters, residue in zip(codons, _AMINO_ACIDS, strict=True):
        a, b, c = (code[x] for x in letters)
        forward[25 * a + 5 * b + c] = ord(residue)
        reverse[25 * (3 - c) + 5 * (3 - b) + (3 - a)] = ord(residue)  # the complement of code x is 3 - x
    return bytes(forward), bytes(reverse)


_FORWARD, _REVERSE = _codon_tables()
_STOPS = [[n for n in range(125) if table[n] == _STOP] for table in (_FORWARD, _REVERSE)]
_IS_UNKNOWN = bytes(residue == _UNKNOWN for residue in _FORWARD)


class OpenFrames(NamedTuple):
    """The open frames of a block's chunks, ordered by chunk, then F1 F2 F3 R1 R2 R3."""

    chunk: np.ndarray  # int64, index into the chunks given
    frame: np.ndarray  # int64, 0..5
    nucleotides: list[bytes]
    peptides: list[bytes]


def open_frames(block: bytes, chunks: Chunks, origin: np.ndarray) -> OpenFrames:
    """Find every open frame of `chunks`.

    block: the sequences one after another, upper case.
    origin: int64 [chunks], where the sequence of each chunk begins in `block`.

    A frame is open when its peptide is not empty and has no stop. Its nucleotides are
    strand[f : f + 3 * len(peptide) + 1] (f from 0): one base more than the codons where there is one, as VirNucPro
    gives them to DNABERT-S. The reverse complement maps only ACGT; other letters stay as they are.
    """
    codons, width = _codons_by_phase(block)
    start, end = chunks.start + origin, chunks.end + origin
    f = np.arange(3)
    count = np.maximum((end - start)[:, None] - f, 0) // 3  # [chunks, 3] codons per frame, the same on both strands
    leftmost = np.stack([start[:, None] + f, end[:, None] - f - 3 * count])  # [2, chunks, 3] base of the leftmost codon
    at = leftmost % 3 * width + leftmost // 3  # where that codon stands in `codons`
    closed = np.stack([_any_between(_positions(codons, x), a, count) for x, a in zip(_STOPS, at, strict=True)])
    unknown = _count_between(_unknown(codons), at, count)
    chunk, frame = np.nonzero(np.concatenate(list(~closed & (count > unknown)), axis=1))
    picked = frame // 3, chunk, frame % 3
    peptides = _peptides(codons, frame, at[picked], count[chunk, frame % 3], unknown[picked])
    return OpenFrames(chunk, frame, _nucleotides(block, start, end, chunk, frame, peptides), peptides)


def _codons_by_phase(block: bytes) -> tuple[bytes, int]:
    """Number 0..124 of the codon that starts at each base, and how many there are in each of the three phases.

    Codons 0, 3, 6, ... come first, then 1, 4, 7, ..., then 2, 5, 8, ...: those of one reading frame lie side by side,
    so that a peptide is a slice. Padded with unknown codons.
    """
    width = -(-len(block) // 3)
    code = np.full(3 * width + 2, 4, dtype=np.uint8)
    code[: len(block)] = np.frombuffer(block.translate(_CODE), dtype=np.uint8)
    numbers = 25 * code[:-2] + 5 * code[1:-1] + code[2:]
    return numbers.reshape(-1, 3).T.tobytes(), width


def _positions(codons: bytes, wanted: list[int]) -> np.ndarray:
    """Where these codons stand, ascending; a last position beyond the end stands for 'no more'."""
    numbers = np.frombuffer(codons, dtype=np.uint8)
    found = np.flatnonzero(reduce(np.logical_or, (numbers == number for number in wanted)))
    return np.append(found, len(codons))


def _unknown(codons: bytes) -> np.ndarray:
    """The same for codons with a letter outside ACGT."""
    numbers = np.frombuffer(codons.translate(_IS_UNKNOWN), dtype=bool)
    return np.append(np.flatnonzero(numbers), len(codons))


def _any_between(positions: np.ndarray, first: np.ndarray, count: np.ndarray) -> np.ndarray:
    return positions[np.searchsorted(positions, first)] < first + count


def _count_between(positions: np.ndarray, first: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.searchsorted(positions, first + count) - np.searchsorted(positions, first)


def _peptides(codons: bytes, frame, first, count, unknown) -> list[bytes]:
    cut = zip((frame >= 3).tolist(), first.tolist(), (first + count).tolist(), strict=True)
    # The reverse strand is read from the right.
    peptides = [codons[a:b][::-1].translate(_REVERSE) if r else codons[a:b].translate(_FORWARD) for r, a, b in cut]
    for i in np.flatnonzero(unknown).tolist():
        peptides[i] = peptides[i].replace(b"\0", b"")
    return peptides


def _nucleotides(block: bytes, start, end, chunk, frame, peptides) -> list[bytes]:
    is_reverse = frame >= 3
    offset = frame % 3
    size = 3 * np.fromiter(map(len, peptides), dtype=np.int64, count=len(peptides)) + 1
    start, end = start[chunk], end[chunk]
    # On the forward strand from the chunk's start to the right, on the reverse strand from its end to the left.
    left = np.where(is_reverse, np.maximum(end - offset - size, start), start + offset)
    right = np.where(is_reverse, end - offset, np.minimum(start + offset + size, end))
    cut = zip(is_reverse.tolist(), left.tolist(), right.tolist(), strict=True)
    return [block[a:b].translate(_COMPLEMENT)[::-1] if r else block[a:b] for r, a, b in cut]

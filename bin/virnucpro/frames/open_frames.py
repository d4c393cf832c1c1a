"""Open reading frames of chunks: six frames, no stop, as VirNucPro's identify_seq finds them.

The work is done for a block of sequences at once. The codon that starts at each base becomes a number; whether a frame
of a chunk is open is then one search among the positions of its strand's stops, and only open frames are ever
translated and cut out.
"""

from functools import reduce
from typing import NamedTuple

import numpy as np

from virnucpro.frames.chunks import Chunks
from virnucpro.frames.genetic_codes import STANDARD, GeneticCode

# Letters that may stand in a nucleotide sequence: IUPAC codes, gaps, and X and * of masking programs.
NUCLEOTIDE_LETTERS = b"ACGTRYSWKMBDHVNX-.*"

COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")
_CODE = bytes(b"ACGT".find(letter) % 5 for letter in range(256))  # A C G T -> 0..3, others 4: codons count in base 5
_IS_UNKNOWN = bytes(residue == 0 for residue in STANDARD.residues[0])  # a codon with a letter outside ACGT


class OpenFrames(NamedTuple):
    """The open frames of a block's chunks, ordered by chunk, then F1 F2 F3 R1 R2 R3."""

    chunk: np.ndarray  # int64, index into the chunks given
    frame: np.ndarray  # int64, 0..5
    standard: np.ndarray  # bool, whether it is open under the standard code, too
    nucleotides: list[bytes]
    peptides: list[bytes]


def open_frames(block: bytes, chunks: Chunks, origin: np.ndarray, code: GeneticCode = STANDARD) -> OpenFrames:
    """Find every open frame of `chunks`.

    block: the sequences one after another, upper case.
    origin: int64 [chunks], where the sequence of each chunk begins in `block`.

    A frame is open when its peptide is not empty and has no stop; a codon with a letter outside ACGT adds no residue.
    Its nucleotides are strand[f : f + 3 * len(peptide) + 1] (f from 0): one base more than the codons where there is
    one, as VirNucPro gives them to DNABERT-S. The reverse complement maps only ACGT; other letters stay as they are.
    """
    codons, width = codons_by_phase(block)
    start, end = chunks.start + origin, chunks.end + origin
    at, count = frame_codons(start, end, width)
    unknown = count_between(unknown_codons(codons), at, count)
    chunk, frame = np.nonzero(_open(codons, at, count, unknown, code))
    picked = frame // 3, chunk, frame % 3
    found = peptides(codons, frame, at[picked], count[chunk, frame % 3], unknown[picked], code)
    standard = np.ones(len(chunk), dtype=bool)
    if any(code.former_stops):
        standard = ~_holding(codons, code.former_stops, at, count)[picked]
    return OpenFrames(chunk, frame, standard, _nucleotides(block, start, end, chunk, frame, found), found)


def which_are_open(block: bytes, chunks: Chunks, origin: np.ndarray, code: GeneticCode = STANDARD) -> np.ndarray:
    """Whether each frame is open, bool [chunks, 6]: `open_frames` without their letters."""
    codons, width = codons_by_phase(block)
    at, count = frame_codons(chunks.start + origin, chunks.end + origin, width)
    return _open(codons, at, count, count_between(unknown_codons(codons), at, count), code)


def _open(codons: bytes, at: np.ndarray, count: np.ndarray, unknown: np.ndarray, code: GeneticCode) -> np.ndarray:
    return np.concatenate(list(~_holding(codons, code.stops, at, count) & (count > unknown)), axis=1)


def frame_codons(start: np.ndarray, end: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the codons of each chunk's six frames stand among `codons_by_phase`, `width` to a phase.

    start, end: int64 [chunks], of the chunks in the block. Returns the place of each frame's leftmost codon, int64
    [2 strands, chunks, 3], and how many codons it has, int64 [chunks, 3], the same on both strands.
    """
    f = np.arange(3)
    count = np.maximum((end - start)[:, None] - f, 0) // 3
    leftmost = np.stack([start[:, None] + f, end[:, None] - f - 3 * count])  # base of the leftmost codon
    return leftmost % 3 * width + leftmost // 3, count


def codons_by_phase(block: bytes) -> tuple[bytes, int]:
    """Number 0..124 of the codon that starts at each base, and how many there are in each of the three phases.

    Codons 0, 3, 6, ... come first, then 1, 4, 7, ..., then 2, 5, 8, ...: those of one reading frame lie side by side,
    so that a peptide is a slice. Padded with unknown codons.
    """
    width = -(-len(block) // 3)
    code = np.full(3 * width + 2, 4, dtype=np.uint8)
    code[: len(block)] = np.frombuffer(block.translate(_CODE), dtype=np.uint8)
    numbers = 25 * code[:-2] + 5 * code[1:-1] + code[2:]
    return numbers.reshape(-1, 3).T.tobytes(), width


def _holding(codons: bytes, wanted: tuple[list[int], list[int]], at: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Whether a frame has one of the codons that are wanted on its strand, bool [2 strands, chunks, 3]."""
    return np.stack([_any_between(positions(codons, x), a, count) for x, a in zip(wanted, at, strict=True)])


def positions(codons: bytes, wanted: list[int]) -> np.ndarray:
    """Where these codons stand, int64, ascending; a last position beyond the end stands for 'no more'."""
    numbers = np.frombuffer(codons, dtype=np.uint8)
    found = np.flatnonzero(reduce(np.logical_or, (numbers == number for number in wanted)))
    return np.append(found, len(codons))


def unknown_codons(codons: bytes) -> np.ndarray:
    """The same for codons with a letter outside ACGT."""
    numbers = np.frombuffer(codons.translate(_IS_UNKNOWN), dtype=bool)
    return np.append(np.flatnonzero(numbers), len(codons))


def _any_between(positions: np.ndarray, first: np.ndarray, count: np.ndarray) -> np.ndarray:
    return positions[np.searchsorted(positions, first)] < first + count


def count_between(positions: np.ndarray, first: np.ndarray, count: np.ndarray) -> np.ndarray:
    """How many of the ascending `positions` lie in first .. first + count, one end excluded."""
    return np.searchsorted(positions, first + count) - np.searchsorted(positions, first)


def peptides(codons: bytes, frame, first, count, unknown, code: GeneticCode) -> list[bytes]:
    """The residues of runs of codons: of each its frame 0..5, first codon, number of codons, unknown ones in it."""
    cut = zip((frame >= 3).tolist(), first.tolist(), (first + count).tolist(), strict=True)
    forward, reverse = code.residues
    # The reverse strand is read from the right.
    found = [codons[a:b][::-1].translate(reverse) if r else codons[a:b].translate(forward) for r, a, b in cut]
    for i in np.flatnonzero(unknown).tolist():
        found[i] = found[i].replace(b"\0", b"")
    return found


def _nucleotides(block: bytes, start, end, chunk, frame, peptides) -> list[bytes]:
    is_reverse = frame >= 3
    offset = frame % 3
    size = 3 * np.fromiter(map(len, peptides), dtype=np.int64, count=len(peptides)) + 1
    start, end = start[chunk], end[chunk]
    # On the forward strand from the chunk's start to the right, on the reverse strand from its end to the left.
    left = np.where(is_reverse, np.maximum(end - offset - size, start), start + offset)
    right = np.where(is_reverse, end - offset, np.minimum(start + offset + size, end))
    cut = zip(is_reverse.tolist(), left.tolist(), right.tolist(), strict=True)
    return [block[a:b].translate(COMPLEMENT)[::-1] if r else block[a:b] for r, a, b in cut]

"""Longest stretches without a stop of many windows at once, as the pipeline finds them chunk by chunk."""

import numpy as np

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
STOP, UNKNOWN, NOTHING = 20, 21, 255

_ORDER = "TCAG"  # of the standard code as NCBI writes it
_CODE = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"


def _codons() -> np.ndarray:
    table = np.full(125, UNKNOWN, dtype=np.uint8)
    for number, residue in enumerate(_CODE):
        a, b, c = ("ACGT".index(_ORDER[i]) for i in (number // 16, number // 4 % 4, number % 4))
        table[25 * a + 5 * b + c] = STOP if residue == "*" else RESIDUES.index(residue)
    return table


CODONS = _codons()  # residue of the codon of bases a, b, c (0..3, 4 unknown): CODONS[25 a + 5 b + c]


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Of codes as corpus.BASES has them."""
    back = codes[::-1]
    return np.where(back < 4, 3 - back, 4).astype(np.uint8)


def reversed_windows(windows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Reverse complement of each window, aligned to the left like the windows; 4 behind its end."""
    at = lengths[:, None] - 1 - np.arange(windows.shape[1])
    back = np.take_along_axis(windows, np.maximum(at, 0), axis=1)
    return np.where((at >= 0) & (back < 4), 3 - back, 4).astype(np.uint8)


def longest_of_frames(windows: np.ndarray, lengths: np.ndarray, least: int):
    """The longest stretch of each of the six frames of each window, where it has at least `least` residues.

    windows: uint8 [n, width], as corpus.BASES has them, 4 behind `lengths`. Returns peptides uint8 [n, 6, width // 3]
    (NOTHING behind the end), residues int64 [n, 6] (0 where there is none) and first codon int64 [n, 6], on the frame's
    strand; frames in the order F1 .. R3. Of equally long ones the first counts. An unknown letter ends a stretch here.
    """
    n, width = windows.shape
    most = width // 3
    residues = np.full((n, 6, most), STOP, dtype=np.uint8)
    for strand, codes in enumerate((windows, reversed_windows(windows, lengths))):
        for frame in range(3):
            count = (width - frame) // 3
            c = codes[:, frame : frame + 3 * count].reshape(n, count, 3).astype(np.int16)
            residues[:, 3 * strand + frame, :count] = CODONS[25 * c[:, :, 0] + 5 * c[:, :, 1] + c[:, :, 2]]
    breaks = residues >= STOP
    places = np.arange(most)
    run = places - np.maximum.accumulate(np.where(breaks, places, -1), axis=2)  # residues since the last break
    end = run.argmax(axis=2)
    size = np.take_along_axis(run, end[:, :, None], axis=2)[:, :, 0]
    size = np.where(size >= least, size, 0)
    first = end - size + 1
    inside = places < size[:, :, None]
    at = np.where(inside, first[:, :, None] + places, 0)
    peptides = np.where(inside, np.take_along_axis(residues, at, axis=2), NOTHING).astype(np.uint8)
    return peptides, size, first

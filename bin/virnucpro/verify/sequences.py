"""Real sequences to compute with: stretches of genes of 1 to 1,024 residues, and open frames as a run has them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from virnucpro.errors import InputError
from virnucpro.frames.chunks import chunk
from virnucpro.frames.fasta import read_fasta
from virnucpro.frames.open_frames import open_frames
from virnucpro.frames.stretches import longest_stretches

LENGTHS = (1, 2, 3, 5, 8, 16, 31, 50, 64, 65, 99, 100, 128, 165, 166, 166, 167, 200, 300, 333, 512, 700, 1023, 1024)
FEW_LENGTHS = (1, 2, 20, 64, 99, 166, 166, 300, 1024)  # for large encoders on a CPU
LEAST = 40  # residues of a stretch that is worth taking


class Frame(NamedTuple):
    """What an encoder reads of an open frame: one of the two."""

    nucleotides: str
    peptide: str


def probes(files: list[Path], lengths: tuple[int, ...] = LENGTHS) -> list[Frame]:
    """A piece of a stretch without a stop for each of `lengths` (residues), from the sequences of `files`."""
    block, sizes = _joined(files)
    whole = chunk(sizes, int(sizes.max()))
    origin = (np.cumsum(sizes) - sizes)[whole.owner]
    found = longest_stretches(block, whole, origin, np.ones((len(sizes), 6), dtype=bool), LEAST, 6)
    longest = sorted(zip(found.peptides, found.nucleotides, strict=True), key=lambda pair: -len(pair[0]))
    frames = []
    for number, length in enumerate(lengths):
        fitting = [pair for pair in longest if len(pair[0]) > length]
        if not fitting:
            raise InputError(f"{files[0]}: no stretch of {length} residues in it; take the pipeline's own example")
        peptide, nucleotides = fitting[number % len(fitting)]
        at = (37 * number) % (len(peptide) - length)
        frames.append(_frame(nucleotides[3 * at : 3 * (at + length) + 1], peptide[at : at + length]))
    return frames


def frames_of_fasta(files: list[Path], chunk_length: int) -> list[Frame]:
    """All open frames of the files, in order."""
    return [frame for _, frame in named_frames(files, chunk_length)]


def named_frames(files: list[Path], chunk_length: int) -> list[tuple[str, Frame]]:
    """All open frames of the files, in order, with VirNucPro's names."""
    names = [record.id for file in files for record in read_fasta(file)]
    block, sizes = _joined(files)
    chunks = chunk(sizes, chunk_length)
    found = open_frames(block, chunks, (np.cumsum(sizes) - sizes)[chunks.owner])
    ids = [
        f"{names[chunks.owner[c]]}_chunk_{chunks.number[c]}{'FR'[f // 3]}{f % 3 + 1}"
        for c, f in zip(found.chunk.tolist(), found.frame.tolist(), strict=True)
    ]
    return [(i, _frame(n, p)) for i, n, p in zip(ids, found.nucleotides, found.peptides, strict=True)]


def spread(items: list, most: int) -> list:
    """At most `most` of the items, evenly spaced."""
    if len(items) <= most:
        return items
    return [items[i * len(items) // most] for i in range(most)]


def _joined(files: list[Path]) -> tuple[bytes, np.ndarray]:
    """The sequences one after another, and how long each is."""
    sequences = [record.sequence for file in files for record in read_fasta(file)]
    return b"".join(sequences), np.array([len(s) for s in sequences], dtype=np.int64)


def _frame(nucleotides: bytes, peptide: bytes) -> Frame:
    return Frame(nucleotides.decode(), peptide.decode())

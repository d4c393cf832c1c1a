"""The open frames of an input, counted by extracting them; of a huge one a part, the rest by its bases."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from virnucpro.encoders.kinds import KINDS
from virnucpro.frames.chunks import chunk
from virnucpro.frames.fasta import Record, read_fasta
from virnucpro.frames.records import batches, unscorable
from virnucpro.frames.stretches import Frames, frames_of
from virnucpro.verify.sequences import Frame, spread

WHOLE_BASES = 500_000_000  # of an input that is extracted as a whole: some minutes on one core
EACH = 20  # beyond it, of so many batches one is extracted
KEPT_OF_BATCH, KEPT = 64, 4096  # frames kept to compare precisions on


@dataclass
class Counts:
    """Of an input. tokens: by kind of encoder, as the plan of tasks counts them. sampled: a part was extracted."""

    sequences: int = 0
    bases: int = 0
    frames: int = 0
    letters: int = 0  # nucleotides and residues of the frames
    tokens: dict[str, int] = field(default_factory=dict)
    sampled: bool = False
    kept: list[Frame] = field(default_factory=list)


def count(
    files: list[Path], chunk_length: int, read: str, min_stretch: int, kinds: list[str], whole: int = WHOLE_BASES
) -> Counts:
    """Count the files' frames as a classifier reads them. InputError where a file is no FASTA.

    read, min_stretch: as frames.stretches.frames_of takes them. whole: bases up to which all is extracted.
    """
    found = Counts(tokens=dict.fromkeys(kinds, 0))
    extracted = 0  # bases
    for number, batch in enumerate(_batches(files)):
        bases = sum(len(record.sequence) for record in batch)
        found.sequences += len(batch)
        found.bases += bases
        if extracted > whole and number % EACH:
            found.sampled = True
            continue
        extracted += bases
        frames = _frames(batch, chunk_length, read, min_stretch)
        lengths = [np.fromiter(map(len, x), np.int64, len(x)) for x in (frames.nucleotides, frames.peptides)]
        found.frames += len(frames.peptides)
        found.letters += int(sum(x.sum() for x in lengths))
        for kind in kinds:
            found.tokens[kind] += int(KINDS[kind].tokens(*lengths).sum(dtype=np.int64))
        if len(found.kept) < KEPT:
            pairs = spread(list(zip(frames.nucleotides, frames.peptides, strict=True)), KEPT_OF_BATCH)
            found.kept += [Frame(n.decode(), p.decode()) for n, p in pairs]
    if found.sampled:
        more = found.bases / extracted
        found.frames, found.letters = round(found.frames * more), round(found.letters * more)
        found.tokens = {kind: round(tokens * more) for kind, tokens in found.tokens.items()}
    return found


def _batches(files: list[Path]) -> Iterator[list[Record]]:
    for file in files:
        for batch in batches(read_fasta(file)):
            yield [record for record in batch if unscorable(record) is None]


def _frames(batch: list[Record], chunk_length: int, read: str, min_stretch: int) -> Frames:
    lengths = np.array([len(record.sequence) for record in batch], dtype=np.int64)
    chunks = chunk(lengths, chunk_length)
    block = b"".join(record.sequence for record in batch)
    return frames_of(block, chunks, (np.cumsum(lengths) - lengths)[chunks.owner], read, min_stretch)

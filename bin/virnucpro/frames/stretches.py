"""Stretches without a stop: something to read where VirNucPro, which reads open frames alone, has nothing.

Nine of ten chunks of phages without an open frame have a stretch of 80 residues or more: a gene's end or beginning.
VirNucPro knows no stretches; a call that rests on one says so (docs/method.md).
"""

from typing import NamedTuple

import numpy as np

from virnucpro.formats import frame_key
from virnucpro.frames.chunks import Chunks
from virnucpro.frames.genetic_codes import STANDARD, GeneticCode, genetic_code
from virnucpro.frames.open_frames import (
    COMPLEMENT,
    codons_by_phase,
    count_between,
    frame_codons,
    open_frames,
    peptides,
    positions,
    unknown_codons,
)


class Stretches(NamedTuple):
    """The longest stretch of each frame, of as many frames of a chunk as were wanted; ordered by chunk, then frame."""

    chunk: np.ndarray  # int64, index into the chunks given
    frame: np.ndarray  # int64, 0..5
    residues: np.ndarray  # int64
    nucleotides: list[bytes]  # of the frame's strand, whole codons
    peptides: list[bytes]


class Frames(NamedTuple):
    """What is read of a block's chunks, ordered by chunk, then frame: open frames and stretches."""

    chunk: np.ndarray  # int64, index into the chunks given
    frame: np.ndarray  # int64, 0..5
    stretch: np.ndarray  # bool
    standard: np.ndarray  # bool, whether it is an open frame under the standard code, too
    nucleotides: list[bytes]
    peptides: list[bytes]


def frames_of(
    block: bytes, chunks: Chunks, origin: np.ndarray, read: str, least: int, codes: np.ndarray | None = None
) -> Frames:
    """What is read of `chunks`. block, chunks, origin: as for `open_frames`.

    read: open: open frames alone. longest: of a chunk without one the longest stretch, too. every: the longest stretch
    of each frame that is not open, too. Stretches of fewer than `least` residues are not read. codes: numbers of the
    chunks' genetic codes, by default the standard one.
    """
    codes = np.ones(len(chunks.start), dtype=np.int64) if codes is None else codes
    parts = []
    for number in np.unique(codes).tolist():
        mine = np.flatnonzero(codes == number)
        part = Chunks(*(column[mine] for column in chunks))
        found = _under(genetic_code(number), block, part, origin[mine], read, least)
        parts += [frames._replace(chunk=mine[frames.chunk]) for frames in found]
    return merged(parts)


def _under(code: GeneticCode, block: bytes, chunks: Chunks, origin: np.ndarray, read: str, least: int) -> list[Frames]:
    """Open frames, and stretches where they are read: `frames_of` under one genetic code."""
    found = open_frames(block, chunks, origin, code)
    none = np.zeros(len(found.chunk), dtype=bool)
    frames = Frames(found.chunk, found.frame, none, found.standard, found.nucleotides, found.peptides)
    if read == "open":
        return [frames]
    closed = np.ones((len(chunks.start), 6), dtype=bool)
    closed[found.chunk, found.frame] = False
    if read == "longest":
        closed[found.chunk] = False
    s = longest_stretches(block, chunks, origin, closed, least, 6 if read == "every" else 1, code)
    all_, none = np.ones(len(s.chunk), dtype=bool), np.zeros(len(s.chunk), dtype=bool)
    return [frames, Frames(s.chunk, s.frame, all_, none, s.nucleotides, s.peptides)]


def merged(parts: list[Frames]) -> Frames:
    """All in one, in order."""
    if len(parts) == 1:
        return parts[0]
    chunk, frame, stretch, standard = (
        np.concatenate([part[column] for part in parts] or [np.zeros(0, dtype=kind)])
        for column, kind in enumerate((np.int64, np.int64, bool, bool))
    )
    nucleotides, peptides_ = ([text for part in parts for text in part[column]] for column in (4, 5))
    order = np.argsort(frame_key(chunk, frame))
    rows = order.tolist()
    texts = [nucleotides[i] for i in rows], [peptides_[i] for i in rows]
    return Frames(chunk[order], frame[order], stretch[order], standard[order], *texts)


def longest_stretches(
    block: bytes,
    chunks: Chunks,
    origin: np.ndarray,
    closed: np.ndarray,
    least: int,
    most: int,
    code: GeneticCode = STANDARD,
) -> Stretches:
    """The longest stretches without a stop of the `closed` frames (bool [chunks, 6]) of each chunk.

    Each frame's longest stretch stands for it, and the `most` frames with the longest are taken. block, chunks, origin:
    as for `open_frames`. `least`: residues; shorter ones are left out. Of equally long ones the first counts, by frame
    (F1 .. R3), then by its place on the frame's strand.
    """
    rows = np.flatnonzero(closed.any(axis=1))
    codons, width = codons_by_phase(block)
    start, end = (chunks.start + origin)[rows], (chunks.end + origin)[rows]
    at, count = frame_codons(start, end, width)
    unknown = unknown_codons(codons)
    frames = [
        _longest(positions(codons, stops), unknown, at[strand, :, f], count[:, f], last=strand == 1)
        for strand, stops in enumerate(code.stops)
        for f in range(3)
    ]
    first, size, residues = (np.stack(columns, axis=1) for columns in zip(*frames, strict=True))  # [rows, 6] each
    residues = np.where(closed[rows], residues, 0)
    rank = np.argsort(np.argsort(-residues, axis=1, kind="stable"), axis=1)  # of each frame in its chunk, from 0
    row, frame = np.nonzero((rank < most) & (residues >= max(least, 1)))
    first, size, residues = first[row, frame], size[row, frame], residues[row, frame]
    found = peptides(codons, frame, first, size, size - residues, code)
    base = 3 * (first % width) + first // width  # of the leftmost codon, in the block
    cut = zip((frame >= 3).tolist(), base.tolist(), (base + 3 * size).tolist(), strict=True)
    nucleotides = [block[a:b].translate(COMPLEMENT)[::-1] if r else block[a:b] for r, a, b in cut]
    return Stretches(rows[row], frame, residues, nucleotides, found)


def _longest(stops: np.ndarray, unknown: np.ndarray, at: np.ndarray, count: np.ndarray, last: bool):
    """Of each run of `count` codons from `at`: first codon, codons and residues of the longest part without a stop.

    Of equally long parts the leftmost counts, or the rightmost where `last` (the reverse strand is read from there).
    """
    begin, inside = np.searchsorted(stops, at), count_between(stops, at, count)
    # The parts of a run: before its first stop, between two stops, behind the last. One more than it has stops.
    parts = inside + 1
    run = np.repeat(np.arange(len(at)), parts)
    number = np.arange(len(run)) - np.repeat(np.cumsum(parts) - parts, parts)
    left = np.where(number == 0, at[run], stops[np.minimum(begin[run] + number - 1, len(stops) - 1)] + 1)
    right = np.where(number == inside[run], (at + count)[run], stops[np.minimum(begin[run] + number, len(stops) - 1)])
    residues = right - left - count_between(unknown, left, right - left)
    rank = np.lexsort((number if not last else -number, -residues, run))
    best = rank[np.flatnonzero(np.r_[True, run[rank][1:] != run[rank][:-1]])] if len(run) else rank
    return left[best], (right - left)[best], residues[best]

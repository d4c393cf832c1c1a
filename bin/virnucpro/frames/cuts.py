"""Cutting sequences into chunks and reading them, a window at a time; and once more where nothing could be read."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from virnucpro.formats import FRAMES
from virnucpro.frames.chunks import Chunks, chunk
from virnucpro.frames.genetic_codes import STANDARD, GeneticCode
from virnucpro.frames.open_frames import which_are_open
from virnucpro.frames.stretches import Frames, frames_of, merged

BLOCK_BASES = 2 << 20  # bases looked at together: some 70 MB of working memory, and fast already


@dataclass(frozen=True)
class Cut:
    """How sequences are cut and read. length: bases of a chunk. read: open, longest or every, as for `frames_of`.
    min_stretch: residues of the shortest stretch without a stop that is read."""

    length: int
    read: str = "open"
    min_stretch: int = 1


@dataclass(frozen=True)
class ChunkRows:
    """Chunks with what is read of them: ordered by sequence, cut and number."""

    owner: np.ndarray  # int64 [chunks], which of the block's records
    cut: np.ndarray  # uint8: 0, or 1 where the sequence was cut once more
    number: np.ndarray  # from 1 within the sequence and cut
    start: np.ndarray  # 0-based, half-open, in bases of the sequence
    end: np.ndarray
    frames: Frames

    def bits(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bit sets of each chunk's frames, uint8 [chunks]: the open ones, those of them that the standard genetic code
        leaves open, too, and those of which a stretch is read."""
        f = self.frames
        opened, stretches = (self._bits_of(some) for some in (~f.stretch, f.stretch))
        all_standard = bool((f.standard | f.stretch).all())
        return opened, opened if all_standard else self._bits_of(f.standard), stretches

    def _bits_of(self, some: np.ndarray) -> np.ndarray:
        bits = np.zeros(len(self.owner), dtype=np.uint8)
        np.bitwise_or.at(bits, self.frames.chunk[some], (1 << self.frames.frame[some]).astype(np.uint8))
        return bits

    def residues(self) -> np.ndarray:
        """Residues of what is read of each frame, int16 [chunks, 6]."""
        residues = np.zeros((len(self.owner), len(FRAMES)), dtype=np.int16)
        residues[self.frames.chunk, self.frames.frame] = [len(peptide) for peptide in self.frames.peptides]
        return residues

    def opened(self) -> np.ndarray:
        """Whose of the first cut's chunks have an open frame: their owners, int64."""
        is_open = np.zeros(len(self.owner), dtype=bool)
        is_open[self.frames.chunk[~self.frames.stretch]] = True
        return self.owner[is_open & (self.cut == 0)]

    def with_more(self, more: list["ChunkRows"]) -> "ChunkRows":
        """These rows and others, in order."""
        parts = [self, *more]
        columns = [
            np.concatenate([getattr(p, name) for p in parts]) for name in ("owner", "cut", "number", "start", "end")
        ]
        order = np.lexsort((columns[2], columns[1], columns[0]))
        place = np.empty(len(order), dtype=np.int64)  # of each row among all
        place[order] = np.arange(len(order))
        offsets = np.cumsum([0, *(len(p.owner) for p in parts)])
        frames = [p.frames._replace(chunk=place[p.frames.chunk + o]) for p, o in zip(parts, offsets[:-1], strict=True)]
        return ChunkRows(*(c[order] for c in columns), merged(frames))


def windows(
    block: bytes, lengths: np.ndarray, wanted: np.ndarray, cut: Cut, codes: np.ndarray, index: int = 0
) -> Iterator[tuple[ChunkRows, np.ndarray]]:
    """The chunks of a block of sequences, a window of about BLOCK_BASES at a time, so that a chromosome takes no more
    memory; with each window the sequences that end in it.

    block: the sequences one after another, upper case, of `lengths` bases each (int64). wanted: bool, those to be cut.
    codes: numbers of their genetic codes. index: what stands in the column `cut`.
    """
    for part, origin, bases, ended in _spans(block, lengths, wanted, cut.length):
        found = frames_of(bases, part, origin, cut.read, cut.min_stretch, codes[part.owner])
        cuts = np.full(len(part.owner), index, dtype=np.uint8)
        yield ChunkRows(part.owner, cuts, *part[1:], found), ended


def _spans(
    block: bytes, lengths: np.ndarray, wanted: np.ndarray, length: int
) -> Iterator[tuple[Chunks, np.ndarray, bytes, np.ndarray]]:
    """The windows of `windows`: chunks, where the sequence of each begins in the window's bases, these bases, and the
    sequences that end in it."""
    chunks = chunk(np.where(wanted, lengths, 0), length)
    origin = (np.cumsum(lengths) - lengths)[chunks.owner]
    begin, end = chunks.start + origin, chunks.end + origin
    is_last = np.r_[chunks.owner[1:] != chunks.owner[:-1], True] if len(begin) else np.zeros(0, dtype=bool)
    first = 0
    while first < len(begin):
        base = begin[first]
        last = max(first + 1, int(np.searchsorted(end, base + BLOCK_BASES, side="right")))
        part = Chunks(*(a[first:last] for a in chunks))
        yield part, origin[first:last] - base, block[base : end[last - 1]], part.owner[is_last[first:last]]
        first = last


def open_chunks(
    block: bytes, lengths: np.ndarray, wanted: np.ndarray, length: int, code: GeneticCode = STANDARD
) -> np.ndarray:
    """How many chunks of `length` bases have an open frame, int64 [sequences]; block, lengths, wanted: as for
    `windows`."""
    count = np.zeros(len(lengths), dtype=np.int64)
    for part, origin, bases, _ in _spans(block, lengths, wanted, length):
        is_open = which_are_open(bases, part, origin, code).any(axis=1)
        count += np.bincount(part.owner[is_open], minlength=len(lengths))
    return count


def cut_once_more(
    block: bytes, lengths: np.ndarray, records: np.ndarray, cut: Cut, codes: np.ndarray
) -> list[ChunkRows]:
    """All chunks of some `records` (int64) of a block at the second classifier's length; block, lengths, codes: as
    above."""
    wanted = np.isin(np.arange(len(lengths)), records)
    return [rows for rows, _ in windows(block, lengths, wanted, cut, codes, 1)]

"""Records as they are worked on: a batch at a time, and why one of them cannot be scored."""

import re
from collections.abc import Iterable, Iterator

from virnucpro.frames.cuts import BLOCK_BASES
from virnucpro.frames.fasta import Record
from virnucpro.frames.open_frames import NUCLEOTIDE_LETTERS
from virnucpro.words import printable

BLOCK_RECORDS = 50_000
PIECE = 16 << 20  # bases


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Records together, of some 2 million bases, so that memory stays flat."""
    batch, bases = [], 0
    for record in records:
        batch.append(record)
        bases += len(record.sequence)
        if bases >= BLOCK_BASES or len(batch) == BLOCK_RECORDS:
            yield batch
            batch, bases = [], 0
    if batch:
        yield batch


def unscorable(record: Record) -> str | None:
    """What is wrong with a record that cannot be scored, None where nothing is."""
    if not record.sequence:
        return "there is no sequence under this header"
    if record.joined:
        return _why_joined(record)
    if strange := _strange(record.sequence):
        return _why_not_nucleotides(record.sequence, strange)
    return None


def _strange(sequence: bytes) -> bytes:
    """What is no nucleotide letter; looked for piece by piece, as a chromosome should not be in memory twice."""
    pieces = (sequence[i : i + PIECE] for i in range(0, len(sequence), PIECE))
    return b"".join(piece.translate(None, NUCLEOTIDE_LETTERS) for piece in pieces)


def _why_joined(record: Record) -> str:
    """Of a record that others became part of, for want of a line end, or by a blank or a byte order mark."""
    first, *others = record.joined
    names = f"'{printable(record.id)}' and '{printable(first)}'" + (f" and {len(others):,} more" if others else "")
    return f"{len(record.joined) + 1:,} records were joined, {names}: put each '>' at the beginning of a line"


def _why_not_nucleotides(sequence: bytes, strange: bytes) -> str:
    position = re.search(b"[" + re.escape(strange[:1]) + b"]", sequence).start() + 1
    share = len(strange) / len(sequence)
    hint = "; it looks like a protein, VirNucPro reads DNA" if strange[:1].isalpha() and share > 0.05 else ""
    return f"{strange[:1].decode('latin-1')!r} at position {position} is no nucleotide letter{hint}"

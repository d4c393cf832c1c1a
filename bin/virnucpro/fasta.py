"""Read FASTA as a stream: plain or gzip, any line ends, one record in memory at a time."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from virnucpro.errors import InputError

BLOCK = 4 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # editors on Windows begin UTF-8 files with it

# Upper case, U read as T, white space removed: one pass of bytes.translate.
_UPPER = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyzuU", b"ABCDEFGHIJKLMNOPQRSTTVWXYZTT")
_BLANK = b" \t\r\n\v\f"

# What people pass by mistake, by its first bytes.
_NOT_FASTA = {
    b"@": "it looks like FASTQ; convert it to FASTA first (for example `seqtk seq -A`)",
    b"BZh": "it is compressed with bzip2; decompress it or use gzip",
    b"\xfd7zXZ": "it is compressed with xz; decompress it or use gzip",
    b"\x28\xb5\x2f\xfd": "it is compressed with zstd; decompress it or use gzip",
    b"PK": "it is a zip archive; unpack it or use gzip",
    b"LOCUS": "it looks like GenBank; convert it to FASTA first",
}


class Record(NamedTuple):
    """One FASTA record: `id` up to the first blank, the rest of its line, the sequence in upper case with T for U."""

    id: str
    description: str
    sequence: bytes


def read_fasta(path: Path) -> Iterator[Record]:
    """Yield the records of a FASTA file in order; gzip is known by its first bytes, whatever the name.

    Memory: one block of 4 MB plus the record being read.

    Raises InputError, which names the file and the record, for a file that is empty, is not FASTA, or whose gzip
    stream is truncated or damaged.
    """
    with path.open("rb") as raw:
        stream = gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw
        yield from _records(stream, f"{path.name}: ")


def _records(stream: BinaryIO, where: str) -> Iterator[Record]:
    pieces: list[bytes] = []  # of the record that is being read, without its '>'
    held = b""  # a line end that may turn out to stand before a '>'
    while block := _read(stream, where, pieces):
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        block = held + block
        held = b""
        if not pieces:
            block = block.removeprefix(BYTE_ORDER_MARK).lstrip()
            if not block:
                continue
            if not block.startswith(b">"):
                raise InputError(where + _why_not_fasta(block))
            block = block[1:]
        if block.endswith(b"\n"):
            block, held = block[:-1], b"\n"
        first, *others = _at_headers(block)
        pieces.append(first)
        for piece in others:
            yield _record(b"".join(pieces))
            pieces = [piece]
    if not pieces:
        raise InputError(f"{where}the file is empty: it holds no FASTA record")
    yield _record(b"".join(pieces))


def _at_headers(block: bytes) -> list[bytes]:
    """block.split(b"\\n>"), in a tenth of the time where every '>' begins a header: line ends are many, '>' are few."""
    pieces = block.split(b">")
    if all(piece.endswith(b"\n") for piece in pieces[:-1]):
        return [piece[:-1] for piece in pieces[:-1]] + pieces[-1:]
    return block.split(b"\n>")


def _read(stream: BinaryIO, where: str, pieces: list[bytes]) -> bytes:
    try:
        return stream.read(BLOCK)
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        place = f"in or after record '{_record(b''.join(pieces)).id}'" if pieces else "before its first record ends"
        raise InputError(f"{where}the gzip stream is truncated or damaged {place} ({e}); copy the file anew") from e


def _record(piece: bytes) -> Record:
    header, _, body = piece.partition(b"\n")
    try:
        text = header.decode()
    except UnicodeDecodeError:
        text = header.decode("latin-1")  # every byte is kept, and stays distinct
    name, _, description = text.replace("\t", " ").strip().partition(" ")
    return Record(name, description.strip(), body.translate(_UPPER, _BLANK))


def _why_not_fasta(block: bytes) -> str:
    why = next((why for start, why in _NOT_FASTA.items() if block.startswith(start)), "its first line has no '>'")
    line = block.split(b"\n", 1)[0][:40].decode("latin-1")
    return f"not a FASTA file: {why} (it begins with {line!r})"

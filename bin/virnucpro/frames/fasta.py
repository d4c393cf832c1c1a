"""Read FASTA as a stream: plain or gzip, any line ends, one record in memory at a time."""

import gzip
import hashlib
import io
import os
import re
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

# The head of a BGZF block (SAM specification 4.1): gzip with its own size, less one, in an extra field. A block has at
# most 64 kB, and the last one of a whole file holds nothing.
_BGZF_BLOCK = re.compile(rb"\x1f\x8b\x08\x04.{6}\x06\x00BC\x02\x00(..)", re.DOTALL)
_BGZF_MOST = 1 << 16

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
    """One FASTA record: `id` up to the first white space, the rest of its line, the sequence in upper case with T for
    U. `joined`: ids of records that became part of this one's sequence, as their '>' begins no line."""

    id: str
    description: str
    sequence: bytes
    joined: tuple[str, ...] = ()


def digest(sequence: bytes) -> int:
    """64 bits of BLAKE2b of a record's bases, by which a second reading knows them again."""
    return int.from_bytes(hashlib.blake2b(sequence, digest_size=8).digest(), "little")


def read_fasta(path: Path) -> Iterator[Record]:
    """Yield the records of a FASTA file in order; gzip is known by its first bytes, whatever the name.

    Memory: one block of 4 MB plus the record being read.

    Raises InputError, which names the file and the record, for a file that is empty, is not FASTA, can be read once
    only, or whose gzip stream is truncated or damaged.
    """
    where = f"{path.name}: "
    if path.exists() and not path.is_file():
        raise InputError(f"{where}not a plain file (a named pipe, say); write its content to one, as it is read twice")
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b"
        if packed and _lacks_its_end(raw):
            raise InputError(
                f"{where}it was compressed with bgzip, and is truncated: the block that ends such a file is missing; "
                "copy the file anew"
            )
        yield from _records(gzip.GzipFile(fileobj=raw) if packed else raw, where)


def _lacks_its_end(raw: BinaryIO) -> bool:
    """Whether a file ends with a BGZF block that holds something: cut between two blocks, it is valid gzip all the
    same."""
    size = raw.seek(0, os.SEEK_END)
    raw.seek(max(0, size - _BGZF_MOST))
    tail = raw.read()
    raw.seek(0)
    ends = (m.start() + int.from_bytes(m[1], "little") + 1 == len(tail) for m in _BGZF_BLOCK.finditer(tail))
    return any(ends) and tail[-4:] != bytes(4)  # a gzip member's last four bytes: how much it holds


def _records(stream: BinaryIO, where: str) -> Iterator[Record]:
    begun: _Begun | None = None  # the record that is being read, as far as the blocks before this one hold it
    held = b""  # a line end that may turn out to stand before a '>'
    while block := _read(stream, where, begun):
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        block = held + block
        held = b""
        if not begun:
            block = block.removeprefix(BYTE_ORDER_MARK).lstrip()
            if not block:
                continue
            if not block.startswith(b">"):
                raise InputError(where + _why_not_fasta(block))
            block = block[1:]
        if block.endswith(b"\n"):
            block, held = block[:-1], b"\n"
        piece, *others = _at_headers(block)
        for other in others:
            yield begun.record(piece) if begun else _record(piece)
            begun, piece = None, other
        begun = begun or _Begun()
        begun.add(piece)
    if not begun:
        raise InputError(f"{where}the file is empty: it holds no FASTA record")
    yield begun.record()


class _Begun:
    """A record that is read piece by piece: each is cleaned at once, so that a chromosome is in memory once."""

    def __init__(self):
        self._header, self._has_header = b"", False
        self._sequence = io.BytesIO()
        self._joined: list[bytes] = []  # of its sequence, all from the first '>' on

    @property
    def id(self) -> str:
        return _id_and_description(self._header)[0]

    def add(self, piece: bytes) -> None:
        if not self._has_header:
            head, end, piece = piece.partition(b"\n")
            self._header += head
            self._has_header = bool(end)
        if self._joined or b">" in piece:
            self._joined.append(piece if self._joined else piece[piece.index(b">") :])
        self._sequence.write(piece.translate(_UPPER, _BLANK))

    def record(self, last: bytes = b"") -> Record:
        self.add(last)
        return Record(*_id_and_description(self._header), self._sequence.getvalue(), _joined(b"".join(self._joined)))


def _at_headers(block: bytes) -> list[bytes]:
    """block.split(b"\\n>"), in a tenth of the time where every '>' begins a header: line ends are many, '>' are few."""
    pieces = block.split(b">")
    if all(piece.endswith(b"\n") for piece in pieces[:-1]):
        return [piece[:-1] for piece in pieces[:-1]] + pieces[-1:]
    return block.split(b"\n>")


def _read(stream: BinaryIO, where: str, begun: _Begun | None) -> bytes:
    try:
        return stream.read(BLOCK)
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        place = f"in or after record '{begun.id}'" if begun else "before its first record ends"
        raise InputError(f"{where}the gzip stream is truncated or damaged {place} ({e}); copy the file anew") from e


def _record(piece: bytes) -> Record:
    header, _, body = piece.partition(b"\n")
    joined = _joined(body) if b">" in body else ()
    return Record(*_id_and_description(header), body.translate(_UPPER, _BLANK), joined)


def _joined(body: bytes) -> tuple[str, ...]:
    """Ids of the records that stand within a body."""
    return tuple(_id_and_description(part.partition(b"\n")[0])[0] for part in body.split(b">")[1:])


def _id_and_description(header: bytes) -> tuple[str, str]:
    """The two parts of a header; the id as Biopython, and so VirNucPro, sees it."""
    try:
        text = header.decode()
    except UnicodeDecodeError:
        text = header.decode("latin-1")  # every byte is kept, and stays distinct
    name, description, *_ = *text.split(None, 1), "", ""
    return name, description.replace("\t", " ").strip()


def _why_not_fasta(block: bytes) -> str:
    why = next((why for start, why in _NOT_FASTA.items() if block.startswith(start)), "its first line has no '>'")
    line = block.split(b"\n", 1)[0][:40].decode("latin-1")
    return f"not a FASTA file: {why} (it begins with {line!r})"

"""Writing a safetensors file tensor by tensor, hashing on the way: 3B parameters pass through in a few MB of memory."""

import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from virnucpro.bundle.tensors import BYTES


class Tensor(Protocol):
    """What can be written: its safetensors type, its shape, and its values as little-endian bytes, row by row."""

    dtype: str
    shape: tuple[int, ...]

    def blocks(self) -> Iterator[bytes | memoryview]: ...


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> tuple[int, str]:
    """Write `tensors` in order of name; (size in bytes, SHA-256). Equal input gives equal bytes.

    The file is written in place and flushed to the disk: write it in a folder that is moved into place as a whole.
    Raises ValueError where a tensor gives more or fewer bytes than its shape says.
    """
    header: dict = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name in sorted(tensors):
        tensor, size = tensors[name], BYTES[tensors[name].dtype]
        for extent in tensor.shape:
            size *= extent
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of 8
    h = hashlib.sha256()
    with path.open("wb") as f:

        def write(block: bytes | memoryview) -> None:
            f.write(block)
            h.update(block)

        write(struct.pack("<Q", len(text)) + text)
        start = f.tell()
        for name in sorted(tensors):
            for block in tensors[name].blocks():
                write(block)
            if f.tell() - start != header[name]["data_offsets"][1]:
                raise ValueError(f"{name}: {f.tell() - start} bytes were written where its shape ends otherwise")
        f.flush()
        os.fsync(f.fileno())
        return f.tell(), h.hexdigest()

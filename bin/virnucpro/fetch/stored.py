"""A tensor that still lies in the file it came in: where, in which type, with which shape. Read piece by piece."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from virnucpro.bundle.tensors import BYTES, read_header

BLOCK = 1 << 24  # bytes read at once
ARRAYS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2"}
ARRAYS |= {"I8": "i1", "U8": "u1", "BOOL": "u1"}  # numpy has no bfloat16: its bits pass through as integers


@dataclass
class Storage:
    """A run of `count` values of one type at byte `offset` of `file` (set once it is known)."""

    file: Path
    dtype: str
    count: int
    offset: int = -1

    def __setstate__(self, state: object) -> None:
        raise TypeError("a storage has no state to be set")  # a pickle's BUILD must not move it


@dataclass(frozen=True)
class StoredTensor:
    """A view of a storage: `shape`, per axis the `stride` in values. ValueError where it leaves the storage."""

    storage: Storage
    start: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        numbers = (self.start, *self.shape, *self.stride)
        if not all(type(n) is int and n >= 0 for n in numbers) or len(self.shape) != len(self.stride):
            raise ValueError(f"a tensor of shape {self.shape} with strides {self.stride} at {self.start} cannot be")
        last = self.start + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
        if 0 not in self.shape and last >= self.storage.count:
            raise ValueError(f"a tensor of shape {self.shape} leaves its storage of {self.storage.count} values")

    def __setstate__(self, state: object) -> None:
        raise TypeError("a tensor has no state to be set")  # a pickle's BUILD must not pass by the checks above

    @property
    def dtype(self) -> str:
        return self.storage.dtype

    def is_contiguous(self) -> bool:
        pairs = zip(self.shape, self.stride, row_major(self.shape), strict=True)
        return all(n == 1 or has == needed for n, has, needed in pairs)

    def blocks(self) -> Iterator[bytes]:
        """The values as little-endian bytes, row by row."""
        width, total = BYTES[self.dtype], math.prod(self.shape)
        if not self.is_contiguous():
            yield self.array().tobytes()
            return
        left = total * width
        with self.storage.file.open("rb") as f:
            f.seek(self.storage.offset + self.start * width)
            while left:
                block = f.read(min(left, BLOCK))
                if not block:
                    raise ValueError(f"{self.storage.file} ends within a tensor")
                left -= len(block)
                yield block

    def array(self) -> np.ndarray:
        """The values as an array (bfloat16 as its bits, uint16)."""
        kind = np.dtype(ARRAYS[self.dtype])
        flat = np.memmap(self.storage.file, kind, "r", self.storage.offset, (self.storage.count,))
        strides = tuple(s * kind.itemsize for s in self.stride)
        return np.array(np.lib.stride_tricks.as_strided(flat[self.start :], self.shape, strides))


def stored_tensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file by name; ModelError where it is damaged."""
    found = {}
    for name, info in read_header(path).items():
        storage = Storage(path, info.dtype, info.size, info.offset)
        found[name] = StoredTensor(storage, 0, info.shape, row_major(info.shape))
    return found


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a tensor whose values lie row by row without gaps."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))

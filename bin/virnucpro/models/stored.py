"""A tensor that still lies in the file it came in: where, in which type, with which shape. Read piece by piece."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from virnucpro.models.tensors import BYTES

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
        expected, strides = 1, []
        for n in reversed(self.shape):
            strides.append(expected)
            expected *= n
        pairs = zip(self.shape, self.stride, reversed(strides), strict=True)
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


def array_tensor(values: np.ndarray) -> "ArrayTensor":
    """A tensor of float32 values that lie in memory."""
    return ArrayTensor(np.ascontiguousarray(values, np.float32))


@dataclass(frozen=True)
class ArrayTensor:
    """Values that were computed, as `write_safetensors` takes them."""

    values: np.ndarray
    dtype: str = "F32"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def blocks(self) -> Iterator[bytes]:
        yield self.values.tobytes()

"""What a safetensors file holds, read from its header alone: no torch, no tensor data, milliseconds for 11 GB.

Format: 8 bytes little-endian header length, that many bytes of JSON, then the tensors' bytes without gaps
(https://github.com/huggingface/safetensors#format). So a file's right length follows from its header.
"""

import json
import math
import struct
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from virnucpro.errors import ModelError

MAX_HEADER = 100_000_000  # the limit of the safetensors library
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FLOATS = ("F32", "F16", "BF16")  # what the encoders load
WHOLE = ("I8",)  # and their tables


@dataclass(frozen=True)
class TensorInfo:
    """One tensor's type (safetensors' name for it), shape, and where in the file its bytes begin."""

    dtype: str
    shape: tuple[int, ...]
    offset: int = 0

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


def read_header(path: Path) -> dict[str, TensorInfo]:
    """The tensors of a safetensors file by name. ModelError where it is none, is truncated or is too long."""
    try:
        actual = path.stat().st_size
        with path.open("rb") as f:
            head = f.read(8)
            length = struct.unpack("<Q", head)[0] if len(head) == 8 else MAX_HEADER + 1
            text = f.read(length) if length <= MAX_HEADER else b""
    except OSError as e:
        raise ModelError(
            f"{path}: cannot be read ({e.strerror}). Check its permissions, or fetch the model again."
        ) from e
    if length > MAX_HEADER or len(text) < length:
        raise ModelError(f"{path}: is no safetensors file, or is truncated within its header. Fetch the model again.")
    try:
        entries = {k: v for k, v in json.loads(text).items() if k != "__metadata__"}
        tensors = {
            name: TensorInfo(e["dtype"], tuple(int(n) for n in e["shape"]), 8 + length + int(e["data_offsets"][0]))
            for name, e in entries.items()
        }
        spans = sorted((int(e["data_offsets"][0]), int(e["data_offsets"][1]), name) for name, e in entries.items())
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as e:
        raise ModelError(f"{path}: its safetensors header is damaged ({e}). Fetch the model again.") from e
    end = 0
    for start, stop, name in spans:
        if start != end or stop - start != tensors[name].size * BYTES.get(tensors[name].dtype, -1):
            raise ModelError(f"{path}: tensor {name} does not lie where its shape says. Fetch the model again.")
        end = stop
    expected = 8 + length + end
    if actual != expected:
        what = "truncated" if actual < expected else "longer than its header says"
        raise ModelError(f"{path}: {what}: {actual:,} bytes, its header says {expected:,}. Fetch the model again.")
    return tensors


def check_shapes(
    path: Path, tensors: dict[str, TensorInfo], expected: dict[str, tuple[int, ...]], whole: Container[str] = ()
) -> None:
    """ModelError that names the first tensors which are missing, or have another shape or type than the model needs.
    `whole`: names of those that hold whole numbers of one byte."""
    # fair-esm's checkpoints hold the rotary frequencies; where one does not, the encoder computes them.
    missing = [name for name in expected if name not in tensors and not name.endswith("inv_freq")]
    if missing:
        some = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise ModelError(f"{path}: lacks {some}. It belongs to another model or was converted by other means.")
    for name, shape in expected.items():
        if name not in tensors:
            continue
        has = tensors[name]
        if has.shape != shape:
            raise ModelError(f"{path}: {name} has shape {list(has.shape)}, the model needs {list(shape)}.")
        types = WHOLE if name in whole else FLOATS
        if has.dtype not in types:
            raise ModelError(f"{path}: {name} has type {has.dtype}, one of {', '.join(types)} is needed.")

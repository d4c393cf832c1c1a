"""Reading a PyTorch checkpoint (.pt, .pth, .bin) without PyTorch and without letting its pickle run anything.

A checkpoint is a pickle beside raw tensor data. Pickles are programs; here every name that one may ask for is in
ALLOWED, and stands for an inert object of this file: no class of a library is ever built, no attribute can be set, no
tensor is read outside its data. Everything else is refused by name. So the known ways past `weights_only=True` (legacy
tar files, CVE-2025-32434; item assignment to non-dictionaries and lying storage sizes, CVE-2026-24747) do not apply.

Two layouts: the zip of torch >= 1.6 (`<name>/data.pkl`, `<name>/data/<key>`), and the one before it, which fair-esm's
checkpoints may have (five pickles, then each storage as its length and its bytes). Layout: torch/serialization.py.
"""

import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from virnucpro.bundle.tensors import BYTES
from virnucpro.errors import ModelError
from virnucpro.fetch.stored import Storage, StoredTensor

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the older layout
LARGEST_PICKLE = 64 << 20  # bytes; the pickle of ESM-2 15B has less than 1 MB
LEGACY_START = b"\x80\x02\x8a\x0a"  # a pickle that begins with a ten-byte integer: MAGIC


class Call:
    """Stands for a function: a pickle can call it, and do nothing else with it."""

    __slots__ = ("_run",)

    def __init__(self, run: Callable):
        self._run = run

    def __call__(self, *args: Any) -> Any:
        return self._run(*args)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("a function has no state to be set")


class Ordered(dict):
    """Stands for collections.OrderedDict; attributes that a pickle sets (a state dict's _metadata) are dropped."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        pass


class Placeholder:
    """Stands for an object with attributes (a Namespace, a module): keeps the state it is given, runs nothing."""

    __slots__ = ("state",)
    name = ""

    def __new__(cls) -> "Placeholder":
        record = super().__new__(cls)
        record.state = {}
        return record

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError(f"the state of {self.name} is no dictionary")
        self.state = state


def placeholder(name: str) -> type[Placeholder]:
    return type("Placeholder", (Placeholder,), {"__slots__": (), "name": name})


def rebuild_tensor(storage: Any, start: Any, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError("a tensor is built from something that is no storage")
    return StoredTensor(storage, start, tuple(shape), tuple(stride))


def tensor_itself(tensor: Any, *_: Any) -> Any:
    return tensor


STORAGES = {"Double": "F64", "Float": "F32", "Half": "F16", "BFloat16": "BF16", "Long": "I64", "Int": "I32"}
STORAGES |= {"Short": "I16", "Char": "I8", "Byte": "U8", "Bool": "BOOL"}

ALLOWED: dict[tuple[str, str], Any] = {("torch", f"{name}Storage"): dtype for name, dtype in STORAGES.items()}
ALLOWED |= {
    ("torch._utils", "_rebuild_tensor_v2"): Call(rebuild_tensor),
    ("torch._utils", "_rebuild_parameter"): Call(tensor_itself),
    ("torch", "Size"): Call(tuple),
    ("collections", "OrderedDict"): Ordered,
    ("__builtin__", "set"): Call(set),  # a module's _non_persistent_buffers_set; protocol 2 has the Python 2 name
    ("builtins", "set"): Call(set),
    ("argparse", "Namespace"): placeholder("Namespace"),  # fair-esm's configuration
    ("__main__", "MLPClassifier"): placeholder("MLPClassifier"),  # VirNucPro's classifier and what it consists of
    ("torch.nn.modules.linear", "Linear"): placeholder("Linear"),
    ("torch.nn.modules.batchnorm", "BatchNorm1d"): placeholder("BatchNorm1d"),
    ("torch.nn.modules.dropout", "Dropout"): placeholder("Dropout"),
}


class Restricted(pickle.Unpickler):
    """An unpickler that knows the names in ALLOWED and no other."""

    def __init__(self, file: BinaryIO, storage_of: Callable[[tuple], Storage]):
        super().__init__(file, encoding="utf-8")
        self.storage_of = storage_of

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which no model of this pipeline needs"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        kind, *data = pid if isinstance(pid, tuple) and pid else ("?",)
        if kind == "module" and data and isinstance(data[0], type):
            return data[0]  # the older layout wraps classes so, with their source, which is not looked at
        if kind == "storage" and len(data) >= 4 and data[0] in BYTES and type(data[3]) is int and data[3] >= 0:
            return self.storage_of(tuple(data))
        raise pickle.UnpicklingError("it refers to something that is no tensor data")


def read_checkpoint(path: Path) -> Any:
    """What a checkpoint holds: dictionaries, lists, numbers, texts, `Placeholder`s, and `StoredTensor`s left on disk.

    ModelError where the file is no checkpoint, is damaged or truncated, or asks for anything that is not allowed.
    """
    try:
        with path.open("rb") as f:
            start = f.read(512)
            f.seek(0)
            if start[257:262] == b"ustar":
                raise ModelError(f"{path}: is a tar file, PyTorch's format before 2017, which is refused. {ADVICE}")
            if start.startswith(b"PK\x03\x04"):
                return read_zip(path, f)
            if start.startswith(LEGACY_START):
                return read_legacy(path, f)
    except OSError as e:
        raise ModelError(f"{path}: cannot be read ({e.strerror}).") from e
    except (zipfile.BadZipFile, EOFError, struct.error) as e:
        raise ModelError(f"{path}: is truncated or damaged ({e}). Fetch it again.") from e
    except Exception as e:
        if isinstance(e, ModelError):
            raise
        # Unpickling hostile bytes can raise nearly anything; whatever it is, the file is not what it should be.
        raise ModelError(f"{path}: is refused: {e or type(e).__name__}. {ADVICE}") from e
    raise ModelError(f"{path}: is no PyTorch checkpoint (first bytes {start[:8]!r}). {ADVICE}")


ADVICE = "Take the file from its original source (docs/models.md); never load it by other means."


def read_zip(path: Path, f: BinaryIO) -> Any:
    with zipfile.ZipFile(f) as z:
        members = {info.filename: info for info in z.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1 or len(members) != len(z.infolist()):
            raise ModelError(f"{path}: is a zip file, but no PyTorch checkpoint. {ADVICE}")
        root = pickles[0].removesuffix("data.pkl")
        order = z.read(f"{root}byteorder") if f"{root}byteorder" in members else b"little"
        if order.strip() != b"little" or members[pickles[0]].file_size > LARGEST_PICKLE:
            raise ModelError(f"{path}: is a checkpoint of a big-endian machine, or has an oversized pickle. {ADVICE}")
        known: dict[str, Storage] = {}

        def storage_of(data: tuple) -> Storage:
            dtype, key, _, count = data[:4]
            if key not in known:
                info = members[f"{root}data/{key}"]
                if info.compress_type != zipfile.ZIP_STORED or info.file_size != count * BYTES[dtype]:
                    raise pickle.UnpicklingError(f"storage {key} has not the size that it is said to have")
                known[key] = Storage(path, dtype, count, data_offset(f, info))
            if (known[key].dtype, known[key].count) != (dtype, count):
                raise pickle.UnpicklingError(f"storage {key} is said to be of two kinds")
            return known[key]

        with z.open(pickles[0]) as p:
            return Restricted(p, storage_of).load()


def data_offset(f: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where a stored member's bytes begin: after its local header, whose name and extra field may differ in length."""
    here = f.tell()
    f.seek(info.header_offset)
    header = f.read(30)
    f.seek(here)
    name, extra = struct.unpack("<HH", header[26:30])
    return info.header_offset + 30 + name + extra


def read_legacy(path: Path, f: BinaryIO) -> Any:
    known: dict[str, Storage] = {}

    def storage_of(data: tuple) -> Storage:
        dtype, key, _, count = data[:4]
        if len(data) > 4 and data[4] is not None:
            raise pickle.UnpicklingError("it holds storage views, which no model of this pipeline has")
        storage = known.setdefault(key, Storage(path, dtype, count))
        if (storage.dtype, storage.count) != (dtype, count):
            raise pickle.UnpicklingError(f"storage {key} is said to be of two kinds")
        return storage

    def load() -> Any:
        return Restricted(f, storage_of).load()

    magic, protocol, system = load(), load(), load()
    if magic != MAGIC or protocol != PROTOCOL or not system.get("little_endian", True):
        raise pickle.UnpicklingError("its head is not that of a PyTorch checkpoint")
    content, keys = load(), load()
    size = path.stat().st_size
    for key in keys:
        storage = known[key]
        (count,) = struct.unpack("<q", f.read(8))
        storage.offset = f.tell()
        end = storage.offset + count * BYTES[storage.dtype]
        if count != storage.count or end > size:
            raise EOFError(f"storage {key} ends at byte {end:,} of {size:,}")
        f.seek(end)
    if any(storage.offset < 0 for storage in known.values()):
        raise EOFError("a storage is missing")
    return content

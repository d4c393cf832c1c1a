"""Legacy checkpoints: read as torch reads them, and nothing in them ever runs."""

import builtins
import io
import operator
import os
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import models_files as files
import numpy as np
import pytest
import torch

from virnucpro.errors import ModelError
from virnucpro.fetch.checkpoint import read_checkpoint


def stream_of(payload: object, protocol: int = 2) -> bytes:
    return pickle.dumps(payload, protocol=protocol)


def zip_of(path: Path, data: bytes, storages: dict[str, bytes] | None = None, **how) -> Path:
    with zipfile.ZipFile(path, "w", **how) as z:
        z.writestr("archive/data.pkl", data)
        z.writestr("archive/version", "3\n")
        for key, value in (storages or {}).items():
            z.writestr(f"archive/data/{key}", value)
    return path


def legacy_of(path: Path, data: bytes) -> Path:
    head = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    path.write_bytes(b"".join(head) + data + pickle.dumps([], 2))
    return path


class Reduce:
    """Pickles as a call of `function` with `args`."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def payloads(marker: Path) -> dict[str, object]:
    """Objects whose unpickling touches `marker`, or would be the first step to it."""
    command = f"touch '{marker}'"
    code = f"__import__('os').system({command!r})"
    run = Reduce(os.system, command)
    return {
        "os.system": run,
        "eval": Reduce(builtins.eval, code),
        "exec": Reduce(builtins.exec, code),
        "nested reduce": Reduce(list, [Reduce(OrderedDict, [("model", run)])]),
        "in a state dict": OrderedDict(model=OrderedDict(w=run)),
        "getattr": Reduce(getattr, Reduce(builtins.__import__, "os"), "system"),
        "attrgetter": Reduce(operator.attrgetter, "system"),
        "torch.load": Reduce(torch.load, "other.pt"),
    }


@pytest.mark.parametrize("layout", [zip_of, legacy_of])
@pytest.mark.parametrize("way", list(payloads(Path("x"))))
def test_code_in_a_checkpoint_is_refused_by_name(tmp_path, way, layout):
    marker = tmp_path / "ran"
    data = stream_of(payloads(marker)[way])
    with pytest.raises(ModelError, match="is refused: it asks for "):
        read_checkpoint(layout(tmp_path / "evil.pt", data))
    assert not marker.exists()


@pytest.mark.parametrize("way", ["os.system", "eval", "exec", "nested reduce", "in a state dict"])
def test_the_same_payloads_do_run_in_a_free_unpickler(tmp_path, way):
    """The control: without the allow-list they work."""
    marker = tmp_path / "ran"
    pickle.loads(stream_of(payloads(marker)[way]))
    assert marker.exists()


def test_a_legacy_tar_is_refused_unopened(tmp_path):
    """CVE-2025-32434: torch up to 2.5.1 unpickled tar files freely in spite of weights_only=True."""
    marker = tmp_path / "ran"
    path = tmp_path / "evil.pt"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("storages", "tensors", "pickle"):
            data = stream_of(payloads(marker)["os.system"])
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with pytest.raises(ModelError, match="is a tar file"):
        read_checkpoint(path)
    assert not marker.exists()


# Streams written opcode by opcode. T pushes a tensor of four float32 over storage "0".
STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
T = b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\x00K\x04\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
FOUR = {"0": np.arange(4, dtype="<f4").tobytes()}

CRAFTED = {
    # CVE-2026-24747: item assignment to something that is no dictionary
    "SETITEM on a tensor": T + b"K\x00K\x07s.",
    "SETITEMS on a tensor": T + b"(K\x00K\x07u.",
    "SETITEM on a function": b"ctorch._utils\n_rebuild_tensor_v2\nK\x00K\x07s.",
    "APPEND to a tensor": T + b"K\x07a.",
    # BUILD sets attributes: of a tensor past its checks, of a storage, a function, a class
    "BUILD on a tensor": T + b"}X\x05\x00\x00\x00startM\xff\xffsb.",
    "BUILD on a storage": STORAGE + b"}X\x06\x00\x00\x00offsetK\x00sb.",
    "BUILD on a function": b"ctorch._utils\n_rebuild_tensor_v2\n}X\x04\x00\x00\x00_runK\x00sb.",
    "BUILD on a class": b"cargparse\nNamespace\n}X\x0c\x00\x00\x00__setstate__K\x00sb.",
    "BUILD with slots": b"cargparse\nNamespace\n)\x81N}X\x05\x00\x00\x00stateK\x00s\x86b.",
    "BUILD on a type": b"c__builtin__\nset\n}X\x01\x00\x00\x00xK\x00sb.",
    # tensors that reach outside their data
    "start beyond the storage": T.replace(b"K\x00K\x04\x85", b"K\x02K\x04\x85") + b".",
    "shape beyond the storage": T.replace(b"K\x00K\x04\x85", b"K\x00K\x05\x85") + b".",
    "negative stride": T.replace(b"K\x01\x85\x89", b"J\xff\xff\xff\xff\x85\x89") + b".",
    "negative start": T.replace(b"K\x00K\x04\x85", b"J\xff\xff\xff\xffK\x04\x85") + b".",
    "a storage that is none": b"ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x00K\x04\x85K\x01\x85\x89}tR.",
    "storage of another type twice": b"(" + T + STORAGE.replace(b"Float", b"Half") + b"l.",
    # other ways to name things
    "a dotted name": b"\x80\x04\x8c\x02os\x8c\x09path.join\x93.",
    "extension registry": b"\x82\x01.",
    "persistent id that is no tuple": b"X\x01\x00\x00\x00xQ.",
    "module id with a function": b"(X\x06\x00\x00\x00modulectorch._utils\n_rebuild_tensor_v2\nNNtQ.",
    "old-style instance": b"(ios\nsystem\n.",
    "no end": T,
}


@pytest.mark.parametrize("name", list(CRAFTED))
def test_crafted_streams_are_refused(tmp_path, name):
    path = zip_of(tmp_path / "evil.pt", CRAFTED[name], FOUR)
    with pytest.raises(ModelError):
        raise AssertionError(f"accepted: {read_checkpoint(path)!r}")


def test_the_crafted_tensor_itself_is_fine(tmp_path):
    """The control: what the streams above spoil is read when it is not spoiled."""
    tensor = read_checkpoint(zip_of(tmp_path / "good.pt", T + b".", FOUR))
    assert tensor.array().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [0, 12, 20, 1 << 20])
def test_a_storage_with_another_size_than_stated_is_refused(tmp_path, size):
    """CVE-2026-24747: the declared element count must be that of the data."""
    with pytest.raises(ModelError, match="size"):
        read_checkpoint(zip_of(tmp_path / "evil.pt", T + b".", {"0": b"\0" * size}))


def test_a_legacy_storage_with_another_size_than_stated_is_refused(tmp_path):
    path = files.save({"w": torch.zeros(4)}, tmp_path / "x.pt", legacy=True)
    raw = path.read_bytes()
    assert raw.count(struct.pack("<q", 4)) == 1
    path.write_bytes(raw.replace(struct.pack("<q", 4), struct.pack("<q", 1 << 40)))
    with pytest.raises(ModelError, match="truncated or damaged"):
        read_checkpoint(path)


@pytest.mark.parametrize("how", ["compressed", "two pickles", "no pickle", "big-endian", "member twice"])
def test_odd_zip_files_are_refused(tmp_path, how):
    path = tmp_path / "x.pt"
    if how == "compressed":
        zip_of(path, T + b".", FOUR, compression=zipfile.ZIP_DEFLATED)
    else:
        with zipfile.ZipFile(zip_of(path, T + b".", FOUR), "a") as z:
            if how == "two pickles":
                z.writestr("other/data.pkl", b"N.")
            elif how == "big-endian":
                z.writestr("archive/byteorder", b"big")
            elif how == "member twice":
                with pytest.warns(UserWarning):
                    z.writestr("archive/data/0", b"\0" * 16)
        if how == "no pickle":
            with zipfile.ZipFile(path, "w") as z:
                z.writestr("archive/constants.pkl", b"N.")
    with pytest.raises(ModelError):
        read_checkpoint(path)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("keep", [0, 1, 3, 100, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(tmp_path, legacy, keep):
    path = files.save({"w": torch.randn(100, 100)}, tmp_path / "x.pt", legacy)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw)) if isinstance(keep, float) else keep])
    with pytest.raises(ModelError, match=r"x\.pt"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [b"<html>Not found</html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_web_pages_and_pointers_are_refused(tmp_path, content):
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="no PyTorch checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_of_every_kind_are_read_as_torch_reads_them(tmp_path, legacy):
    base = torch.randn(6, 8)
    tensors = {
        "plain": base,
        "view": base[2:, 3:],
        "transposed": base.t(),
        "step": base[::2, ::3],
        "expanded": torch.randn(4, 1).expand(4, 3),
        "scalar": torch.tensor(2.5),
        "half": base.half(),
        "double": base.double(),
        "whole": torch.arange(10),
        "parameter": torch.nn.Parameter(base + 1),
        "tied": base,
    }
    state = OrderedDict(tensors)
    state._metadata = {"": {"version": 1}}
    found = read_checkpoint(files.save({"model": state, "n": [1, "x", None, 2.5, True]}, tmp_path / "x.pt", legacy))
    assert found["n"] == [1, "x", None, 2.5, True]
    for name, tensor in tensors.items():
        expected = tensor.detach().numpy()
        np.testing.assert_array_equal(found["model"][name].array(), expected)
        assert b"".join(found["model"][name].blocks()) == expected.tobytes(), name
    bits = files.save({"b": base.bfloat16()}, tmp_path / "b.pt", legacy)
    expected = base.bfloat16().view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(read_checkpoint(bits)["b"].array(), expected)


def test_torch_has_none_of_the_known_weights_only_holes():
    """Nothing here loads by torch; where a user's own code does, the pinned version is one that is mended (2.10)."""
    assert tuple(int(n) for n in torch.__version__.split(".")[:2]) >= (2, 10)

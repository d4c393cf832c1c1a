"""The encoders on PyTorch's fake tensors of a GPU: shapes, devices and memory without a GPU and without values.

An operation between devices, or one that would have to wait for a value from the GPU, is an error there.
"""

import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import interpreter  # noqa: F401  before anything that imports Triton
import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from virnucpro.embedding.device import BYTES_PER_WIDTH, PRECISIONS
from virnucpro.encoders import kernels
from virnucpro.encoders.dnabert_s import model as dnabert_s
from virnucpro.encoders.esm2 import model as esm2

# Layers beyond the second need no more memory than the second.
SHAPES = {
    "esm2_8m": esm2.Config(2, 320, 20, 1280, 33, 1, 1e-5, 0.88, True),
    "esm2_3b": esm2.Config(2, 2560, 40, 10240, 33, 1, 1e-5, 0.88, True),
    "esm2_15b": esm2.Config(2, 5120, 40, 20480, 33, 1, 1e-5, 0.88, True),
    "dnabert_s": dnabert_s.Config(2, 768, 12, 3072, 4096, 1e-12),
}


class Memory(TorchDispatchMode):
    """Bytes of the storages that operations make: now, and at most."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, torch.Tensor):
                self._add(value.untyped_storage())
        return result

    def _add(self, storage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive:
            return
        self._alive.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._remove, key, size)

    def _remove(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.now -= size


@contextmanager
def fake_encoder(shape: str, precision: str) -> Iterator[torch.nn.Module]:
    """As `load` makes it: linear layers and rotation in half precision, the rest in fp32."""
    dtype = PRECISIONS[precision]
    with FakeTensorMode(), torch.inference_mode():
        with torch.device("cuda"):
            encoder = dnabert_s.DNABERTS(SHAPES[shape]) if shape == "dnabert_s" else esm2.ESM2(SHAPES[shape])
        for module in encoder.modules():
            if isinstance(module, torch.nn.Linear):
                for name, value in list(module.named_parameters(recurse=False)):
                    rounded = torch.empty(value.shape, dtype=dtype, device="cuda")
                    setattr(module, name, torch.nn.Parameter(rounded, requires_grad=False))
        if hasattr(encoder, "rotation"):
            encoder.rotation = encoder.rotation.to(dtype)
        yield encoder.eval()


@pytest.fixture(autouse=True)
def no_kernels(monkeypatch):
    """Kernels have nothing to compute on tensors without values: what they are given and write to counts."""
    for name in ("_attention", "_add_norm", "_gelu_gate", "_row_mean"):
        monkeypatch.setattr(kernels, name, defaultdict(lambda: lambda *_, **__: None))


@pytest.mark.parametrize("way", ["exact", "padded", "packed"])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    ("shape", "rows", "width"),
    [
        ("esm2_8m", 390, 168),
        ("esm2_3b", 390, 168),
        ("esm2_3b", 60, 1026),
        ("esm2_15b", 390, 168),
        ("dnabert_s", 546, 120),
        ("dnabert_s", 300, 216),
    ],
)
def test_a_batch_stays_on_the_gpu_and_within_the_estimate(shape, rows, width, precision, way):
    if way == "packed" and precision == "fp32":
        pytest.skip("rows are packed in half precision only")
    with fake_encoder(shape, precision) as encoder:
        ids = torch.zeros(rows, width, dtype=torch.int32, device="cuda")
        length = torch.zeros(rows, dtype=torch.int64, device="cuda") if way == "padded" else None
        starts = torch.zeros(rows + 1, dtype=torch.int32, device="cuda")
        flat = ids.flatten()
        with Memory() as memory:
            pooled = encoder.packed(flat, starts, width) if way == "packed" else encoder(ids, length)
        assert (pooled.device.type, pooled.dtype, pooled.shape) == ("cuda", torch.float32, (rows, encoder.dim))
        per_width = memory.peak / (rows * width * encoder.dim)
        estimate = BYTES_PER_WIDTH["packed" if way == "packed" else precision]
        # The estimate is an upper one, but not so high that GPUs stay half empty.
        assert estimate / 2 < per_width <= estimate


def test_waiting_for_a_value_would_be_noticed():
    with fake_encoder("esm2_8m", "fp16") as encoder:
        pooled = encoder(torch.zeros(2, 9, dtype=torch.int32, device="cuda"))
        with pytest.raises(DataDependentOutputException):
            pooled.sum().item()

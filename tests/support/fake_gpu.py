"""A stand-in for a GPU, on the CPU: what PyTorch is asked of CUDA is answered, and copies to the host arrive late.

A copy from the device is done when an event that was recorded after it is waited for, and not before, as it may be on
a GPU: whoever reads earlier reads zeros.
"""

from functools import partial

import torch

from virnucpro.embedding import device as devices
from virnucpro.embedding import task
from virnucpro.embedding.device import Device

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


class FakeGpu:
    """memory: the most tokens of a batch that fit. waits: whether waiting for an event works. kernels: what becomes of
    the embeddings of packed rows."""

    def __init__(self, monkeypatch, memory: int = 10**9, waits: bool = True, kernels=lambda x: x):
        self.memory, self.waits, self._kernels = memory, waits, kernels
        self.on_their_way: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.not_waited_for = self.most_not_waited_for = self.pinned = 0
        self.packed_batches = 0
        self._patch(monkeypatch)

    def _patch(self, monkeypatch) -> None:
        put = monkeypatch.setattr
        put(devices, "choose_device", lambda wanted: Device(CUDA, "Fake GPU", "GPU-fake"))
        put(torch.cuda, "get_device_capability", lambda device: (9, 0))
        put(torch.cuda, "mem_get_info", lambda device: (20 << 30, 24 << 30))
        put(torch.cuda, "max_memory_allocated", lambda device: 12345)
        put(torch.cuda, "Event", lambda: Event(self))
        put(torch.Tensor, "pin_memory", lambda tensor: Pinned(self, tensor))
        plain_copy = torch.Tensor.copy_
        put(torch.Tensor, "copy_", lambda *args, **kwargs: self._copy(plain_copy, *args, **kwargs))
        put(torch, "zeros", partial(self._zeros, torch.zeros))
        put(task, "load", partial(self._load, task.load))
        trial = devices.kernels_failure
        put(devices, "kernels_failure", lambda encoder, device: trial(encoder, device._replace(torch=CPU)))

    def _copy(self, plain, target: torch.Tensor, source: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
        if non_blocking:
            self.on_their_way.append((target, source.clone()))
            return target
        return plain(target, source)

    def _zeros(self, plain, *args, pin_memory: bool = False, **kwargs) -> torch.Tensor:
        self.pinned += pin_memory
        return plain(*args, **kwargs)

    def _load(self, plain, kind, folder, layer, device, dtype) -> torch.nn.Module:
        assert device == CUDA
        encoder = plain(kind, folder, layer, "cpu", dtype)
        plain = encoder.forward

        def packed(tokens, starts, longest):
            """Without kernels, which test_kernels.py compares with this."""
            rows = tokens.split(starts.diff().tolist())
            assert max(map(len, rows)) == longest
            return self._kernels(torch.cat([plain(row[None]) for row in rows]))

        encoder.forward, encoder.packed = self._limited(plain), self._limited(packed)
        return encoder

    def _limited(self, compute):
        def limited(tokens, *rest):
            if tokens.numel() > self.memory:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            self.packed_batches += tokens.ndim == 1
            return compute(tokens, *rest)

        return limited


class Pinned:
    """A tensor in page-locked host memory, from which alone a copy to a GPU does not block."""

    def __init__(self, gpu: FakeGpu, tensor: torch.Tensor):
        gpu.pinned += 1
        self._tensor = tensor

    def to(self, device: torch.device, non_blocking: bool) -> torch.Tensor:
        assert device == CUDA and non_blocking
        return self._tensor.clone()


class Event:
    """torch.cuda.Event"""

    def __init__(self, gpu: FakeGpu):
        self._gpu = gpu

    def record(self) -> None:
        self._until = len(self._gpu.on_their_way)
        self._gpu.not_waited_for += 1
        self._gpu.most_not_waited_for = max(self._gpu.most_not_waited_for, self._gpu.not_waited_for)

    def synchronize(self) -> None:
        self._gpu.not_waited_for -= 1
        if not self._gpu.waits:
            return
        for number in range(self._until):
            target, source = self._gpu.on_their_way[number]
            if target is not None:
                torch.Tensor.copy_(target, source)
                self._gpu.on_their_way[number] = (None, None)

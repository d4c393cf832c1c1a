"""What a task makes of the GPU it finds: figures that a GPU would give are put in its place."""

import pytest
import torch

from virnucpro.embedding import device as devices
from virnucpro.embedding.device import Device, choose_budget, choose_precision

CPU = Device(torch.device("cpu"), "some cpu", "")
GPU = Device(torch.device("cuda", 0), "some gpu", "GPU-1")


def capability(monkeypatch, major: int) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (major, 0))


def test_auto_precision(monkeypatch):
    assert choose_precision("auto", CPU) == "fp32"
    capability(monkeypatch, 9)
    assert choose_precision("auto", GPU) == "fp16"
    capability(monkeypatch, 6)  # Pascal: no tensor cores
    assert choose_precision("auto", GPU) == "fp32"
    assert choose_precision("bf16", CPU) == "bf16"


@pytest.mark.parametrize(
    ("free_gib", "width", "expected"),
    [(130, 2560, 65536), (9, 2560, 40445), (0.1, 2560, 2048), (4, 768, 59918)],
)
def test_the_budget_follows_free_memory(monkeypatch, free_gib, width, expected):
    """By hand: 0.6 * free / (56 bytes * width), between 2,048 and 65,536 tokens."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (int(free_gib * 2**30), 80 * 2**30))
    assert choose_budget(None, GPU, width, "fp16") == expected
    assert choose_budget(777, GPU, width, "fp16") == 777


def test_the_budget_of_a_cpu():
    assert choose_budget(None, CPU, 320, "fp32") == devices.CPU_TOKENS
    assert choose_budget(100, CPU, 320, "fp32") == 100


def test_the_name_of_this_cpu():
    assert devices.cpu_name()

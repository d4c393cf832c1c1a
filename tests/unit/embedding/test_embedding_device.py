"""What a task makes of the GPU it finds: figures that a GPU would give are put in its place."""

from types import SimpleNamespace

import pytest
import torch

from virnucpro.embedding import device as devices
from virnucpro.embedding.device import Device, choose_budget, choose_precision
from virnucpro.errors import CudaFault, UsageError

CPU = Device(torch.device("cpu"), "some cpu", "")
GPU = Device(torch.device("cuda", 0), "some gpu", "GPU-1")


def capability(monkeypatch, major: int) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (major, 0))


@pytest.mark.parametrize(("major", "minor", "works"), [(7, 0, False), (7, 5, True), (9, 0, True), (12, 1, True)])
def test_a_gpu_that_pytorch_has_no_code_for(monkeypatch, major, minor, works):
    gpu = SimpleNamespace(name="Some GPU", uuid="1", major=major, minor=minor)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: gpu)
    # What PyTorch's packages for CUDA 13 say on a machine with a GPU.
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80", "sm_90a", "sm_120", "compute_120"])
    if works:
        assert devices.choose_device("auto").uuid == "GPU-1"
    else:
        with pytest.raises(CudaFault, match=r"Some GPU has compute capability 7\.0; PyTorch .* needs 7\.5 or newer"):
            devices.choose_device("auto")


@pytest.mark.parametrize(
    ("reason", "error", "message"),
    [
        ("Found no NVIDIA driver on your system. Please check", UsageError, "started with GPU access"),
        (
            "The NVIDIA driver on your system is too old (found version 12040).",
            UsageError,
            "update it, or compute on CPUs",
        ),
        ("Unexpected error from cudaGetDeviceCount(). Error 802: system not yet initialized", CudaFault, "Error 802"),
        ("No CUDA GPUs are available", CudaFault, "No CUDA GPUs are available"),
    ],
)
def test_a_gpu_that_does_not_come_up(monkeypatch, reason, error, message):
    """As a rule another node's works: that must not look like a mistake of the user's, which is not tried again."""

    def init():
        raise RuntimeError(reason)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    with pytest.raises(error, match=message):
        devices.choose_device("cuda")
    assert not devices.choose_device("auto").is_gpu


def test_a_mig_device_is_known_by_its_own_uuid(monkeypatch):
    gpu = SimpleNamespace(name="Some GPU", uuid="1", major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: gpu)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-c0c0")
    assert devices.choose_device("auto").uuid == "MIG-c0c0"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1")
    assert devices.choose_device("auto").uuid == "GPU-1"


def test_settings_of_a_gpu():
    torch.backends.cuda.enable_cudnn_sdp(True)
    devices.configure_gpu()
    assert not torch.backends.cuda.cudnn_sdp_enabled()
    assert torch.backends.cuda.flash_sdp_enabled() and torch.backends.cuda.mem_efficient_sdp_enabled()
    assert not torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction


def test_auto_precision(monkeypatch):
    assert choose_precision("auto", CPU) == "fp32"
    capability(monkeypatch, 9)
    assert choose_precision("auto", GPU) == "fp16"
    capability(monkeypatch, 6)  # Pascal: no tensor cores
    assert choose_precision("auto", GPU) == "fp32"
    assert choose_precision("bf16", CPU) == "bf16"


def test_bf16_needs_ampere(monkeypatch):
    capability(monkeypatch, 8)
    assert choose_precision("bf16", GPU) == "bf16"
    capability(monkeypatch, 7)
    with pytest.raises(UsageError, match="use fp16"):
        choose_precision("bf16", GPU)


@pytest.mark.parametrize(
    ("free_gib", "width", "expected"),
    [(130, 2560, 65536), (9, 2560, 37748), (0.1, 2560, 2048), (4, 768, 55924)],
)
def test_the_budget_follows_free_memory(monkeypatch, free_gib, width, expected):
    """By hand: 0.6 * free / (60 bytes * width), between 2,048 and 65,536 tokens."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (int(free_gib * 2**30), 80 * 2**30))
    assert choose_budget(None, GPU, width, "fp16") == expected
    assert choose_budget(777, GPU, width, "fp16") == 777


def test_the_budget_of_a_cpu():
    assert choose_budget(None, CPU, 320, "fp32") == devices.CPU_TOKENS
    assert choose_budget(100, CPU, 320, "fp32") == 100


def test_the_name_of_this_cpu():
    assert devices.cpu_name()

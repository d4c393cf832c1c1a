"""The device, precision and token budget of a task."""

import os
import re
from typing import NamedTuple

import torch

from virnucpro.embedding.faults import first_line, is_cuda_fault, is_out_of_memory
from virnucpro.errors import CudaFault, UsageError, VirnucproError
from virnucpro.runtime import cpu_name

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

# Tokens in a batch on a CPU: enough for its matrix products, few enough to stay in cache (docs/performance.md).
CPU_TOKENS = 2048
# On a GPU: beyond the upper figure a batch brings no more speed; below the lower the GPU idles.
GPU_TOKENS = (2048, 65536)
# A token needs at most this many bytes for each unit of the encoder's width while a layer runs. Packed: 24 for ESM-2,
# 28 for DNABERT-S. Padded: 32 and 42 in half precision (52 and 76 in fp32), and more for DNABERT-S where its sequences
# are of many lengths, as their masks grow. tests/unit/encoders/test_encoders_on_gpu_shapes.py counts them.
BYTES_PER_WIDTH = {"packed": 32, "fp16": 60, "bf16": 60, "fp32": 102}
SHARE_OF_FREE_MEMORY = 0.6  # the rest is for fragments and for what the estimate misses

OTHERWISE = ", or compute on CPUs (--use_gpu false; of this script --device cpu)"

# What one more padded batch costs, in tokens: reading the weights once more, and on a GPU idle units.
OVERHEAD = {"cpu": 48, "cuda": 1024}


class Device(NamedTuple):
    """Where a task computes; `uuid` is "" on a CPU."""

    torch: torch.device
    name: str
    uuid: str

    @property
    def is_gpu(self) -> bool:
        """True on a GPU."""
        return self.torch.type == "cuda"

    def report(self) -> dict:
        """For the report and the events."""
        return {"type": self.torch.type, "name": self.name, "uuid": self.uuid}


def choose_device(wanted: str) -> Device:
    """`auto` takes a GPU where PyTorch sees one.

    Raises UsageError where `cuda` was asked for and there is none, CudaFault where there is one that does not work or
    that PyTorch has no code for: another GPU or node may do.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise _no_gpu()
    if wanted == "cpu" or not torch.cuda.is_available():
        return Device(torch.device("cpu"), cpu_name(), "")
    properties = torch.cuda.get_device_properties(0)
    _check_generation(properties)
    configure_gpu()
    # Of a MIG device PyTorch tells the UUID as if it were a GPU's.
    leased = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return Device(
        torch.device("cuda", 0), properties.name, leased if leased.startswith("MIG-") else f"GPU-{properties.uuid}"
    )


def _no_gpu() -> VirnucproError:
    """Why PyTorch sees no GPU: is_available() keeps it for itself."""
    try:
        torch.cuda.init()
    except Exception as e:  # RuntimeError, AssertionError, AcceleratorError
        reason = first_line(e)
    else:
        reason = "it initialises, but holds no GPU"
    if "no NVIDIA driver" in reason or torch.version.cuda is None:
        return UsageError(
            "--device cuda: PyTorch sees no GPU; check that the node has one, that the driver is loaded and that the "
            f"container was started with GPU access (--gpus all, --nv){OTHERWISE}"
        )
    if "driver on your system is too old" in reason:
        return UsageError(
            f"--device cuda: the NVIDIA driver is too old for CUDA {torch.version.cuda}, which this PyTorch is built "
            f"for; update it{OTHERWISE}"
        )
    return CudaFault(f"the GPU or its driver does not work ({reason}); a retry on another node may")


def _check_generation(gpu) -> None:
    """PyTorch's packages hold code for the GPUs of recent years only; on others the first kernel would fail."""
    built_for = [divmod(int(n), 10) for name in torch.cuda.get_arch_list() for n in re.findall(r"^sm_(\d+)", name)]
    oldest = min(built_for, default=(0, 0))  # compute capability
    if (gpu.major, gpu.minor) < oldest:
        raise CudaFault(
            f"{gpu.name} has compute capability {gpu.major}.{gpu.minor}; PyTorch {torch.__version__} needs "
            f"{oldest[0]}.{oldest[1]} or newer: give the task a newer GPU{OTHERWISE}"
        )


def configure_gpu() -> None:
    """Settings of PyTorch for batches of many shapes, and for exactness."""
    # On Hopper and Blackwell PyTorch prefers cuDNN's attention, which plans anew, and keeps the plan, for every new
    # number of rows and length: tens of milliseconds each, longer than the batch.
    torch.backends.cuda.enable_cudnn_sdp(False)
    # Long sums of half-precision products are kept in fp32 throughout.
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False


def choose_precision(wanted: str, device: Device) -> str:
    """`auto` is fp32 on a CPU, for exactness and since half precision is slow on most, and fp16 on a GPU that has it.

    fp16 rather than bf16, since it keeps three more bits and ESM-2 runs in it safely (ESMFold does so), the more as the
    residual stream stays fp32 here. Raises UsageError for bf16 on a GPU that has none.
    """
    capability = torch.cuda.get_device_capability(device.torch) if device.is_gpu else None
    if wanted == "bf16" and capability and capability < (8, 0):  # Ampere
        raise UsageError(f"--precision bf16: {device.name} has no bf16 (compute capability below 8.0); use fp16")
    if wanted != "auto":
        return wanted
    return "fp16" if capability and capability >= (7, 0) else "fp32"  # Volta, the first with tensor cores


def wants_packed(device: Device, precision: str) -> bool:
    """Whether own kernels compute (encoders/packed.py): on a GPU that Triton has tensor cores for, in half precision.

    In fp32 plain PyTorch is as fast, and exact.
    """
    return device.is_gpu and precision != "fp32" and torch.cuda.get_device_capability(device.torch) >= (8, 0)  # Ampere


def kernels_failure(encoder: torch.nn.Module, device: Device) -> str:
    """Why this GPU has to do without packed rows; "" where a trial agrees with plain PyTorch."""
    try:
        from virnucpro.encoders.packed import difference

        return difference(encoder, device.torch)
    except Exception as e:  # no Triton, no C compiler, a GPU that it does not know
        if is_out_of_memory(e) or is_cuda_fault(e):
            raise
        return first_line(e)


def choose_budget(wanted: int | None, device: Device, width: int, rows: str) -> int:
    """Tokens per batch: `wanted`, or on a GPU as many as its free memory holds beside the encoder of that width.

    rows: how they lie: packed, or else padded, then their precision.
    """
    if wanted:
        return wanted
    if not device.is_gpu:
        return CPU_TOKENS
    free, _ = torch.cuda.mem_get_info(device.torch)
    lowest, highest = GPU_TOKENS
    return min(highest, max(lowest, int(SHARE_OF_FREE_MEMORY * free / (BYTES_PER_WIDTH[rows] * width))))

"""The device, precision and token budget of a task."""

from typing import NamedTuple

import torch

from virnucpro.errors import UsageError

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class Device(NamedTuple):
    """Where a task computes; `uuid` is "" on a CPU."""

    torch: torch.device
    name: str
    uuid: str

    def report(self) -> dict:
        """For the report and the events."""
        return {"type": self.torch.type, "name": self.name, "uuid": self.uuid}


def choose_device(wanted: str) -> Device:
    """`auto` takes a GPU where PyTorch sees one. Raises UsageError where `cuda` was asked for and there is none."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "--device cuda: PyTorch sees no GPU; check that the node has one, that the driver is loaded and that the "
            "container was started with GPU access (--gpus all, --nv), or use --device cpu"
        )
    if wanted == "cpu" or not torch.cuda.is_available():
        return Device(torch.device("cpu"), cpu_name(), "")
    properties = torch.cuda.get_device_properties(0)
    return Device(torch.device("cuda", 0), properties.name, f"GPU-{properties.uuid}")


def cpu_name() -> str:
    """The processor's model as Linux tells it, else "cpu"."""
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "cpu"


def choose_precision(wanted: str, device: Device) -> str:
    """`auto` is fp32 on a CPU, where half precision measured 4 times slower, and fp16 on a GPU with tensor cores.

    fp16 rather than bf16, since it keeps three more bits and ESM-2 runs in it safely (ESMFold does so), the more as the
    residual stream stays fp32 here.
    """
    if wanted != "auto":
        return wanted
    if device.torch.type == "cuda" and torch.cuda.get_device_capability(device.torch) >= (7, 0):
        return "fp16"
    return "fp32"

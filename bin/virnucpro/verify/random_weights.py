"""Weights in the published shapes without a file: random, made on the device, the same each time they are asked for."""

from binascii import crc32
from pathlib import Path

import torch


class RandomWeights:
    """As encoders.weights.Weights, without a file. shapes: of all tensors, by the names that a file would have."""

    def __init__(self, shapes: dict[str, tuple[int, ...]], device: torch.device):
        self.path = Path("random weights")
        self.shapes, self.device = shapes, device

    def __contains__(self, key: str) -> bool:
        return key in self.shapes

    def get(self, key: str, dtype: torch.dtype, shape: tuple[int, ...] | None = None) -> torch.Tensor:
        """Of a scale that keeps values about 1; norms and biases are random too, so that none goes untested."""
        shape = self.shapes[key]
        if key.endswith("inv_freq"):
            return (1.0 / 10000 ** (torch.arange(shape[0], device=self.device) / shape[0])).to(dtype)
        generator = torch.Generator(self.device).manual_seed(crc32(key.encode()))
        value = torch.empty(shape, device=self.device).normal_(generator=generator)
        if len(shape) > 1:
            return (value * shape[-1] ** -0.5).to(dtype)
        return (value * 0.1 + (1 if key.endswith("weight") else 0)).to(dtype)

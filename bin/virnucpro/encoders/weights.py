"""Reading an encoder's folder: config.json and model.safetensors, with errors that name the file and the key."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from virnucpro.encoders.kind import WEIGHTS, Shapes
from virnucpro.errors import ModelError


def choose_layer(layer: int | str, layers: int, folder: Path) -> int:
    """The layer whose output is the embedding: `last`, or a number from 0 (the input embedding) to `layers`."""
    number = layers if layer == "last" else int(layer)
    if not 0 <= number <= layers:
        raise ModelError(f"{folder}: layer {number} was asked for, the encoder has layers 0 to {layers}")
    return number


class Weights:
    """Tensors of one safetensors file, each read straight to `device` when it is asked for.

    shapes: what config.json asks for, by name (description.py of the encoder).
    """

    def __init__(self, path: Path, handle, device: torch.device, shapes: Shapes):
        self.path = path
        self._shapes = shapes
        self.device = device
        self._handle = handle
        self._keys = set(handle.keys())

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def get(self, key: str, dtype: torch.dtype) -> torch.Tensor:
        """The tensor as `dtype`. Raises ModelError where it is missing or has another shape."""
        if key not in self._keys:
            raise ModelError(f"{self.path}: has no tensor {key!r}; the file does not fit its config.json")
        tensor, shape = self._handle.get_tensor(key), self._shapes.get(key)
        if shape is not None and tuple(tensor.shape) != shape:
            raise ModelError(
                f"{self.path}: tensor {key!r} has shape {tuple(tensor.shape)}, config.json asks for {shape}"
            )
        return tensor.to(dtype)


@contextmanager
def open_weights(folder: Path, device: torch.device, shapes: Shapes | None = None) -> Iterator[Weights]:
    """Open the encoder's model.safetensors. Raises ModelError where it is missing or damaged."""
    path = folder / WEIGHTS
    try:
        with safe_open(path, framework="pt", device=str(device)) as handle:
            yield Weights(path, handle, device, shapes or {})
    except (OSError, SafetensorError) as e:
        raise ModelError(f"{path}: cannot be read as safetensors ({e}); fetch the model bundle again") from e


def assign(model: torch.nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    """Give a model built on the meta device its tensors, without a copy. Raises ModelError on a misfit."""
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as e:
        raise ModelError(f"{path}: does not fit its config.json ({e})") from e

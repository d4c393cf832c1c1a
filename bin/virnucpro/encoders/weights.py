"""Reading an encoder's folder: config.json and model.safetensors, with errors that name the file and the key."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from virnucpro.errors import ModelError


def read_config(folder: Path) -> dict:
    """The encoder's config.json. Raises ModelError where it is missing or is not a JSON object."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        raise ModelError(f"{path}: cannot be read as an encoder's config ({e}); fetch the model bundle again") from e
    if not isinstance(config, dict):
        raise ModelError(f"{path}: is not a JSON object; fetch the model bundle again")
    return config


def take(config: dict, key: str, folder: Path, default=None):
    """`config[key]`, or `default`; raises ModelError where both are missing."""
    value = config.get(key, default)
    if value is None:
        raise ModelError(f"{folder / 'config.json'}: has no {key!r}; this is not the config of such an encoder")
    return value


def choose_layer(layer: int | str, layers: int, folder: Path) -> int:
    """The layer whose output is the embedding: `last`, or a number from 0 (the input embedding) to `layers`."""
    number = layers if layer == "last" else int(layer)
    if not 0 <= number <= layers:
        raise ModelError(f"{folder}: layer {number} was asked for, the encoder has layers 0 to {layers}")
    return number


class Weights:
    """Tensors of one safetensors file, each read straight to `device` when it is asked for."""

    def __init__(self, path: Path, handle, device: torch.device):
        self.path = path
        self.device = device
        self._handle = handle
        self._keys = set(handle.keys())

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def get(self, key: str, dtype: torch.dtype, shape: tuple[int, ...] | None = None) -> torch.Tensor:
        """The tensor as `dtype`. Raises ModelError where it is missing or has another shape."""
        if key not in self._keys:
            raise ModelError(f"{self.path}: has no tensor {key!r}; the file does not fit its config.json")
        tensor = self._handle.get_tensor(key)
        if shape is not None and tuple(tensor.shape) != shape:
            raise ModelError(
                f"{self.path}: tensor {key!r} has shape {tuple(tensor.shape)}, config.json asks for {shape}"
            )
        return tensor.to(dtype)


@contextmanager
def open_weights(folder: Path, device: torch.device) -> Iterator[Weights]:
    """Open the encoder's model.safetensors. Raises ModelError where it is missing or damaged."""
    path = folder / "model.safetensors"
    try:
        with safe_open(path, framework="pt", device=str(device)) as handle:
            yield Weights(path, handle, device)
    except (OSError, SafetensorError) as e:
        raise ModelError(f"{path}: cannot be read as safetensors ({e}); fetch the model bundle again") from e


def assign(model: torch.nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    """Give a model built on the meta device its tensors, without a copy. Raises ModelError on a misfit."""
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as e:
        raise ModelError(f"{path}: does not fit its config.json ({e})") from e


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

"""What the converters share: the tensors of a legacy or a hub file, and writing a bundle's folder from them."""

import json
from collections.abc import Mapping
from pathlib import Path

from virnucpro.bundle.safetensors_write import Tensor, write_safetensors
from virnucpro.bundle.tensors import FLOATS
from virnucpro.encoders.kind import Shapes
from virnucpro.errors import ModelError
from virnucpro.fetch.checkpoint import read_checkpoint
from virnucpro.fetch.stored import StoredTensor, stored_tensors

INDEX = ".index.json"  # ends the name of a file that says in which of several files a tensor lies


def state_dict(path: Path, content: object) -> dict[str, StoredTensor]:
    """The tensors of `content`, which must be a state dict. What is no tensor is left out."""
    if not isinstance(content, dict) or not all(isinstance(k, str) for k in content):
        raise ModelError(f"{path}: holds no state dict.")
    found = {k: v for k, v in content.items() if isinstance(v, StoredTensor)}
    if not found:
        raise ModelError(f"{path}: its state dict holds no tensors.")
    return found


def hub_tensors(folder: Path, weights: list[str]) -> dict[str, StoredTensor]:
    """The tensors of a model in the hub's layout, whose `weights` are one file or the several that an index names."""
    tensors: dict[str, StoredTensor] = {}
    for name in weights:
        tensors |= file_tensors(folder / name)
    return tensors


def file_tensors(path: Path) -> dict[str, StoredTensor]:
    return stored_tensors(path) if path.suffix == ".safetensors" else state_dict(path, read_checkpoint(path))


def shard_names(index: Path) -> list[str]:
    """The files that an index of the hub's layout names; ModelError where it names anything but plain file names."""
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise ModelError(f"{index}: is no index of weight files ({e}).") from e
    if not names or any(not isinstance(n, str) or Path(n).name != n or n.startswith(".") for n in names):
        raise ModelError(f"{index}: names something else than weight files beside it.")
    return names


def pick(path: Path, tensors: Mapping[str, StoredTensor], expected: Shapes) -> dict[str, StoredTensor]:
    """The `expected` tensors, of `path`; ModelError names what is missing or has another shape or type."""
    picked = {}
    for name, shape in expected.items():
        if name not in tensors:
            if name.endswith("inv_freq"):
                continue  # the encoder computes rotary frequencies where the checkpoint has none
            some = ", ".join(sorted(tensors)[:3])
            raise ModelError(f"{path}: lacks the tensor {name}; it has {some}, ... It is another model.")
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype not in FLOATS:
            has = f"{tensor.dtype} {list(tensor.shape)}"
            raise ModelError(f"{path}: tensor {name} is {has}, {list(shape)} in one of {', '.join(FLOATS)} is needed.")
        picked[name] = tensor
    return picked


def write_folder(folder: Path, config: dict | None, tensors: Mapping[str, Tensor], origin: str) -> str:
    """Write model.safetensors, and config.json where there is one, into `folder`; SHA-256 of the weights.

    Types stay as they came: the 16-bit floats of ESM-2 3B and 15B take half the disk; widening them on load is exact.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    return write_safetensors(folder / "model.safetensors", tensors, {"format": "pt", "origin": origin})[1]

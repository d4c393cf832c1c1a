"""What a kind of encoder is to the rest of the pipeline: its label, what it reads, which files and tensors it has."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CONFIG, WEIGHTS = "config.json", "model.safetensors"

Shapes = dict[str, tuple[int, ...]]  # of tensors, by name


@dataclass(frozen=True)
class Layout:
    """What an encoder's config.json says of it."""

    layers: int
    dim: int  # values of an embedding
    tensors: Shapes
    whole: frozenset[str] = frozenset()  # names of the tensors that hold whole numbers of one byte


@dataclass(frozen=True)
class Kind:
    """One kind of encoder.

    reads: the column of a shard, nucleotides or peptide. files: all that its folder holds. needs_torch: its tasks run
    in the image with PyTorch, on a GPU where there is one. tokens: what frames of these numbers of nucleotides and
    residues cost, int32 each. layout: of config.json at a path, parsed; ModelError where it is none of this kind.
    """

    name: str
    label: str
    reads: str
    files: tuple[str, ...]
    needs_torch: bool
    colour: str  # in the report
    citation: str
    tokens: Callable[[np.ndarray, np.ndarray], np.ndarray]
    layout: Callable[[Path, dict], Layout]


def linear(name: str, fan_in: int, fan_out: int) -> Shapes:
    """Tensors of a linear layer."""
    return {f"{name}.weight": (fan_out, fan_in), f"{name}.bias": (fan_out,)}


def norm(name: str, width: int) -> Shapes:
    """Tensors of a layer norm, or the trained ones of a batch norm."""
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}

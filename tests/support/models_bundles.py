"""Makes small model bundles for tests: real layouts, random values, no torch."""

import json
from pathlib import Path

import numpy as np
import yaml
from safetensors.numpy import save_file

from virnucpro.bundle.layout import classifier_tensors
from virnucpro.bundle.manifest import write_manifest
from virnucpro.encoders.kinds import KINDS

ESM2 = {
    "model_type": "esm",
    "num_hidden_layers": 2,
    "hidden_size": 20,
    "num_attention_heads": 2,
    "intermediate_size": 80,
}
DNABERT_S = {"model_type": "bert", "num_hidden_layers": 1, "hidden_size": 24, "num_attention_heads": 12}
DNABERT_S |= {"intermediate_size": 48, "vocab_size": 64, "type_vocab_size": 2}
LICENCE = {"": ("made by a test", "MIT")}
ESM2_WEIGHTS = "encoders/esm2_tiny/model.safetensors"


def write_tensors(path: Path, shapes: dict[str, tuple[int, ...]], seed: int = 1) -> None:
    """A safetensors file of these shapes with small random values."""
    random = np.random.default_rng(seed)
    save_file({k: random.normal(0, 0.1, s).astype(np.float32) for k, s in shapes.items()}, path)


def write_encoder(folder: Path, kind: str, config: dict, seed: int = 1) -> None:
    """An encoder folder of a bundle."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = KINDS[kind].layout(folder / "config.json", config).tensors
    write_tensors(folder / "model.safetensors", tensors, seed)
    if kind == "dnabert_s":
        (folder / "tokenizer.json").write_text("{}", encoding="utf-8")


def write_classifier(
    folder: Path, name: str = "tiny", features: int = 44, seed: int = 1, classes: int = 2, classes_named=None, **changes
) -> None:
    """A classifier folder for the encoders of `write_bundle`; `changes` replace fields of its card."""
    folder.mkdir(parents=True, exist_ok=True)
    card = {
        "format": 1,
        "name": name,
        "title": "Tiny",
        "chunk_length": 500,
        "encoders": [
            {"kind": "dnabert_s", "name": "dnabert_s", "layer": "last", "dim": 24},
            {"kind": "esm2", "name": "esm2_tiny", "layer": 2, "dim": 20},
        ],
        "classes": classes_named or ["others", "virus"],
        "licence": "MIT",
    } | changes
    (folder / "classifier.yml").write_text(yaml.safe_dump(card, sort_keys=False), encoding="utf-8")
    write_tensors(folder / "model.safetensors", classifier_tensors(features, classes), seed)


def write_bundle(folder: Path, **changes) -> Path:
    """A whole bundle: encoders dnabert_s and esm2_tiny, classifier tiny."""
    write_encoder(folder / "encoders" / "dnabert_s", "dnabert_s", DNABERT_S)
    write_encoder(folder / "encoders" / "esm2_tiny", "esm2", ESM2)
    write_classifier(folder / "classifiers" / "tiny", **changes)
    write_manifest(folder, "test", LICENCE)
    return folder


def renew(bundle: Path) -> None:
    """Make the manifest agree with the files, so that only what they say is at fault."""
    write_manifest(bundle, "test", LICENCE)

"""A small bundle in the published bundle's layout and names, and golden values that others computed for it: fair-esm,
the NumPy DNABERT-S of dnabert_reference, PyTorch's own MLP."""

import json
import shutil
from pathlib import Path

import dnabert_reference
import numpy as np
import torch
import yaml
from encoder_folders import fair_esm, save_dnabert_s, save_esm2
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from virnucpro.bundle.layout import classifier_tensors
from virnucpro.bundle.manifest import write_manifest

ESM2, DNABERT_S, CLASSIFIER = "esm2_t36_3B", "dnabert_s", "virnucpro_500"
DIMS = {DNABERT_S: 24, ESM2: 40}


def write_bundle(folder: Path, seed: int = 0) -> Path:
    """Encoders with random weights under the published names, a classifier that reads both."""
    save_dnabert_s(folder / "encoders" / DNABERT_S, layers=2, dim=DIMS[DNABERT_S], heads=3, seed=seed)
    save_esm2(fair_esm(3, DIMS[ESM2], 4, seed=seed), folder / "encoders" / ESM2)
    place = folder / "classifiers" / CLASSIFIER
    place.mkdir(parents=True)
    card = {
        "format": 1,
        "name": CLASSIFIER,
        "chunk_length": 500,
        "encoders": [
            {"kind": "dnabert_s", "name": DNABERT_S, "layer": "last", "dim": DIMS[DNABERT_S]},
            {"kind": "esm2", "name": ESM2, "layer": 3, "dim": DIMS[ESM2]},
        ],
        "classes": ["others", "virus"],
    }
    (place / "classifier.yml").write_text(yaml.safe_dump(card), encoding="utf-8")
    random = np.random.default_rng(seed)
    shapes = classifier_tensors(sum(DIMS.values()), 2)
    tensors = {name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    tensors["bn1.running_var"] = np.abs(tensors["bn1.running_var"]) + 1
    save_file(tensors, place / "model.safetensors")
    return listed(folder)


def listed(folder: Path) -> Path:
    """The bundle with a manifest of the files as they are now: what is wrong in them is no longer a changed byte."""
    write_manifest(folder, "published", {"": ("made by a test", "MIT")})
    return folder


def write_golden(folder: Path, bundle: Path, published: Path) -> Path:
    """Golden values of the bundle for the frames of the `published` ones."""
    shutil.copytree(published, folder)
    frames = json.loads((folder / "frames.json").read_text(encoding="utf-8"))
    model = fair_esm(3, DIMS[ESM2], 4)
    convert = model.alphabet.get_batch_converter()
    rows = [
        model(convert([("", f["peptide"])])[2], repr_layers=[3])["representations"][3][0, 1:-1].mean(0) for f in frames
    ]
    esm2 = torch.stack(rows)
    place = bundle / "encoders" / DNABERT_S
    tokenizer, state = Tokenizer.from_file(str(place / "tokenizer.json")), load_file(place / "model.safetensors")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = [np.array(tokenizer.encode(f["nucleotides"]).ids) for f in frames]
    dnabert_s = np.stack([dnabert_reference.hidden(i, state, 2, 3).mean(0) for i in ids]).astype(np.float32)
    features = torch.cat([torch.from_numpy(dnabert_s), esm2], dim=1)
    w = {
        k: torch.from_numpy(v) for k, v in load_file(bundle / "classifiers" / CLASSIFIER / "model.safetensors").items()
    }
    hidden = torch.nn.functional.linear(features, w["hidden_layer.weight"], w["hidden_layer.bias"])
    norm = (w["bn1.running_mean"], w["bn1.running_var"], w["bn1.weight"], w["bn1.bias"])
    hidden = torch.nn.functional.batch_norm(hidden, *norm).relu()
    scores = torch.nn.functional.linear(hidden, w["output_layer.weight"], w["output_layer.bias"]).softmax(1)
    save_file({DNABERT_S: dnabert_s, ESM2: esm2.numpy(), "scores": scores.numpy()}, folder / "reference.safetensors")
    return folder


def change(path: Path, **tensors) -> None:
    """Replace tensors of a safetensors file: by name (dots as __) a function of the one that is there."""
    state = load_file(path)
    for name, function in tensors.items():
        key = name.replace("__", ".")
        state[key] = np.ascontiguousarray(function(state[key]))
    save_file(state, path)

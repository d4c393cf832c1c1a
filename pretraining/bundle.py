"""The trained network as a model bundle's folders: encoders/compact, classifiers/compact_500 and compact_300."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from pretraining.corpus import CLASSES, IS_VIRAL, NONCODING, VIRAL
from pretraining.judge import CODING, LEAST
from pretraining.network import COUNTED, GAPS, Member
from pretraining.tables import WORDS
from virnucpro.bundle.classifier import CLASSIFIER, card_text
from virnucpro.encoders.composition.description import MODEL_TYPE

ENCODER = "compact"
CHUNK_LENGTHS = (500, 300)
MOST_PARAMETERS, MOST_BYTES = 10_000_000, 20_000_000
EPS = 1e-5  # of batch norm, PyTorch's default


def joined(members: list[Member], shift: float = 0.0) -> dict[str, np.ndarray]:
    """All tensors of the network that gives the mean of the members' logits, float64, by name.

    shift: added to the logits of viruses (figures.centred).
    hidden, embedding: the encoder's; hidden_layer, bn1, output_layer: the classifier's. The members' standardisation
    and first batch norm are folded into `hidden`.
    """
    parts = [{k: v.double().numpy() for k, v in m.state_dict().items()} for m in members]
    for w in parts:
        gain = w["hidden_norm.weight"] / np.sqrt(w["hidden_norm.running_var"] + EPS)
        weight = w["hidden.weight"] / w["scale"]
        bias = w["hidden.bias"] - weight @ w["mean"]
        w["hidden.weight"] = weight * gain[:, None]
        w["hidden.bias"] = (bias - w["hidden_norm.running_mean"]) * gain + w["hidden_norm.bias"]

    def together(name: str) -> np.ndarray:
        return np.concatenate([w[name] for w in parts])

    def blocks(name: str) -> np.ndarray:
        shapes = np.array([w[name].shape for w in parts])
        out, at = np.zeros(shapes.sum(axis=0)), np.zeros(2, dtype=np.int64)
        for w, shape in zip(parts, shapes, strict=True):
            out[at[0] : at[0] + shape[0], at[1] : at[1] + shape[1]] = w[name]
            at += shape
        return out

    norm = {f"bn1.{n}": together(f"head_norm.{n}") for n in ("weight", "bias", "running_mean", "running_var")}
    return norm | {
        "hidden.weight": together("hidden.weight"),
        "hidden.bias": together("hidden.bias"),
        "embedding.weight": blocks("embedding.weight"),
        "embedding.bias": together("embedding.bias"),
        "hidden_layer.weight": blocks("head.weight"),
        "hidden_layer.bias": together("head.bias"),
        "output_layer.weight": np.concatenate([w["output.weight"] for w in parts], axis=1) / len(parts),
        "output_layer.bias": np.mean([w["output.bias"] for w in parts], axis=0) + shift * IS_VIRAL,
    }


def write_encoder(folder: Path, network: dict[str, np.ndarray], tables: dict[str, np.ndarray]) -> None:
    """The encoder: tables in whole numbers of one byte, layers in 16 bits."""
    folder.mkdir(parents=True, exist_ok=True)
    hidden, features = network["hidden.weight"].shape
    words = [{"groups": list(w.groups), "places": list(w.places), "tables": [name]} for name, w in WORDS.items()]
    if features != COUNTED + 1 + 8 * len(WORDS):
        raise ValueError(f"{features} features do not fit the tables")
    config = {
        "model_type": MODEL_TYPE,
        "gaps": list(GAPS),
        "words": words,
        "hidden_size": hidden,
        "embedding_size": len(network["embedding.bias"]),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    tensors = {f"words.{t}": table for t, table in tables.items()}
    for name in ("hidden", "embedding"):
        tensors |= {f"{name}.{part}": network[f"{name}.{part}"].astype(np.float16) for part in ("weight", "bias")}
    parameters, size = sum(t.size for t in tensors.values()), sum(t.nbytes for t in tensors.values())
    if parameters > MOST_PARAMETERS or size > MOST_BYTES:
        raise ValueError(f"{parameters:,} parameters, {size:,} bytes: more than allowed")
    save_file({k: np.ascontiguousarray(v) for k, v in sorted(tensors.items())}, folder / "model.safetensors")


def write_classifier(folder: Path, network: dict[str, np.ndarray], chunk_length: int, card: dict) -> None:
    """One classifier with its card, after the encoder. card: title, purpose, limits, training, evaluation ..."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("hidden_layer", "bn1", "output_layer")
    tensors = {k: v.astype(np.float32) for k, v in network.items() if k.split(".")[0] in names}
    save_file({k: np.ascontiguousarray(v) for k, v in sorted(tensors.items())}, folder / "model.safetensors")
    text = {
        "name": folder.name,
        "chunk_length": chunk_length,
        "classes": [c.replace(" ", "_") for c in CLASSES],
        "viral": [CLASSES[kind].replace(" ", "_") for kind in VIRAL],
        "coding": {"class": CLASSES[NONCODING], "slope": CODING.slope, "intercept": CODING.intercept},
        "frames": "every",
        "min_stretch": LEAST,
        "rule": "mean",
        "encoders": [{"kind": "composition", "name": ENCODER, "layer": "last", "dim": len(network["embedding.bias"])}],
    }
    (folder / CLASSIFIER).write_text(card_text(text | card), encoding="utf-8")

"""The classifier's card, classifier.yml: what it reads, how it was trained, and later what was measured."""

import json
from pathlib import Path

import yaml

from virnucpro.bundle.classifier import CLASSES, card_text
from virnucpro.errors import InputError
from virnucpro.training.order import Order
from virnucpro.training.pack import Packed
from virnucpro.training.recipes import RECIPES

TEXTS = ("title", "purpose", "limits", "data", "citation", "licence", "source")
DEFAULTS = {
    "title": "{name}, trained by its user",
    "purpose": "Tells viruses from others in data like those that it was trained on.",
    "limits": "It knows nothing of kinds of virus and host that its training data lack.",
}


def read_texts(path: Path | None) -> dict[str, str]:
    """What a person says of the classifier (YAML with TEXTS); InputError where the file holds something else."""
    if path is None:
        return {}
    try:
        texts = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: is no YAML file that can be read ({e})") from e
    if not isinstance(texts, dict) or not set(texts) <= set(TEXTS):
        raise InputError(f"{path}: may hold {', '.join(TEXTS)}, each a text, and nothing else")
    return {k: str(v).strip() for k, v in texts.items()}


def encoder_entries(models: Path, kinds: tuple[str, ...]) -> list[dict]:
    """The card's list of encoders, of `kinds` in that order. models: the JSON of check_models.py."""
    found = {e["kind"]: e for e in json.loads(models.read_text(encoding="utf-8"))["encoders"]}
    return [
        {
            "kind": kind,
            "name": found[kind]["name"],
            "layer": "last" if found[kind]["layer"] == found[kind]["layers"] else found[kind]["layer"],
            "dim": found[kind]["dim"],
            "weights_sha256": found[kind]["sha256"],
        }
        for kind in kinds
    ]


def draft_card(order: Order, packed: Packed, encoders: list[dict], history: dict) -> dict:
    """classifier.yml as a mapping, before anything was measured: a classifier that CLASSIFY can use."""
    told = (
        "recipe",
        "seed",
        "frames",
        "frames_that_could_not_be_embedded",
        "frames_outside_annotated_proteins",
        "embedding_precision",
        "epochs_run",
        "best",
        "torch",
    )
    return {
        "name": order.name,
        **{text: default.format(name=order.name) for text, default in DEFAULTS.items()},
        "chunk_length": packed.chunk_length,
        "frames": order.frames,
        "min_stretch": order.min_stretch,
        "rule": RECIPES[order.recipe].rule,
        "encoders": encoders,
        "classes": list(CLASSES),
        "training": {name: history[name] for name in told},
    }


def write_card(path: Path, card: dict) -> None:
    path.write_text(card_text(card), encoding="utf-8")

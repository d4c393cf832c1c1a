"""One training: labelled embeddings in, a classifier's folder and its history out."""

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from virnucpro.bundle.classifier import CLASSIFIER
from virnucpro.encoders.kind import WEIGHTS
from virnucpro.errors import ModelError
from virnucpro.training.card import draft_card, encoder_entries, write_card
from virnucpro.training.fit import Fit, auroc_of, fit, probabilities
from virnucpro.training.network import save
from virnucpro.training.order import HISTORY, Order
from virnucpro.training.pack import Packed, SideOf, pack
from virnucpro.training.recipes import RECIPES, Recipe
from virnucpro.training.sheet import LABELS, SIDES
from virnucpro.training.stream import Stream

STEPS = 20  # of an epoch at least: batches of little data are smaller than the recipe's
SMALLEST_BATCH = 16


def run_training(order: Order) -> None:
    """Write `order.out`: classifier.yml, model.safetensors and training.json."""
    torch.set_num_threads(order.threads)
    recipe = RECIPES[order.recipe]
    recipe = replace(recipe, epochs=order.epochs or recipe.epochs)
    encoders = encoder_entries(order.models, order.kinds)
    order.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=order.out, prefix=".rows-") as folder:
        side_of = shuffled_sides(order.split, order.seed) if order.by_frame else (lambda side: side)
        packed = pack(order.split, order.tables, order.embeddings, order.kinds, Path(folder), side_of, order.counted)
        check_origins(packed, encoders, order.models)
        for side in SIDES:
            count = np.bincount(packed.sides[side].label, minlength=2)
            say(f"{side}: " + ", ".join(f"{n:,} frames of {label}" for n, label in zip(count, LABELS, strict=True)))
        batch = max(SMALLEST_BATCH, min(recipe.batch_size, len(packed.sides["train"]) // STEPS))
        streams = {side: Stream(packed.sides[side], batch, share_of(packed, side, order.memory)) for side in SIDES}
        result = fit(streams["train"], streams["validation"], recipe, order.seed, say)
        frames = {side: frames_of(result, streams[side]) for side in SIDES}
    save(result.network, order.out / WEIGHTS)
    history = history_of(order, recipe, packed, result, frames)
    (order.out / HISTORY).write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
    write_card(order.out / CLASSIFIER, draft_card(order, packed, encoders, history))
    told = frames["test"]["auroc"]
    say(f"{order.name}: best epoch {result.best_epoch} of {len(result.history)}; AUROC of test frames {told:.3f}")


def say(text: str) -> None:
    print(text, flush=True)


def shuffled_sides(split: Path, seed: int) -> SideOf:
    """Frames dealt to the sides at random, in the shares that the frames of the genomes' split have."""
    random = np.random.default_rng(seed)
    return lambda side: random.permutation(side)


def share_of(packed: Packed, side: str, memory: int) -> int:
    """Bytes for one side's rows: the sides share the memory as they share the rows."""
    rows = sum(len(s) for s in packed.sides.values())
    return memory * len(packed.sides[side]) // max(rows, 1)


def check_origins(packed: Packed, encoders: list[dict], models: Path) -> None:
    for origin, entry in zip(packed.origins, encoders, strict=True):
        if origin.weights_sha256 != entry["weights_sha256"] or origin.dim != entry["dim"]:
            raise ModelError(
                f"{models}: no encoder of this bundle made the {origin.kind} embeddings (their weights have SHA-256 "
                f"{origin.weights_sha256[:12]}...); give the bundle that they were made with"
            )


def frames_of(result: Fit, stream: Stream) -> dict[str, float | int]:
    """How many frames of a side there are, by label, and how well they are told apart."""
    p = probabilities(result.network, stream)[:, 1]
    count = np.bincount(stream.rows.label, minlength=2).tolist()
    counts = {f"frames_{label}": n for label, n in zip(LABELS, count, strict=True)}
    return {"auroc": round(auroc_of(p, stream.rows.label), 4), **counts}


def history_of(order: Order, recipe: Recipe, packed: Packed, result: Fit, frames: dict) -> dict:
    best = result.history[result.best_epoch - 1]
    return {
        "format": 1,
        "name": order.name,
        "encoders": list(order.kinds),
        "by_frame": order.by_frame,
        "recipe": {"name": order.recipe, **asdict(recipe)},
        "seed": order.seed,
        "frames": frames,
        "frames_that_could_not_be_embedded": packed.failed,
        "frames_outside_annotated_proteins": packed.uncounted,
        "embedding_precision": ", ".join(sorted({o.precision for o in packed.origins})),
        "epochs_run": len(result.history),
        "best": best,
        "torch": torch.__version__.split("+")[0],
        "history": result.history,
    }

"""One training: labelled embeddings in, a classifier folder and its metrics out."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from virnucpro.errors import UsageError
from virnucpro.models.classifier import CLASSES, KINDS
from virnucpro.models.manifest import NAME
from virnucpro.training.card import encoder_entries, make_card, read_texts, write_folder
from virnucpro.training.data import Dataset, pattern_groups, read_dataset
from virnucpro.training.evaluate import evaluate
from virnucpro.training.fit import Settings, fit
from virnucpro.training.labels import SPLITS, read_groups, read_labels
from virnucpro.training.network import probabilities
from virnucpro.training.split import Split, split_groups


def run_training(a: argparse.Namespace) -> None:
    """What train_classifier.py does."""
    kinds = check_arguments(a)
    read_texts(a.card)  # a fault in it is told before an hour of training, not after
    samples = read_labels(a.labels)
    group_of = read_groups(a.groups) if a.groups else pattern_groups(a.group_pattern)
    torch.set_num_threads(a.threads)
    data = read_dataset(samples, a.tables, a.embeddings, kinds, group_of)
    encoders = encoder_entries(a.models, data.origins)
    split = split_groups(data, a.validation_fraction, a.test_fraction, a.seed)
    rows = {name: split.frames(data, name) for name in SPLITS}
    counts = {name: count(data, split, rows[name], name) for name in SPLITS}
    for name in SPLITS:
        say(f"{name}: " + ", ".join(f"{n:,} {what}" for what, n in counts[name].items()))
    settings = Settings(**{f: getattr(a, f) for f in Settings.__dataclass_fields__})
    result = fit(data.features, data.frame_label, rows["train"], rows["validation"], settings, a.device, say)
    scores = {name: probabilities(result.network, data.features, rows[name]) for name in SPLITS}
    measured = {name: evaluate(data, rows[name], scores[name], a.seed) for name in SPLITS}
    card = make_card(a, data, encoders, counts, settings, result, measured)
    some = rows["test"][:10_000]
    write_folder(a.out, card, result, data.features[some], scores["test"][: len(some)])
    if a.metrics:
        write_metrics(a.metrics, {"name": a.name, "counts": counts, "evaluation": measured, "history": result.history})
    told = ", ".join(f"{level} {m['auc']:.3f}" for level, m in measured["test"].items())
    say(f"{a.name}: best epoch {result.best_epoch}; AUC on unseen genomes: {told}; written to {a.out}")


def say(text: str) -> None:
    print(text, flush=True)


def check_arguments(a: argparse.Namespace) -> tuple[str, ...]:
    """The kinds of encoder; UsageError where an argument cannot be."""
    kinds = tuple(k.strip() for k in a.encoders.split(","))
    if not set(kinds) <= set(KINDS) or len(set(kinds)) < len(kinds):
        raise UsageError(
            f"--encoders {a.encoders}: each of {', '.join(KINDS)} may stand there once, with commas between"
        )
    if not NAME.fullmatch(a.name):
        raise UsageError(f"--name {a.name!r}: letters, digits, '.', '_' and '-' are allowed")
    for name in ("validation_fraction", "test_fraction"):
        if not 0 <= getattr(a, name) < 1:
            raise UsageError(f"--{name} {getattr(a, name)}: must be at least 0 and below 1")
    if a.validation_fraction + a.test_fraction >= 1:
        raise UsageError("--validation_fraction and --test_fraction leave nothing to train on")
    for name in ("learning_rate", "batch_size", "epochs", "patience", "threads"):
        if not getattr(a, name) > 0:
            raise UsageError(f"--{name} {getattr(a, name)}: must be above 0")
    if a.weight_decay < 0 or a.batch_size < 2:
        raise UsageError("--weight_decay must not be negative, and --batch_size must be at least 2")
    if a.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: PyTorch sees no GPU here; use --device cpu")
    return kinds


def count(data: Dataset, split: Split, frames: np.ndarray, name: str) -> dict[str, int]:
    """What one side of the split holds. Sequences without an open frame count too."""
    here = split.side == SPLITS.index(name)
    counts = {"genomes": len(set(data.sequence_group[here])), "sequences": int(here.sum())}
    for label, text in enumerate(CLASSES):
        counts[f"sequences_{text}"] = int((here & (data.sequence_label == label)).sum())
        counts[f"frames_{text}"] = int((data.frame_label[frames] == label).sum())
    return counts


def write_metrics(path: Path, metrics: dict) -> None:
    """Write the metrics JSON so that it is whole or absent."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps({"format": 1, **metrics}, indent=1) + "\n", encoding="utf-8")
    part.replace(path)

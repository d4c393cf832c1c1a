"""One training: labelled embeddings in, a classifier folder and its metrics out."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import yaml

from virnucpro.errors import InputError, ModelError, UsageError
from virnucpro.mlp import Mlp
from virnucpro.models.classifier import CLASSES, CLASSIFIER, KINDS, WEIGHTS
from virnucpro.models.manifest import NAME, read_manifest
from virnucpro.training.data import Dataset, Origin, pattern_groups, read_dataset
from virnucpro.training.evaluate import evaluate
from virnucpro.training.fit import Fit, Settings, fit
from virnucpro.training.labels import SPLITS, read_groups, read_labels
from virnucpro.training.network import probabilities, save
from virnucpro.training.split import Split, split_groups

TEXTS = ("title", "purpose", "limits", "citation", "licence", "source")


def run_training(a: argparse.Namespace) -> None:
    """What train_classifier.py does."""
    kinds = check_arguments(a)
    texts = read_texts(a.card)
    samples = read_labels(a.labels)
    group_of = read_groups(a.groups) if a.groups else pattern_groups(a.group_pattern)
    torch.set_num_threads(a.threads)
    data = read_dataset(samples, a.tables, a.embeddings, kinds, group_of)
    encoders = [encoder_entry(a.models, origin) for origin in data.origins]
    split = split_groups(data, a.validation_fraction, a.test_fraction, a.seed)
    rows = {name: split.frames(data, name) for name in SPLITS}
    counts = {name: count(data, split, name) for name in SPLITS}
    for name in SPLITS:
        print(f"{name}: " + ", ".join(f"{n:,} {what}" for what, n in counts[name].items()), flush=True)
    settings = Settings(a.learning_rate, a.weight_decay, a.batch_size, a.epochs, a.patience, a.seed)
    sets = {name: (data.features[r], data.frame_label[r]) for name, r in rows.items()}
    result = fit(sets["train"], sets["validation"], settings, say=lambda text: print(text, flush=True))
    scores = {n: probabilities(result.network, result.standardise(sets[n][0])) for n in SPLITS}
    measured = {name: evaluate(data, rows[name], scores[name], a.seed) for name in SPLITS}
    card = {
        "format": 1,
        "name": a.name,
        **{t: texts.get(t, "") for t in ("title", "purpose", "limits")},
        "chunk_length": data.bases,
        "encoders": encoders,
        "classes": list(CLASSES),
        "training": training_section(a, texts, data, counts, settings, result),
        "evaluation": {
            "data": "the test set: sequences of genomes that neither trained the classifier nor decided when to stop",
            "how": "AUC with a 95 % interval over genomes (bootstrap). frame: virus probability of an open frame. chunk: "
            "the best of its frames. sequence: virus_score, the mean over its chunks, weighted by length. "
            "Sensitivity and specificity are those of the pipeline's calls at --min_score 0.5.",
            **measured["test"],
        },
        **{t: texts.get(t, "") for t in ("citation", "licence", "source")},
    }
    write_folder(a.out, card, result, sets["test"][0], scores["test"])
    if a.metrics:
        metrics = {"format": 1, "name": a.name, "counts": counts, "evaluation": measured, "history": result.history}
        a.metrics.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    told = ", ".join(f"{level} {m['auc']:.3f}" for level, m in measured["test"].items())
    print(f"{a.name}: best epoch {result.best_epoch}; AUC on unseen genomes: {told}; written to {a.out}")


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
        if getattr(a, name) <= 0:
            raise UsageError(f"--{name} {getattr(a, name)}: must be above 0")
    return kinds


def read_texts(path: Path | None) -> dict[str, str]:
    """What a person says of the classifier; InputError where the file holds something else."""
    if path is None:
        return {}
    try:
        texts = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: is no YAML file that can be read ({e})") from e
    if not isinstance(texts, dict) or not set(texts) <= {*TEXTS, "data"}:
        raise InputError(f"{path}: may hold {', '.join(TEXTS)} and data, as texts, and nothing else")
    return {k: str(v) for k, v in texts.items()}


def encoder_entry(models: Path, origin: Origin) -> dict:
    """The card's entry of an encoder: the bundle's one with the weights that made the embeddings."""
    manifest = read_manifest(models)
    for path, entry in manifest.files.items():
        parts = path.split("/")
        if entry.sha256 == origin.weights_sha256 and parts[0] == "encoders" and parts[-1] == WEIGHTS:
            return {
                "kind": origin.kind,
                "name": parts[1],
                "layer": "last" if origin.kind == "dnabert_s" else origin.layer,
                "dim": origin.dim,
                "weights_sha256": origin.weights_sha256,
            }
    raise ModelError(
        f"{models}: no encoder of this bundle made the {origin.kind} embeddings (weights "
        f"{origin.weights_sha256[:12]}...); give the bundle that they were made with"
    )


def count(data: Dataset, split: Split, name: str) -> dict[str, int]:
    """Of one side of the split. Sequences without an open frame count too."""
    here = split.side == SPLITS.index(name)
    frames = split.frames(data, name)
    counts = {"groups": split.groups[name], "sequences": int(here.sum())}
    for label, text in enumerate(CLASSES):
        counts[f"sequences_{text}"] = int((here & (data.sequence_label == label)).sum())
        counts[f"frames_{text}"] = int((data.frame_label[frames] == label).sum())
    return counts


def training_section(
    a: argparse.Namespace, texts: dict, data: Dataset, counts: dict, settings: Settings, result: Fit
) -> dict:
    best = result.history[result.best_epoch - 1]
    return {
        "data": texts.get("data", ""),
        "split": f"by group ({a.groups.name if a.groups else a.group_pattern}): all sequences of a group on one side",
        **counts,
        "frames_that_could_not_be_embedded": data.failed,
        "embedding_precision": data.origins[0].precision,
        "loss": "cross entropy, both classes with the same weight",
        "optimiser": "AdamW",
        **vars(settings),
        "epochs_run": len(result.history),
        **{f"best_{k}": v for k, v in best.items()},
        "torch": torch.__version__.split("+")[0],
    }


def write_folder(out: Path, card: dict, result: Fit, features: np.ndarray, expected: np.ndarray) -> None:
    """Write classifier.yml and the weights, and make sure that what CLASSIFY will read gives what was evaluated."""
    out.mkdir(parents=True, exist_ok=True)
    save(result.network, result.mean, result.deviation, out / WEIGHTS)
    text = yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=120)
    (out / CLASSIFIER).write_text(text, encoding="utf-8")
    difference = float(np.abs(Mlp(out)(features) - expected).max())
    if difference > 1e-3:
        raise ModelError(
            f"{out / WEIGHTS}: as written it gives probabilities that differ by {difference:.2g} from those evaluated"
        )

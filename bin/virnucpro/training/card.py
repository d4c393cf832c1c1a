"""The classifier's folder: its card (classifier.yml: how it was trained, what was measured) and its weights."""

import argparse
from pathlib import Path

import numpy as np
import torch
import yaml

from virnucpro.errors import InputError, ModelError
from virnucpro.mlp import Mlp
from virnucpro.models.classifier import CLASSES, CLASSIFIER, WEIGHTS
from virnucpro.models.manifest import read_manifest
from virnucpro.training.data import Dataset, Origin
from virnucpro.training.fit import Fit, Settings
from virnucpro.training.network import save

TEXTS = ("title", "purpose", "limits", "data", "citation", "licence", "source")
HOW = (
    "AUC with a 95 % interval (bootstrap over genomes). frame: virus probability of each open frame. chunk: "
    "chunk_score. sequence: virus_score, the mean over its chunks, weighted by length. Sensitivity and specificity "
    "are those of the pipeline's calls at --min_score 0.5. Chunks and sequences without an open frame are not counted."
)
LARGEST_DIFFERENCE = 1e-3  # between probabilities before and after folding, in fp32


def read_texts(path: Path | None) -> dict[str, str]:
    """What a person says of the classifier; InputError where the file holds something else."""
    if path is None:
        return {}
    try:
        texts = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: is no YAML file that can be read ({e})") from e
    if not isinstance(texts, dict) or not set(texts) <= set(TEXTS):
        raise InputError(f"{path}: may hold {', '.join(TEXTS)}, each a text, and nothing else")
    return {k: str(v).strip() for k, v in texts.items()}


def encoder_entries(models: Path, origins: tuple[Origin, ...]) -> list[dict]:
    """The card's list of encoders: for each kind the one of the bundle whose weights made the embeddings."""
    manifest = read_manifest(models)
    entries = []
    for origin in origins:
        paths = (path.split("/") for path, entry in manifest.files.items() if entry.sha256 == origin.weights_sha256)
        name = next((p[1] for p in paths if len(p) == 3 and p[0] == "encoders" and p[2] == WEIGHTS), None)
        if name is None:
            raise ModelError(
                f"{models}: no encoder of this bundle made the {origin.kind} embeddings (their weights have SHA-256 "
                f"{origin.weights_sha256[:12]}...); give the bundle that they were made with"
            )
        layer = "last" if origin.kind == "dnabert_s" else origin.layer
        entry = {"kind": origin.kind, "name": name, "layer": layer, "dim": origin.dim}
        entries.append(entry | {"weights_sha256": origin.weights_sha256})
    return entries


def make_card(
    a: argparse.Namespace,
    data: Dataset,
    encoders: list[dict],
    counts: dict[str, dict],
    settings: Settings,
    result: Fit,
    measured: dict[str, dict],
) -> dict:
    """classifier.yml as a mapping. `a` is the command line; `counts` and `measured` go by side of the split."""
    texts = dict.fromkeys(TEXTS, "") | read_texts(a.card)
    return {
        "format": 1,
        "name": a.name,
        **{t: texts[t] for t in ("title", "purpose", "limits")},
        "chunk_length": data.bases,
        "encoders": encoders,
        "classes": list(CLASSES),
        "training": {
            "data": texts["data"],
            "split": f"by genome ({a.groups.name if a.groups else a.group_pattern}), with seed {a.seed}; all sequences "
            "of a genome stand on one side",
            **counts,
            "frames_that_could_not_be_embedded": data.failed,
            "embedding_precision": ", ".join(sorted({o.precision for o in data.origins})),
            "loss": "cross entropy",
            "optimiser": "AdamW",
            **vars(settings),
            "epochs_run": len(result.history),
            **{f"best_{k}": v for k, v in result.history[result.best_epoch - 1].items()},
            "torch": torch.__version__.split("+")[0],
        },
        "evaluation": {
            "data": "the test set: genomes that neither trained the classifier nor decided when to stop",
            "how": HOW,
            **measured["test"],
        },
        **{t: texts[t] for t in ("citation", "licence", "source")},
    }


def write_folder(out: Path, card: dict, result: Fit, features: np.ndarray, expected: np.ndarray) -> None:
    """Write card and weights, then read them as CLASSIFY will and compare with what was evaluated.

    features: float32 [frames, in]; expected: float32 [frames, 2], their probabilities by the network as trained.
    """
    out.mkdir(parents=True, exist_ok=True)
    save(result.network, out / WEIGHTS)
    text = yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=120)
    (out / CLASSIFIER).write_text(text, encoding="utf-8")
    difference = float(np.abs(Mlp(out)(features) - expected).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise ModelError(
            f"{out / WEIGHTS}: as written it gives probabilities that differ by {difference:.2g} from those that were "
            "evaluated; the features' scales are too extreme to be folded into its first layer"
        )

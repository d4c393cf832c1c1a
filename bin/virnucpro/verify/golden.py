"""What VirNucPro itself computed with the published models (assets/golden), against what comes out here."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from virnucpro.bundle.classifier import Classifier
from virnucpro.calling.mlp import Mlp
from virnucpro.verify import comparing
from virnucpro.verify.measuring import Bench
from virnucpro.verify.results import FAILED, NOT_CHECKED, OK, Result, guarded
from virnucpro.verify.scores import features_of
from virnucpro.verify.sequences import Frame, named_frames
from virnucpro.verify.subjects import Subject

CHECK = "golden values"
MOST_RELATIVE, MOST_SCORE = 1e-4, 1e-4  # in fp32
LEAST_COSINE, MOST_SCORE_IN_HALF = 0.999, 0.02  # in half precision
HALF = "where fp32 is ok, half precision costs too much here: use --precision fp32"
OTHER = (
    "these weights, or what is computed with them, are not VirNucPro's: fetch the bundle anew (--workflow fetch_models)"
)


@dataclass(frozen=True)
class Golden:
    """The folder's content. encoders: float32 [frames, dim] by the encoder's name in a bundle; scores: float32
    [frames, 2], others and virus, of the classifier named."""

    folder: Path
    ids: list[str]
    frames: list[Frame]
    encoders: dict[str, np.ndarray]
    scores: np.ndarray
    classifier: str
    chunk_length: int
    fasta: list[Path]


def read_golden(folder: Path) -> Golden:
    """Read the folder of golden values."""
    of = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    rows = json.loads((folder / "frames.json").read_text(encoding="utf-8"))
    tensors = load_file(folder / "reference.safetensors")
    return Golden(
        folder,
        [row["id"] for row in rows],
        [Frame(row["nucleotides"], row["peptide"]) for row in rows],
        {name: tensors[tensor] for name, tensor in of["encoders"].items()},
        tensors["scores"],
        of["classifier"],
        of["chunk_length"],
        [folder / name for name in of["fasta"]],
    )


def check_frames(golden: Golden) -> list[Result]:
    """Chunks, frames and peptides of the FASTA files, against VirNucPro's."""
    found = dict(named_frames(golden.fasta, golden.chunk_length))
    expected = dict(zip(golden.ids, golden.frames, strict=True))
    wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if wrong:
        words = f"{len(wrong)} frames of {len(expected)} differ from VirNucPro's, {wrong[0]} among them"
        return [Result(CHECK, "frames", FAILED, words, remedy="the pipeline's code was changed: check it out anew")]
    return [Result(CHECK, "frames", OK, f"chunks, frames and peptides equal VirNucPro's ({len(expected)} frames)")]


def check_encoder(subject: Subject, golden: Golden, bench: Bench) -> list[Result]:
    """The golden frames' embeddings in fp32 and in the precision that a run would take."""
    expected = golden.encoders.get(subject.name)
    if expected is None:
        names = " and ".join(golden.encoders)
        return [Result(CHECK, subject.name, NOT_CHECKED, f"there are golden values for {names} alone")]
    results = []
    for precision in dict.fromkeys(("fp32", bench.chosen[subject.name])):

        def run(precision: str = precision) -> list[Result]:
            found = bench.measured(subject, precision).vectors["golden"]
            if found.shape != expected.shape:
                words = f"{found.shape[1]} values for a frame, VirNucPro has {expected.shape[1]}"
                return [Result(CHECK, f"{subject.name}, {precision}", FAILED, words, remedy=OTHER)]
            d = comparing.differences(found, expected)
            good = d["relative"] <= MOST_RELATIVE if precision == "fp32" else d["cosine"] >= LEAST_COSINE
            words = f"{len(found)} frames against VirNucPro's: {comparing.told(d)}"
            remedy = "" if good else OTHER if precision == "fp32" else HALF
            return [Result(CHECK, f"{subject.name}, {precision}", OK if good else FAILED, words, d, remedy)]

        results += guarded(CHECK, f"{subject.name}, {precision}", run)
    return results


def check_classifier(classifier: Classifier, subjects: list[Subject], golden: Golden, bench: Bench) -> list[Result]:
    """The golden frames' scores: from VirNucPro's embeddings, and from those computed here."""
    if classifier.name != golden.classifier:
        words = f"there are golden values for {golden.classifier} alone"
        return [Result(CHECK, classifier.name, NOT_CHECKED, words)]
    mlp = Mlp.of(classifier)
    results = guarded(CHECK, f"{classifier.name}, alone", lambda: [_alone(classifier, mlp, golden)])
    for half in (False, True):
        precisions = {s.name: bench.chosen[s.name] if half else "fp32" for s in subjects}
        label = f"{classifier.name}, {' and '.join(sorted(set(precisions.values())))}"
        if half and set(precisions.values()) == {"fp32"}:
            continue

        def run(precisions: dict = precisions, label: str = label, half: bool = half) -> list[Result]:
            features = features_of(classifier, subjects, precisions, "golden", bench)
            return [_scored(label, mlp(features), golden, MOST_SCORE_IN_HALF if half else MOST_SCORE)]

        results += guarded(CHECK, label, run)
    return results


def _alone(classifier: Classifier, mlp: Mlp, golden: Golden) -> Result:
    features = np.concatenate([golden.encoders[e.name] for e in classifier.encoders], axis=1)
    return _scored(f"{classifier.name}, alone", mlp(features), golden, MOST_SCORE)


def _scored(label: str, found: np.ndarray, golden: Golden, most: float) -> Result:
    worst = float(np.abs(found - golden.scores).max())
    calls = int((found.argmax(axis=1) != golden.scores.argmax(axis=1)).sum())
    good = worst <= most
    words = f"{len(found)} frames: largest difference of a score {worst:.2g}, {calls} calls differ"
    remedy = "" if good else OTHER if most == MOST_SCORE else HALF
    return Result(CHECK, label, OK if good else FAILED, words, {"largest": worst, "calls": calls}, remedy)

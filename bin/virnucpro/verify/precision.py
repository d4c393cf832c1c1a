"""fp16, bf16 and fp32 on this device: how far embeddings and scores move, and whether the one chosen is wise here."""

import numpy as np

from virnucpro.bundle.classifier import Classifier
from virnucpro.calling.mlp import Mlp
from virnucpro.verify import comparing
from virnucpro.verify.measuring import HALVES, Bench
from virnucpro.verify.results import FAILED, NOT_CHECKED, OK, Result, guarded
from virnucpro.verify.scores import features_of
from virnucpro.verify.subjects import Subject

CHECK = "precision"
LEAST_CENTRED = 0.99  # below it embeddings lose more than a hundredth of what tells sequences apart
MOST_CALLS = 0.01  # share of the frames whose call may change
SLOW = "on a CPU, where no run takes it unless told to, half precision takes minutes: not tried"
USE_FP32 = "use --precision fp32"


def check_encoder(subject: Subject, bench: Bench) -> list[Result]:
    """A line for each precision: against fp32 on this device. Only the one that a run would take can fail."""
    if not subject.needs_torch:
        return [Result(CHECK, subject.name, OK, "computed in fp64 whatever the device: there is nothing to choose")]
    chosen = bench.chosen[subject.name]
    results = [] if chosen != "fp32" else guarded(CHECK, f"{subject.name}, fp32", lambda: [_exact(subject, bench)])
    if skipped := [p for p in HALVES if p not in bench.halves[subject.name]]:
        results.append(Result(CHECK, f"{subject.name}, {' and '.join(skipped)}", NOT_CHECKED, SLOW))
    for precision in bench.halves[subject.name]:
        found = guarded(CHECK, f"{subject.name}, {precision}", lambda p=precision: [_compared(subject, p, bench)])
        results += found if precision == chosen else [_only_told(result) for result in found]
    return results


def _exact(subject: Subject, bench: Bench) -> Result:
    failed = sum(map(len, bench.measured(subject, "fp32").failed.values()))
    if failed:
        reason = next(iter(next(f for f in bench.measured(subject, "fp32").failed.values() if f).values()))
        return Result(
            CHECK, f"{subject.name}, fp32", FAILED, f"{failed} frames have no embedding: {reason}", {"failed": failed}
        )
    return Result(CHECK, f"{subject.name}, fp32", OK, "what a run takes here (auto); every frame has an embedding")


def _compared(subject: Subject, precision: str, bench: Bench) -> Result:
    label = f"{subject.name}, {precision}"
    measured, exact = bench.measured(subject, precision), bench.measured(subject, "fp32")
    failed = sum(map(len, measured.failed.values()))
    frames = sum(map(len, measured.vectors.values()))
    numbers = {"failed": failed, "frames": frames, "chosen": precision == bench.chosen[subject.name]}
    if failed:
        numbers["wise"] = False
        words = f"{failed} of {frames} embeddings overflow (they would be computed again in fp32, which takes time)"
        return Result(CHECK, label, FAILED, words, numbers, USE_FP32)
    d = comparing.differences(measured.vectors["sample"], exact.vectors["sample"])
    wise = d["centred_cosine"] >= LEAST_CENTRED
    words = f"{len(exact.vectors['sample'])} frames against fp32: {comparing.told(d)}"
    if numbers["chosen"]:
        words = f"what a run takes here; {words}"
    if measured.kernels_failure:
        words += f"; without own kernels, slower and as good: {measured.kernels_failure}"
    return Result(CHECK, label, OK if wise else FAILED, words, d | numbers | {"wise": wise}, "" if wise else USE_FP32)


def _only_told(result: Result) -> Result:
    """Of a precision that no run takes unless it is asked for: unwise is no failure of this installation."""
    if result.status != FAILED:
        return result
    told = f"unwise here, and not what a run takes: {result.text}"
    return Result(result.check, result.subject, OK, told, result.numbers)


def check_classifier(classifier: Classifier, subjects: list[Subject], bench: Bench) -> list[Result]:
    """Scores in each precision against those in fp32."""
    if not any(s.needs_torch for s in subjects):
        return []
    mlp = Mlp.of(classifier)
    chosen = {s.name: bench.chosen[s.name] for s in subjects}
    results = []
    for precision in [p for p in HALVES if all(p in bench.halves[s.name] for s in subjects if s.needs_torch)]:
        label = f"{classifier.name}, {precision}"
        found = guarded(CHECK, label, lambda p=precision, to=label: [_scores(classifier, mlp, subjects, p, to, bench)])
        results += found if precision in chosen.values() else [_only_told(result) for result in found]
    return results


def _scores(
    classifier: Classifier, mlp: Mlp, subjects: list[Subject], precision: str, label: str, bench: Bench
) -> Result:
    exact, half = (
        mlp(
            features_of(
                classifier, subjects, {s.name: p if s.needs_torch else "fp64" for s in subjects}, "sample", bench
            )
        )
        for p in ("fp32", precision)
    )
    there = np.isfinite(half).all(axis=1)
    worst = float(np.abs(exact - half)[there].max(initial=0.0))
    changed = int((exact.argmax(axis=1) != half.argmax(axis=1))[there].sum())
    good = changed <= MOST_CALLS * len(exact)
    words = f"{len(exact)} frames: largest change of a score {worst:.2g}, {changed} calls change"
    numbers = {"largest": worst, "calls": changed, "frames": len(exact)}
    return Result(CHECK, label, OK if good else FAILED, words, numbers, "" if good else USE_FP32)

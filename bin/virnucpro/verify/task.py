"""All checks of one device, one after another; whatever goes wrong in one is a line, and the others go on."""

import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from virnucpro.bundle.bundle import Bundle
from virnucpro.bundle.classifier import Classifier
from virnucpro.errors import VirnucproError
from virnucpro.files import whole
from virnucpro.verify import console, cost, files, golden, independence, precision, references, speed
from virnucpro.verify.counting import Counts
from virnucpro.verify.measuring import Bench
from virnucpro.verify.page import page
from virnucpro.verify.results import FAILED, NOT_CHECKED, Result, guarded
from virnucpro.verify.setting import (
    counts_of_input,
    device_for,
    halves_of,
    main_classifier,
    precision_of,
    sets_for,
    what_is_checked,
)
from virnucpro.verify.subjects import Subject, subject_of
from virnucpro.verify.verification import Verification, Wanted

MINUTES = {"cuda": 8.0, "cpu": 60.0}


def run_verification(wanted: Wanted) -> Verification:
    """Make every check that can be made here, print them, and write the files that are wanted."""
    v = Verification(wanted)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        _run(v, Path(folder))
    v.facts["seconds"] = round(time.monotonic() - began, 1)
    print(f"\n{console.summary(v.results)}; {v.facts['seconds']:.0f} s", flush=True)
    # The JSON comes last: where it is, all is.
    texts = {wanted.html: page(v.content()), wanted.json: json.dumps(v.content(), indent=1) + "\n"}
    for path, text in texts.items():
        if path:
            with whole(path) as part:
                part.write_text(text, encoding="utf-8")
    return v


def _run(v: Verification, folder: Path) -> None:
    wanted = v.wanted
    bundle, classifiers, subjects = what_is_checked(v, folder)
    counts = counts_of_input(v, classifiers, subjects) if wanted.input else None
    with ExitStack() as held:
        device = device_for(v, any(s.needs_torch for s in subjects), held)
        _checks(v, bundle, classifiers, subjects, counts, device)


def _checks(
    v: Verification,
    bundle: Bundle | None,
    classifiers: list[Classifier],
    subjects: list[Subject],
    counts: Counts | None,
    device,
) -> None:
    wanted, began = v.wanted, time.monotonic()
    if bundle:
        v.add(guarded(files.CHECK, bundle.name, lambda: files.check_files(bundle, classifiers)))
    gold = None
    try:
        gold = golden.read_golden(wanted.golden)
        v.add(guarded(golden.CHECK, "frames", lambda: golden.check_frames(gold)))
    except (OSError, ValueError, KeyError) as e:
        remedy = "give the folder assets/golden of the pipeline: --golden"
        v.add([Result(golden.CHECK, "frames", NOT_CHECKED, f"the golden values cannot be read ({e})", remedy=remedy)])
    chosen = {s.name: precision_of(v, s, device) for s in subjects}
    minutes = wanted.minutes or MINUTES["cuda" if device and device.is_gpu else "cpu"]

    def clock() -> str:
        return f"the {minutes:g} minutes given are over" if time.monotonic() - began > 60 * minutes else ""

    try:
        sets = sets_for(wanted, classifiers, subjects, device, gold, counts)
    except (OSError, VirnucproError) as e:
        v.add([Result("sequences", str(wanted.example[0]), FAILED, str(e))])
        return
    bench = Bench(device, sets, chosen, {s.name: halves_of(s, device, chosen[s.name]) for s in subjects}, clock)
    for s in subjects:
        _encoder(v, s, bench, gold)
    for c in classifiers:
        _classifier(v, c, subjects, bench, gold)
    if counts:
        v.add(cost.check_input(counts))
    if counts and classifiers:
        main = main_classifier(wanted, classifiers)
        v.add(guarded(cost.CHECK, "time", lambda: cost.check_cost(counts, _read_by(main, subjects), bench)))


def _read_by(classifier: Classifier, subjects: list[Subject]) -> list[Subject]:
    """The encoders that the classifier reads."""
    return [subject_of(use, subjects) for use in classifier.encoders]


def _classifier(
    v: Verification, c: Classifier, subjects: list[Subject], bench: Bench, gold: golden.Golden | None
) -> None:
    def scores() -> list[Result]:
        return golden.check_classifier(c, _read_by(c, subjects), gold, bench)

    if gold:
        v.add(guarded(golden.CHECK, c.name, scores))
    v.add(guarded(precision.CHECK, c.name, lambda: precision.check_classifier(c, _read_by(c, subjects), bench)))


def _encoder(v: Verification, s: Subject, bench: Bench, gold: golden.Golden | None) -> None:
    v.add(guarded(references.CHECK, s.name, lambda: references.check_references(s, bench)))
    if gold:
        v.add(guarded(golden.CHECK, s.name, lambda: golden.check_encoder(s, gold, bench)))
    v.add(guarded(precision.CHECK, s.name, lambda: precision.check_encoder(s, bench)))
    v.add(guarded(independence.CHECK, s.name, lambda: independence.check_independence(s, bench)))
    v.add(guarded(speed.CHECK, s.name, lambda: speed.check_speed(s, bench)))

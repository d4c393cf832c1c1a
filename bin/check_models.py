#!/usr/bin/env python3
"""Check a model bundle, and say what a classifier of it needs. Exit 66 where something is missing or does not fit."""

import argparse
import json
from pathlib import Path

from virnucpro.errors import ModelError, has_packages, run_main

with has_packages():
    from virnucpro.bundle.bundle import (
        Bundle,
        Encoder,
        Selection,
        check,
        check_encoders,
        check_second,
        digest_of,
        open_bundle,
    )
    from virnucpro.bundle.classifier import CLASSIFIER
    from virnucpro.files import whole

CARD = (
    "name",
    "title",
    "chunk_length",
    "frames",
    "min_stretch",
    "rule",
    "classes",
    "viral",
    "purpose",
    "limits",
    "calibration",
    "thresholds",
    "training",
    "evaluation",
    "citation",
    "licence",
)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--models", type=Path, required=True, metavar="DIR", help="the bundle's folder")
    what = "check what this one needs (the only one if empty); without this option all of the bundle is checked"
    p.add_argument("--classifier", metavar="NAME_OR_PATH", help=what)
    p.add_argument(
        "--second", metavar="NAME_OR_PATH", help="a second one, for sequences of which the first can read nothing"
    )
    p.add_argument(
        "--encoders",
        metavar="NAMES",
        help="check these, separated by commas, to train a classifier on; all of the bundle if empty",
    )
    p.add_argument(
        "--chunk_length", type=int, metavar="BASES", help="fail unless the classifier reads chunks of this length"
    )
    p.add_argument("--json", type=Path, metavar="OUT", help="write what was found (of one classifier)")
    p.add_argument(
        "--full", action="store_true", help="hash every file anew, also those hashed before and untouched since"
    )
    a = p.parse_args()
    bundle = open_bundle(a.models, full=a.full, say=lambda text: print(f"  {text}", flush=True))
    print(f"bundle {bundle.name} in {bundle.folder}")
    if a.encoders is not None:
        encoders = check_encoders(bundle, [name.strip() for name in a.encoders.split(",") if name.strip()])
        digest = digest_of([[e.kind, e.layer, e.digest] for e in encoders])
        write(a.json, {"format": 1, "bundle": bundle.name, "digest": digest, "encoders": listed(bundle, encoders)})
        print(f"complete: {' and '.join(e.name for e in encoders)}")
    elif a.classifier is not None or a.json:
        selection = check(bundle, a.classifier or "", a.chunk_length)
        second = check_second(bundle, selection, a.second) if a.second else None
        write(a.json, describe(bundle, selection, second))
        for one in (selection, second):
            if one:
                print(f"{one.classifier.name}: complete, and fits {' and '.join(e.name for e in one.encoders)}")
    else:
        check_all(bundle)


def write(path: Path | None, found: dict) -> None:
    """Write the JSON so that it is whole or absent; nothing where no path was given."""
    if path:
        with whole(path) as part:
            part.write_text(json.dumps(found, indent=1, default=str) + "\n", encoding="utf-8")


def check_all(bundle: Bundle) -> None:
    """Check every file and classifier; print each problem and go on, so that all are named, then raise ModelError."""
    problems = []
    checks = [lambda path=path: bundle.verify(path) for path in bundle.manifest.files]
    checks += [lambda name=name: check(bundle, name) for name in bundle.names("classifiers", CLASSIFIER)]
    for one in checks:
        try:
            one()
        except ModelError as e:
            if str(e) not in problems:
                problems.append(str(e))
                print(f"  PROBLEM {e}", flush=True)
    if problems:
        raise ModelError(
            f"{bundle.folder}: {len(problems)} problem{'s' if len(problems) > 1 else ''}, first: {problems[0]}"
        )
    print(f"complete; classifiers: {', '.join(bundle.names('classifiers', CLASSIFIER)) or 'none'}")


def describe(bundle: Bundle, selection: Selection, second: Selection | None = None) -> dict:
    """The JSON of --json. A `folder` is relative to the bundle; that of a classifier outside it is absolute."""

    def card(one: Selection) -> dict:
        c = one.classifier
        return {name: getattr(c, name) for name in CARD} | {"folder": where(bundle, c.folder)}

    return {
        "format": 1,
        "bundle": selection.bundle,
        "digest": digest_of([selection.digest, second.digest]) if second else selection.digest,
        "classifier": card(selection),
        "second": card(second) if second else None,
        "encoders": listed(bundle, selection.encoders),
    }


def listed(bundle: Bundle, encoders: tuple[Encoder, ...]) -> list[dict]:
    return [
        {"kind": e.kind, "name": e.name, "folder": where(bundle, e.folder), "layer": e.layer, "dim": e.dim}
        | {"layers": e.layers, "parameters": e.parameters, "sha256": e.sha256, "digest": e.digest}
        for e in encoders
    ]


def where(bundle: Bundle, folder: Path) -> str:
    return folder.relative_to(bundle.folder).as_posix() if folder.is_relative_to(bundle.folder) else str(folder)


if __name__ == "__main__":
    run_main(main)

#!/usr/bin/env python3
"""Check a model bundle, and say what a classifier of it needs. Exit 66 where something is missing or does not fit."""

import argparse
import json
from pathlib import Path

from virnucpro.errors import ModelError, run_main
from virnucpro.models.bundle import Bundle, Selection, check, open_bundle
from virnucpro.models.classifier import CLASSIFIER

CARD = (
    "name",
    "title",
    "chunk_length",
    "classes",
    "purpose",
    "limits",
    "training",
    "evaluation",
    "citation",
    "licence",
)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--models", type=Path, required=True, metavar="DIR", help="the bundle's folder")
    what = "check what this one needs (the only one if empty); without this option all of the bundle is checked"
    cli.add_argument("--classifier", metavar="NAME_OR_PATH", help=what)
    cli.add_argument(
        "--chunk_length", type=int, metavar="BASES", help="fail unless the classifier reads chunks of this length"
    )
    cli.add_argument("--json", type=Path, metavar="OUT", help="write what was found (of one classifier)")
    cli.add_argument(
        "--full", action="store_true", help="hash every file anew, also those hashed before and untouched since"
    )
    args = cli.parse_args()
    bundle = open_bundle(args.models, full=args.full, say=lambda text: print(f"  {text}", flush=True))
    print(f"bundle {bundle.name} in {bundle.folder}")
    if args.classifier is not None or args.json:
        selection = check(bundle, args.classifier or "", args.chunk_length)
        if args.json:
            part = args.json.with_name(args.json.name + ".part")
            part.write_text(json.dumps(describe(bundle, selection), indent=1, default=str) + "\n", encoding="utf-8")
            part.replace(args.json)
        print(f"{selection.classifier.name}: complete, and fits {' and '.join(e.name for e in selection.encoders)}")
    else:
        check_all(bundle)


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


def describe(bundle: Bundle, selection: Selection) -> dict:
    """The JSON of --json. A `folder` is relative to the bundle; that of a classifier outside it is absolute."""
    c = selection.classifier
    return {
        "format": 1,
        "bundle": selection.bundle,
        "digest": selection.digest,
        "classifier": {name: getattr(c, name) for name in CARD} | {"folder": where(bundle, c.folder)},
        "encoders": [
            {"kind": e.kind, "name": e.name, "folder": where(bundle, e.folder), "layer": e.layer, "dim": e.dim}
            | {"layers": e.layers, "parameters": e.parameters, "sha256": e.sha256, "digest": e.digest}
            for e in selection.encoders
        ],
    }


def where(bundle: Bundle, folder: Path) -> str:
    return folder.relative_to(bundle.folder).as_posix() if folder.is_relative_to(bundle.folder) else str(folder)


if __name__ == "__main__":
    run_main(main)

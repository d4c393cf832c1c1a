#!/usr/bin/env python3
"""Build a model bundle: fetch models from their public sources (or --from a folder), convert and check them."""

import argparse
from pathlib import Path

from virnucpro.errors import UsageError, has_packages, run_main

with has_packages():
    from virnucpro.fetch.fetch import fetch
    from virnucpro.fetch.sources import read_sources, wanted_items

SOURCES = Path(__file__).resolve().parent.parent / "assets" / "models.yml"


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--models", type=Path, metavar="DIR", help="the bundle's folder, made where it does not exist")
    p.add_argument("--classifier", nargs="*", default=[], metavar="NAME", help="with all encoders that they need")
    p.add_argument("--encoder", nargs="*", default=[], metavar="NAME", help="encoders alone, to train classifiers on")
    p.add_argument("--from", dest="brought", type=Path, metavar="DIR", help="take the files from here: no network")
    p.add_argument("--sources", type=Path, default=SOURCES, metavar="YML", help="where each model comes from")
    p.add_argument("--keep_downloads", action="store_true", help="leave the fetched files in place once converted")
    p.add_argument("--note", type=Path, metavar="FILE", help="keep what the fetch is doing now in this file")
    p.add_argument("--list", action="store_true", help="print what can be fetched, and stop")
    a = p.parse_args()
    items = read_sources(a.sources)
    if a.list:
        for item in items.values():
            print(f"{item.name}\t{item.kind}\t{item.licence}\t{item.sources[0].files[0].url}")
        return
    if a.models is None or not (a.classifier or a.encoder):
        raise UsageError("give --models DIR and at least one --classifier or --encoder (--list prints their names)")
    if a.brought and not a.brought.is_dir():
        raise UsageError(f"--from {a.brought}: there is no such folder")

    def say(text: str) -> None:
        print(text, flush=True)
        if a.note:
            a.note.write_text(text + "\n", encoding="utf-8")

    wanted = wanted_items(items, a.classifier, a.encoder)
    fetch(a.models, wanted, a.brought, say, keep=a.keep_downloads, note=a.note)


if __name__ == "__main__":
    run_main(main)

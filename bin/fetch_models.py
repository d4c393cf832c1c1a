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
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--models", type=Path, metavar="DIR", help="the bundle's folder, made where it does not exist")
    cli.add_argument("--classifier", nargs="*", default=[], metavar="NAME", help="with all encoders that they need")
    cli.add_argument("--encoder", nargs="*", default=[], metavar="NAME", help="encoders alone, to train classifiers on")
    cli.add_argument("--from", dest="brought", type=Path, metavar="DIR", help="take the files from here: no network")
    cli.add_argument("--sources", type=Path, default=SOURCES, metavar="YML", help="where each model comes from")
    cli.add_argument("--keep_downloads", action="store_true", help="leave the fetched files in place once converted")
    cli.add_argument("--note", type=Path, metavar="FILE", help="keep what the fetch is doing now in this file")
    cli.add_argument("--list", action="store_true", help="print what can be fetched, and stop")
    args = cli.parse_args()
    items = read_sources(args.sources)
    if args.list:
        for item in items.values():
            print(f"{item.name}\t{item.kind}\t{item.licence}\t{item.sources[0].files[0].url}")
        return
    if args.models is None or not (args.classifier or args.encoder):
        raise UsageError("give --models DIR and at least one --classifier or --encoder (--list prints their names)")
    if args.brought and not args.brought.is_dir():
        raise UsageError(f"--from {args.brought}: there is no such folder")

    def say(text: str) -> None:
        print(text, flush=True)
        if args.note:
            args.note.write_text(text + "\n", encoding="utf-8")

    wanted = wanted_items(items, args.classifier, args.encoder)
    fetch(args.models, wanted, args.brought, say, keep=args.keep_downloads, note=args.note)


if __name__ == "__main__":
    run_main(main)

#!/usr/bin/env python3
"""Embed the peptides of a bin's open frames with ESM-2."""

from virnucpro.embedding.cli import main
from virnucpro.errors import run_main

if __name__ == "__main__":
    run_main(lambda: main("esm2"))

#!/usr/bin/env python3
"""Embed the nucleotides of a bin's open frames with DNABERT-S."""

from virnucpro.embedding.cli import main
from virnucpro.errors import run_main

if __name__ == "__main__":
    run_main(lambda: main("dnabert_s"))

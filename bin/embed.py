#!/usr/bin/env python3
"""Embed the open frames of a task's shards with an encoder (process EMBED)."""

from virnucpro.embedding.cli import main
from virnucpro.errors import run_main

if __name__ == "__main__":
    run_main(main)

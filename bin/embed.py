#!/usr/bin/env python3
"""Embed the open frames of a task's shards with an encoder (process EMBED)."""

from virnucpro.errors import has_packages, run_main

with has_packages():
    from virnucpro.embedding.cli import main

if __name__ == "__main__":
    run_main(main)

"""Maintainers train the compact model here, from packages of Debian (docs/pretraining.md). No task imports it."""

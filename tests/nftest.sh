#!/usr/bin/env bash
# Run the nf-test suite where nf-test is on PATH; where it is not, say so and succeed. Arguments go to nf-test:
#   tests/nftest.sh                             all tests
#   tests/nftest.sh --tag stub                  stub runs only; other tags: pipeline, predict, gpu, a process's name
#   tests/nftest.sh modules/local/classify --update-snapshot
# Tests tagged `gpu` skip themselves on a machine without one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v nf-test > /dev/null; then
    cat >&2 << 'END'
################################################################################
# NOT RUN: the nf-test suite (nf-test.config, **/*.nf.test).
# nf-test is not on PATH. It is in no package registry: see https://www.nf-test.com
# for how to install it, then run tests/nftest.sh. The pytest suite drives the
# same pipeline with `nextflow run`.
################################################################################
END
    exit 0
fi

# A snapshot that is not there fails, unless snapshots are being made.
ci=(--ci)
for argument in "$@"; do
    case "$argument" in
        --update-snapshot | --updateSnapshot) ci=() ;;
    esac
done
exec nf-test test "${ci[@]}" "$@"

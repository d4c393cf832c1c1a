#!/usr/bin/env bash
# Run the nf-test suite. Exit status 77 where nf-test is not on PATH; it installs nothing. Arguments go to nf-test:
#   tests/nftest.sh                             all tests
#   tests/nftest.sh --tag stub                  stub runs only; other tags: pipeline, predict, gpu, a process's name
#   tests/nftest.sh modules/local/classify --update-snapshot    (look at what changed before committing it)
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
    exit 77
fi

# A snapshot that is not there fails, unless snapshots are being made.
if [[ $# -gt 0 ]]; then
    ci=(--ci)
    [[ " $* " != *" --update"* ]] || ci=()
    exec nf-test test "${ci[@]}" "$@"
fi

# All tests: in as many parts side by side as pytest has workers, since most of a test is Nextflow's start on one core.
parts=${TEST_WORKERS:-2}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
started=()
for part in $(seq "$parts"); do
    nf-test test --ci --shard "$part/$parts" > "$logs/$part" 2>&1 &
    started+=($!)
done
failed=0
for part in $(seq "$parts"); do
    wait "${started[part - 1]}" || failed=1
    cat "$logs/$part"
done
exit "$failed"

#!/usr/bin/env bash
# What needs no SLURM, container or GPU; `make test` calls it with the environment on PATH. Arguments go to pytest.
# nf-test is in no package registry: where it is not on PATH its tests are not run.
set -euo pipefail
cd "$(dirname "$0")/.."

# One thread per process: tests run side by side, and a result must not depend on the number of cores.
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
export NXF_OFFLINE=true NXF_SYNTAX_PARSER=v2

# Tasks write no byte code, so that nothing grows in an installation: without this each would compile what it imports.
python -m compileall -q bin
ruff check .
ruff format --check .
git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck
tests/nftest.sh || [ $? = 77 ]
# Files in the order of their names: those of whole runs, minutes each, before the many small ones. Three at once keep two
# cores busy, as a run waits now and then.
exec python -m pytest -n "${TEST_WORKERS:-3}" --dist loadfile --no-loadscope-reorder "$@"

#!/usr/bin/env bash
# The whole suite; `make test` calls it with the environment on PATH. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

# One thread per process: tests run side by side, and a result must not depend on the number of cores.
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
export NXF_OFFLINE=true NXF_SYNTAX_PARSER=v2

ruff check .
ruff format --check .
git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck
[ ! -x tests/nftest.sh ] || tests/nftest.sh
exec python -m pytest -n "${TEST_WORKERS:-2}" --dist loadfile "$@"

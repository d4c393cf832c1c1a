# make run     the bundled example with the bundled model, compact
# make test    linters, pytest, and nf-test where it is on PATH
# make lint    every checker
# make bench   benchmarks, some 50 minutes
# make images  the two container images (Docker)
# make test-containers, make test-slurm   the example in containers, on a SLURM cluster in one machine
# Each sets up what it needs, once per machine (setup/install.py says what and where).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
ENVIRONMENT = $(shell $(PYTHON) setup/install.py --where)
WITH_ENVIRONMENT = export PATH="$(ENVIRONMENT)/bin:$$PATH" NXF_SYNTAX_PARSER=v2 PYTHONDONTWRITEBYTECODE=1;
OUTDIR ?= results

.PHONY: help run test test-containers test-slurm images lint format bench setup clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

setup:
	@$(PYTHON) setup/install.py

run: setup
	@$(WITH_ENVIRONMENT) nextflow run . --input assets/example/samples.csv --outdir "$(OUTDIR)" -resume

test: setup
	@$(WITH_ENVIRONMENT) tests/run.sh

lint:
	@$(PYTHON) setup/install.py --lint
	@$(WITH_ENVIRONMENT) PATH="$$PATH:$(ENVIRONMENT)/lint/bin" tests/lint.sh

format: setup
	@$(WITH_ENVIRONMENT) ruff format . && ruff check --fix .

images:
	@containers/build.sh

test-containers: setup
	@$(WITH_ENVIRONMENT) tests/containers/run.sh

test-slurm: setup
	@$(WITH_ENVIRONMENT) tests/slurm/run.sh

bench: setup
	@$(WITH_ENVIRONMENT) benchmarks/run.sh

clean:
	rm -rf work .nextflow .nextflow.log* results

#!/usr/bin/env bash
# Prints the pipeline's version, which is the images' tag.
sed -n "s/^ *version *= *'\(.*\)'.*/\1/p" "$(dirname "${BASH_SOURCE[0]}")/../nextflow.config"

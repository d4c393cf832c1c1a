#!/usr/bin/env bash
# From nothing to a classifier of your own: fetch an encoder and public training data, train, calibrate, evaluate.
#
#   assets/training/small_model.sh [FOLDER] [ENCODER] [-- parameters of --workflow train]
#
# FOLDER (small_model) gets models/, data/ and trained/. ENCODER: esm2_t6_8M, or esm2_t30_150M, esm2_t33_650M on a GPU.
# FROM=<folder>: take the files of both from there, where there is no internet (docs/training.md).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=small_model
encoder=esm2_t6_8M
if [ "${1:---}" != -- ]; then folder=$1 && shift; fi
if [ "${1:---}" != -- ]; then encoder=$1 && shift; fi
[ "${1:-}" != -- ] || shift
brought=()
[ -z "${FROM:-}" ] || brought=(--from "$FROM")

mkdir -p "$folder"
nextflow run "$root" --workflow fetch_models --models "$folder/models" --encoders "$encoder" "${brought[@]}"
"$root/bin/fetch_training_data.py" --out "$folder/data" "${brought[@]}"
nextflow run "$root" --workflow train --input "$folder/data/labelled.csv" --models "$folder/models" --encoders "$encoder" \
    --classifier "${encoder}_500" --classifier_texts "$root/assets/training/card.yml" --outdir "$folder/trained" -resume "$@"

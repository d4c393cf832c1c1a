#!/usr/bin/env bash
# Every benchmark that needs no GPU, one after another; `make bench` calls this. About 50 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")"

genome=${GENOME:-/usr/share/doc/bowtie/examples/genomes/NC_008253.fna.gz}
if [ -e "$genome" ]; then
    ./extract_frames.py "$genome"
else
    echo "extract_frames.py: skipped, there is no $genome (Debian's package bowtie-examples, or set GENOME)" >&2
fi
./imports.py
./packing.py
./training_stream.py
./orchestration.py
./samples.py
./packed_sequences.py
./embeddings_on_disk.py
./scale.py
for encoder_benchmark in encoders*.py; do
    [ ! -e "$encoder_benchmark" ] || python3 "$encoder_benchmark"
done

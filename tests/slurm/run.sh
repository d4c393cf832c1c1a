#!/usr/bin/env bash
# The example, and a training, on a real SLURM with two fake GPUs (cluster.sh): tests/slurm/run.sh, or `make test-slurm`.
# Exit status 77, with what is missing, where it cannot run; it installs nothing. Needs nextflow on PATH (`make` sees to it).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/slurm

missing=()
[ "$(id -u)" = 0 ] || missing+=("root, to start the SLURM daemons")
for tool in slurmctld slurmd sbatch munged setpriv nextflow; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if [ ${#missing[@]} -gt 0 ]; then
    printf 'NOT RUN: the SLURM test needs:\n'
    printf '  %s\n' "${missing[@]}"
    echo 'On Debian or Ubuntu: apt-get install --no-install-recommends slurm-wlm munge'
    exit 77
fi

dir=$(mktemp -d /tmp/nf-virnucpro-slurm.XXXXXX)
chmod 755 "$dir"
finish() {
    local status=$?
    trap - EXIT
    "$here/cluster.sh" stop "$dir"
    if [ $status = 0 ]; then rm -rf "$dir"; else echo "test-slurm: FAILED; what it left is in $dir" >&2; fi
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

echo "test-slurm: starting SLURM in $dir"
"$here/cluster.sh" start "$dir"
export SLURM_CONF=$dir/slurm.conf
sinfo -N -o '%N %P %T %c cores %m MB %G'

# What each GPU task sees: SLURM's choice of the device. nvidia-smi is a fake one, which knows two GPUs.
mkdir "$dir/bin" "$dir/seen"
cat >"$dir/bin/nvidia-smi" <<'SMI'
#!/bin/sh
echo 'GPU 0: Fake (UUID: GPU-00000000-0000-0000-0000-000000000000)'
echo 'GPU 1: Fake (UUID: GPU-11111111-1111-1111-1111-111111111111)'
SMI
chmod 755 "$dir/bin/nvidia-smi"
# All in one file: Nextflow 25.04's strict parser knows no profiles when there is a -c beside the pipeline's own file.
cat >"$dir/test.config" <<CONFIG
includeConfig '$root/nextflow.config'
executor.pollInterval      = '2 sec'
executor.queueStatInterval = '2 sec'
process {
    withName: 'EMBED_.*' {
        ext.device   = 'auto' // there is no real GPU to compute on
        beforeScript = 'export PATH=$dir/bin:\$PATH NF_VIRNUCPRO_GPU_LOCKS=$dir/locks; echo "\$CUDA_VISIBLE_DEVICES \$SLURM_JOB_PARTITION \$(date +%s.%N)" > $dir/seen/\$SLURM_JOB_ID'
        afterScript  = 'date +%s.%N >> $dir/seen/\$SLURM_JOB_ID'
    }
}
CONFIG

cd "$dir"
nextflow -C "$dir/test.config" run "$root" -profile test,slurm -ansi-log false -work-dir "$dir/work" --outdir "$dir/results" \
    --use_gpu auto --gpus 2 --tasks_per_encoder 2 --array_size 2 --queue cpu --gpu_queue gpu --gpu_type fake

echo "test-slurm: checks"
python3 "$here/check.py" "$dir"

echo "test-slurm: --workflow train, each of its tasks a job"
mkdir "$dir/labelled"
PYTHONPATH=$root/tests/support python3 -c "from pathlib import Path; from labelled_samples import write_labelled; write_labelled(Path('$dir/labelled'))"
rm "$dir"/seen/*
cd "$dir/labelled"
nextflow -C "$dir/test.config" run "$root" -profile slurm -ansi-log false -work-dir work --outdir results \
    --workflow train --input s.csv --models "$root/assets/demo_models" --classifier mine --epochs 3 \
    --use_gpu auto --gpus 2 --queue cpu --gpu_queue gpu --gpu_type fake
python3 "$here/check.py" --train "$dir"

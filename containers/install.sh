#!/bin/sh
# Installs one image's software; the Dockerfiles and the Apptainer definitions run the same steps through it.
# usage: install.sh LOCK [APT_PACKAGE...]     (as root, on a Debian or Ubuntu base)
#
# Python packages come from the lock file alone, each with its hash. What a machine needs to reach its package index
# comes from outside and stays outside of the image: a CA file `ca` and pip's settings `pip_conf`, in /run/secrets (Docker,
# Podman) or in /mnt (Apptainer, which can only mount on what the base has).
set -eu
lock=$1
shift

export DEBIAN_FRONTEND=noninteractive
apt-get update
# procps: Nextflow's trace reads the memory and CPU use of a task with its ps.
apt-get install -y --no-install-recommends bash ca-certificates procps python3 python3-venv "$@"
rm -rf /var/lib/apt/lists/* /var/cache/apt/*

for secrets in /run/secrets /mnt; do
    if [ -e $secrets/ca ]; then export PIP_CERT=$secrets/ca; fi
    if [ -e $secrets/pip_conf ]; then export PIP_CONFIG_FILE=$secrets/pip_conf; fi
done
python3 -m venv /opt/virnucpro
/opt/virnucpro/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes --no-cache-dir --only-binary :all: -r "$lock"

# Nothing in the image has to be written at run time, by any user.
chmod -R a+rX /opt/virnucpro

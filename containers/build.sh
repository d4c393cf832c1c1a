#!/usr/bin/env bash
# Builds the images: containers/build.sh [docker|podman|apptainer] [tools] [embed]      (default: docker, both)
#
# Settings, all from the environment:
#   BASE            base image, Debian or Ubuntu (default debian:bookworm-slim)
#   BOOTSTRAP       where Apptainer finds BASE (default docker, a registry; localimage: a file or folder)
#   IMAGE_PREFIX    what the names begin with (default nf-virnucpro/): <prefix>tools:<version>, <prefix>embed:<version>
#   OUT             folder for the .sif files of Apptainer (default: the current folder)
#   DOCKER          the docker or podman command to use
#   BUILD_OPTIONS   more options of the build command, e.g. --network=host
#   PIP_CERT, PIP_CONFIG_FILE   this machine's CA and pip settings: used in the build, not kept in the image
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

engine=docker
case "${1:-}" in docker | podman | apptainer) engine=$1; shift ;; esac
[ $# -gt 0 ] || set -- tools embed

base=${BASE:-debian:bookworm-slim}
version=$(containers/version.sh)

# name=version of every package in a lock file, for the image's labels.
packages() { sed -n 's/^\([A-Za-z0-9_.-]*\)==\([^ ;]*\).*/\1=\2/p' "setup/requirements/$1.lock" | sort -u | paste -sd' '; }

build_docker() {
    local options image="${IMAGE_PREFIX-nf-virnucpro/}$1:$version"
    read -ra options <<<"${BUILD_OPTIONS:-}"
    [ -z "${PIP_CERT:-}" ] || options+=(--secret "id=ca,src=$PIP_CERT")
    [ -z "${PIP_CONFIG_FILE:-}" ] || options+=(--secret "id=pip_conf,src=$PIP_CONFIG_FILE")
    DOCKER_BUILDKIT=1 "${DOCKER:-$engine}" build "${options[@]}" --build-arg "BASE=$base" --build-arg "VERSION=$version" \
        --build-arg "PACKAGES=$(packages "$1")" --tag "$image" --file "containers/$1/Dockerfile" .
    echo "built $image"
}

build_apptainer() {
    local options secrets sif="${OUT:-.}/nf-virnucpro-$1-$version.sif"
    read -ra options <<<"${BUILD_OPTIONS:-}"
    secrets=$(mktemp -d)
    [ -z "${PIP_CERT:-}" ] || cp "$PIP_CERT" "$secrets/ca"
    [ -z "${PIP_CONFIG_FILE:-}" ] || cp "$PIP_CONFIG_FILE" "$secrets/pip_conf"
    apptainer build --bind "$secrets:/mnt" "${options[@]}" --build-arg "BOOTSTRAP=${BOOTSTRAP:-docker}" \
        --build-arg "BASE=$base" --build-arg "VERSION=$version" --build-arg "PACKAGES=$(packages "$1")" "$sif" "containers/$1/Apptainer.def"
    rm -r "$secrets"
    echo "built $sif"
}

for image in "$@"; do
    if [ ! -e "containers/$image/Dockerfile" ]; then
        echo "build.sh: there is no image '$image'; there are: tools embed" >&2
        exit 2
    fi
    if [ "$engine" = apptainer ]; then build_apptainer "$image"; else build_docker "$image"; fi
done

#!/usr/bin/env bash
# Engines other than Docker, which take the images that Docker holds:
#   engines.sh list                      those on PATH, a line each; what is absent is said on standard error
#   engines.sh unpack ENGINE IMAGE DIR   the image as a folder that ENGINE runs; DIR is where the tests work
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

list() {
    local engine command
    for engine in apptainer singularity charliecloud; do
        command=$engine
        [ $engine != charliecloud ] || command=ch-run
        if command -v $command >/dev/null; then echo $engine; else echo "test-containers: NOT RUN: $engine, $command is not on PATH" >&2; fi
    done
}

unpack() { # ENGINE IMAGE DIR
    local image folder=$3/$1-$2
    image=nf-virnucpro/$2:$("$root/containers/version.sh")
    case $1 in
        charliecloud) charliecloud "$image" "$folder" "$3" ;;
        *) sandbox "$1" "$image" "$folder" ;;
    esac
}

sandbox() { # ENGINE IMAGE FOLDER
    docker save "$2" -o "$3.tar"
    "$1" build --sandbox "$3" "docker-archive:$3.tar"
    rm "$3.tar"
}

charliecloud() { # IMAGE FOLDER WORK
    local id
    mkdir "$2"
    id=$(docker create --network=none "$1")
    docker export "$id" | tar -C "$2" -x --exclude='dev/*'
    docker rm "$id"
    # ch-run keeps the caller's PATH, which knows nothing of the image; and it cannot make the folders that it binds.
    mkdir "$2/ch"
    docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$1" >"$2/ch/environment"
    mkdir -p "$2$3"
}

"$@"

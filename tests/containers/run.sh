#!/usr/bin/env bash
# The example in containers: tests/containers/run.sh, or `make test-containers`. Builds both images, then runs
# -profile test,docker without any network, as the calling user and (when called by root) as an ordinary one who cannot
# write the pipeline's folder, and compares with a run without containers.
# The same images are then run by every other engine that is on PATH: Apptainer (or Singularity), Charliecloud.
# Exit status 77, with what is missing, where it cannot run; it installs nothing. Needs nextflow on PATH (`make` sees to it).
#
# Settings, from the environment: BASE (base image; without it and without a registry one is made by debootstrap),
# TEST_CONTAINERS_DIR (keep daemon data and images here for the next time; about 20 GB), PIP_CERT, PIP_CONFIG_FILE (build.sh)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/containers

not_run() {
    echo "NOT RUN: the container test needs $1"
    exit 77
}

dir=$(mktemp -d /tmp/nf-virnucpro-containers.XXXXXX)
chmod 755 "$dir"
store=${TEST_CONTAINERS_DIR:-$dir/docker}
own_daemon=
finish() {
    local status=$?
    trap - EXIT
    [ -z "$own_daemon" ] || "$here/dockerd.sh" stop "$store"
    if [ $status = 0 ] || [ $status = 77 ]; then rm -rf "$dir"; else echo "test-containers: FAILED; what it left is in $dir" >&2; fi
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

command -v nextflow >/dev/null || not_run 'nextflow on PATH'
# Debian's client builds with BuildKit by itself; one in /usr/local may lack the buildx plugin that newer ones need.
docker=
for candidate in $(type -ap docker); do
    if "$candidate" buildx version >/dev/null 2>&1 || "$candidate" --version | grep -q 'version 20\.'; then
        docker=$candidate
        break
    fi
done
[ -n "$docker" ] || not_run 'a docker client with BuildKit (Debian or Ubuntu: apt-get install docker.io; elsewhere docker with buildx)'

# Nextflow calls this one: it adds --network=none to every task.
mkdir "$dir/bin"
cat >"$dir/bin/docker" <<SHIM
#!/bin/bash
if [ "\${1:-}" = run ]; then
    shift
    case "\$*" in *--network=*) ;; *) set -- --network=none "\$@" ;; esac
    exec "$docker" run "\$@"
fi
exec "$docker" "\$@"
SHIM
chmod 755 "$dir/bin/docker"
export PATH=$dir/bin:$PATH

build_options=()
if ! docker info >/dev/null 2>&1; then
    [ "$(id -u)" = 0 ] || not_run 'a Docker daemon that this user may use, or root to start one'
    command -v dockerd >/dev/null || not_run 'dockerd (Debian or Ubuntu: apt-get install docker.io)'
    echo "test-containers: no Docker daemon answers; starting one in $store"
    "$here/dockerd.sh" start "$store" || not_run 'a machine on which dockerd starts (see above)'
    own_daemon=1
    export DOCKER_HOST=unix://$store/docker.sock
    build_options+=(--network=host)
fi

if [ -z "${BASE:-}" ]; then
    BASE=debian:bookworm-slim
    if ! docker image inspect "$BASE" >/dev/null 2>&1 && ! timeout 120 "$docker" pull -q "$BASE" 2>/dev/null; then
        BASE=nf-virnucpro/base:bookworm
        if ! docker image inspect "$BASE" >/dev/null 2>&1; then
            { [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null; } ||
                not_run 'a registry with debian:bookworm-slim, or BASE=<image>, or root and debootstrap to make a base image'
            echo 'test-containers: no registry can be reached; making a base image with debootstrap'
            debootstrap --variant=minbase bookworm "$dir/base" >"$dir/debootstrap.log"
            tar -C "$dir/base" -c . | docker import - "$BASE" >/dev/null
            rm -rf "$dir/base"
        fi
    fi
fi
export BASE

echo 'test-containers: building both images'
DOCKER=$docker BUILD_OPTIONS="${build_options[*]}" "$root/containers/build.sh" docker >"$dir/build.log" 2>&1 ||
    { tail -30 "$dir/build.log"; exit 1; }
docker images --format '  {{.Repository}}:{{.Tag}} {{.Size}}' 'nf-virnucpro/*'
"$here/images.sh" docker

images=() # parameters that name other images
run() { # NAME PROFILE [COMMAND...]: the example, into $dir/NAME
    local name=$1 profile=$2
    shift 2
    echo "test-containers: -profile $profile, $name"
    mkdir -m 777 "$dir/$name"
    (
        cd "$dir/$name"
        export NXF_HOME=${NXF_HOME:-$HOME/.nextflow}
        "$@" nextflow run "$dir/pipeline" -profile "$profile" -ansi-log false -work-dir work --outdir results \
            "${images[@]}" >log 2>&1
    ) || { tail -40 "$dir/$name/log"; return 1; }
}

# A copy that nobody can write, as a site's shared installation is.
mkdir "$dir/pipeline"
tar -C "$root" -c main.nf nextflow.config nextflow_schema.json assets bin conf modules workflows | tar -C "$dir/pipeline" -x
chmod -R a+rX,a-w "$dir/pipeline"
before=$(cd "$dir/pipeline" && find . | sort)

run local test
run calling_user test,docker
runs=(calling_user)
if [ "$(id -u)" = 0 ]; then
    nextflow=$(command -v nextflow)
    mkdir -m 777 "$dir/home"
    ordinary=(setpriv --reuid=65534 --regid=65534 --clear-groups env "HOME=$dir/home" "NXF_HOME=$dir/home/.nextflow")
    starts() { (cd "$dir/home" && "${ordinary[@]}" "$nextflow" -version >/dev/null 2>&1); }
    if ! starts && [ -d "$(dirname "$nextflow")/../nextflow" ]; then
        # The set-up's own, in a home folder that others cannot enter: a copy of the launcher and its jars will do.
        cp -r "$(dirname "$nextflow")/../nextflow" "$dir/jars"
        sed "s|'[^']*/nextflow/\*'|'$dir/jars/*'|" "$nextflow" >"$dir/nextflow"
        nextflow=$dir/nextflow
        chmod -R a+rX "$dir/jars" && chmod 755 "$nextflow"
    fi
    if starts; then
        mkdir "$dir/own" && ln -s "$nextflow" "$dir/own/nextflow"
        run ordinary test,docker "${ordinary[@]}" "PATH=$dir/own:$PATH"
        runs+=(ordinary)
    else
        echo "test-containers: NOT RUN as an ordinary user: $nextflow is not one that another user can start"
    fi
fi

# Other engines take the images that were built above.
while read -r engine; do
    echo "test-containers: the images for $engine"
    for image in tools embed; do
        "$here/engines.sh" unpack "$engine" $image "$dir" >"$dir/$engine-$image.log" 2>&1 </dev/null ||
            { tail -20 "$dir/$engine-$image.log"; exit 1; }
    done
    images=(--tools_image "$dir/$engine-tools" --embed_image "$dir/$engine-embed")
    run "$engine" "test,$engine" env "USER=${USER:-$(id -un)}" </dev/null
    runs+=("$engine")
    images=()
done < <("$here/engines.sh" list)

echo 'test-containers: checks'
for name in "${runs[@]}"; do
    for sample in ecoli lambda mixed; do
        diff -r "$dir/local/results/$sample" "$dir/$name/results/$sample"
        echo "  ok: $name: $sample is as without containers"
    done
    # What each task was started with
    used=$(grep -hE '(docker run|(apptainer|singularity) exec|ch-run) ' "$dir/$name"/work/*/*/.command.run |
        grep -oE "nf-virnucpro/(tools|embed):[^ ]*|$dir/[a-z]+-(tools|embed)" |
        sort | uniq -c | sort -rn)
    echo "  ok: $name: tasks by image: ${used//$'\n'/,}"
    [ "$(wc -l <<<"$used")" = 2 ] || { echo "  WRONG: two images were expected"; exit 1; }
    if [ "$name" = ordinary ]; then user=65534; else user=$(id -u); fi
    others=$(find "$dir/$name/results" ! -uid "$user")
    [ -z "$others" ] || { echo "  WRONG: $name: of another user: $others"; exit 1; }
    echo "  ok: $name: every result belongs to the user who ran it"
done
[ "$(cd "$dir/pipeline" && find . | sort)" = "$before" ] || { echo "  WRONG: the pipeline's folder was written"; exit 1; }
echo "  ok: nothing was written into the pipeline's folder"

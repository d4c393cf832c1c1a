#!/usr/bin/env bash
# A Docker daemon of the test's own, for machines without a running one: dockerd.sh start|stop FOLDER
# Then `export DOCKER_HOST=unix://FOLDER/docker.sock`. Needs root, docker.io. It touches no network set-up, so builds need
# --network=host and containers run with none.
set -euo pipefail
dir=$2

start() {
    mkdir -p "$dir"
    setsid dockerd --iptables=false --ip6tables=false --bridge=none --data-root "$dir/data" --exec-root "$dir/exec" \
        --pidfile "$dir/dockerd.pid" -H "unix://$dir/docker.sock" >"$dir/dockerd.log" 2>&1 &
    for _ in $(seq 30); do
        if DOCKER_HOST=unix://$dir/docker.sock docker info >/dev/null 2>&1; then
            chmod 666 "$dir/docker.sock" # the test runs as an ordinary user too
            return
        fi
        sleep 1
    done
    echo "dockerd.sh: the daemon did not come up; the end of $dir/dockerd.log:" >&2
    tail -5 "$dir/dockerd.log" >&2
    return 1
}

stop() {
    [ -e "$dir/dockerd.pid" ] || return 0
    local pid
    pid=$(cat "$dir/dockerd.pid")
    kill "$pid" || return 0
    for _ in $(seq 30); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 1
    done
}

case $1 in start | stop) "$1" ;; *) echo "usage: dockerd.sh start|stop FOLDER" >&2 && exit 2 ;; esac

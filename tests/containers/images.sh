#!/usr/bin/env bash
# What must hold for the images: images.sh docker|podman. No network, no root, only what each needs.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
engine=$1
version=$("$root/containers/version.sh")

inside() { # IMAGE COMMAND...
    local image=nf-virnucpro/$1:$version
    shift
    # As a user that the image does not know, as Nextflow does, and with a root file system that cannot be written.
    "$engine" run --rm --network=none --read-only --tmpfs /tmp -u 12345:12345 "$image" "$@"
}

fail() {
    echo "  WRONG: $*"
    exit 1
}

for image in tools embed; do
    user=$("$engine" image inspect --format '{{.Config.User}}' "nf-virnucpro/$image:$version")
    [ -n "$user" ] && [ "$user" != root ] && [ "$user" != 0 ]
    labels=$("$engine" image inspect --format '{{json .Config.Labels}}' "nf-virnucpro/$image:$version")
    grep -q "\"org.opencontainers.image.version\":\"$version\"" <<<"$labels"
    grep -q 'nf-virnucpro.packages":".*numpy=' <<<"$labels"
    inside "$image" bash -c 'ps -o pid,comm >/dev/null && python3 -c "import sys; assert sys.version_info >= (3, 11)"'
    # A machine's own CA or package index stays outside.
    found=$(inside "$image" sh -c 'ls /run/secrets/* /etc/pip.conf /root/.config/pip 2>/dev/null || true')
    [ -z "$found" ] || fail "$image holds settings of the building machine: $found"
    echo "  ok: $image: user $user, labels with versions, ps, Python, no settings of the building machine"
done
inside tools python3 -c 'import numpy, polars, pyarrow, yaml, safetensors, multiqc, rich'
if inside tools python3 -c 'import torch' 2>/dev/null; then fail 'tools holds torch'; fi
echo '  ok: tools: what its tasks import, and no torch'
inside embed python3 -c 'import torch, numpy, safetensors, tokenizers, pyarrow, yaml; assert torch.version.cuda'
if inside embed python3 -c 'import polars' 2>/dev/null; then fail 'embed holds polars'; fi
# shellcheck disable=SC2016
inside embed sh -c 'cd /tmp && echo "#include <Python.h>
int main(void) { return 0; }" >t.c && gcc $(python3 -c "import sysconfig; print(\"-I\" + sysconfig.get_path(\"include\"))") -c t.c'
inside embed python3 -c 'import getpass; assert getpass.getuser()'
# All that VERIFY_MODELS compares with is there.
"$engine" run --rm --network=none --read-only --tmpfs /tmp -u 12345:12345 -v "$root:/pipeline:ro" "nf-virnucpro/embed:$version" \
    python3 /pipeline/bin/verify_models.py --random tiny --device cpu >/tmp/verify.$$ || { cat /tmp/verify.$$; exit 1; }
if grep '^not checked  references' /tmp/verify.$$; then fail 'embed lacks a reference'; fi
rm /tmp/verify.$$
echo '  ok: embed: torch with CUDA, what its tasks import, a compiler for Triton, a user name, a verification'

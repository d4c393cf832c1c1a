#!/usr/bin/env bash
# Every checker that can be had: `make lint` calls it. What cannot run here is said, loudly, at the end.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

failed=()
absent=()

check() { # check NAME COMMAND...
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}

nextflow_lint() {
    local status=0 out
    # File by file: 25.04 stumbles over folders, and over some files' warnings (its own error, not a finding).
    while read -r file; do
        out=$(nextflow lint "$file" 2>&1)
        # shellcheck disable=SC2181
        if [ $? -ne 0 ] && ! grep -q 'ErrorCollector.get.*is null' <<<"$out"; then
            echo "$out"
            status=1
        elif grep -qE '^(Error|Warn) ' <<<"$out"; then
            echo "$out"
            status=1
        elif grep -q 'ErrorCollector' <<<"$out"; then
            unread+=("$file")
        fi
    done < <(git ls-files '*.nf' '*.config' | grep -v '^tests/')
    [ ${#unread[@]} -eq 0 ] || absent+=("nextflow lint crashes here on: ${unread[*]} (newer versions of Nextflow read them)")
    return $status
}
unread=()

mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
check 'ruff check' ruff check .
check 'ruff format' ruff format --check .
check 'shellcheck' shellcheck "${scripts[@]}"
check 'nextflow lint' nextflow_lint
check 'hadolint' hadolint containers/*/Dockerfile
check 'nf-core schema lint' nf-core pipelines schema lint nextflow_schema.json
# The other one clones nf-core's modules, to compare with what a pipeline took from there.
if git ls-remote -q https://github.com/nf-core/modules.git HEAD >/dev/null 2>&1; then
    copy=$(mktemp -d)
    git ls-files -z | xargs -0 cp --parents -t "$copy"
    (cd "$copy" && git init -q && git add -A && git -c user.name=lint -c user.email=lint@localhost commit -qm lint)
    check 'nf-core lint' env NXF_HOME="$copy.home" nf-core pipelines lint --dir "$copy" --fail-warned
    rm -rf "$copy" "$copy.home"
else
    absent+=('nf-core pipelines lint: github.com/nf-core/modules cannot be reached')
fi

echo
for line in ${absent[@]+"${absent[@]}"}; do echo "NOT CHECKED: $line"; done
if [ ${#failed[@]} -gt 0 ]; then
    echo "FAILED: ${failed[*]}"
    exit 1
fi
echo 'lint: all checks passed'

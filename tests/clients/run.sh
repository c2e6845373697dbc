#!/usr/bin/env bash
# Real clients through the gateway: OpenAI's and Anthropic's SDKs for Python and TypeScript, in their
# current version and one old major, in all four directions; Claude Code, to either wire; and schemathesis,
# which holds the admin API against its OpenAPI document.
#
#   tests/clients/run.sh                 all of them
#   tests/clients/run.sh python js       only these; the others are `claude` and `schema`
#   RINGWAY_BIN=target/release/ringway tests/clients/run.sh
#   RINGWAY_DRIVER=epoll tests/clients/run.sh
#
# Installs the clients beside itself (`.venv-*`, `*/node_modules`) and builds the gateway where
# none is named. What cannot be installed or started ends the run with 1: nothing is skipped.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
kinds=("$@")
[ $# -gt 0 ] || kinds=(python js claude schema)

# The longest that one version's tests may take, in seconds.
limit=180

die() {
    echo "client tests: $*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null || die "\`$1\` is missing; install $2"
}

versions_of() {
    case $1 in
    claude | schema) echo current ;;
    *) echo current old ;;
    esac
}

gateway() {
    if [ -z "${RINGWAY_BIN:-}" ]; then
        need cargo "a Rust toolchain, or name a built gateway by RINGWAY_BIN"
        (cd "$root" && cargo build --quiet --bin ringway) || die "the gateway does not build"
        export RINGWAY_BIN=$root/target/debug/ringway
    fi
    [ -x "$RINGWAY_BIN" ] || die "no gateway at $RINGWAY_BIN (RINGWAY_BIN)"
    RINGWAY_BIN=$(realpath "$RINGWAY_BIN")
    echo "gateway: $("$RINGWAY_BIN" --version)"
}

install_python() {
    local venv=$here/.venv-$1 wanted=$here/python/requirements-$1.txt
    cmp -s "$wanted" "$venv/installed.txt" && return
    rm -rf "$venv"
    python3 -m venv "$venv" || die "python3 has no venv module; install python3-venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted" ||
        die "the Python clients ($1) could not be installed"
    cp "$wanted" "$venv/installed.txt"
}

run_python() {
    echo "== python, $1"
    timeout "$limit" "$here/.venv-$1/bin/python" -B -m pytest "$here/python"
}

install_npm() {
    local folder=$here/$1
    cmp -s "$folder/package-lock.json" "$folder/node_modules/installed.json" && return
    (cd "$folder" && npm ci --silent --no-audit --no-fund) || die "$2 could not be installed"
    cp "$folder/package-lock.json" "$folder/node_modules/installed.json"
}

install_js() {
    install_npm "js-$1" "the TypeScript clients ($1)"
}

run_js() {
    echo "== js, $1"
    CLIENTS_JS=js-$1 timeout "$limit" node --test --test-timeout=30000 \
        --test-reporter="$here/js/reporter.mjs" "$here"/js/*.test.mjs
}

install_claude() {
    install_python "$1"
    install_npm claude "Claude Code"
    "$here/claude/node_modules/.bin/claude" --version >/dev/null || die "Claude Code does not start"
}

run_claude() {
    echo "== claude, $1"
    timeout "$limit" "$here/.venv-$1/bin/python" -B -m pytest -c "$here/claude/pytest.ini" \
        "$here/claude/test_claude_code.py"
}

install_schema() {
    local venv=$here/.venv-schema wanted=$here/schema/requirements.txt
    cmp -s "$wanted" "$venv/installed.txt" && return
    rm -rf "$venv"
    python3 -m venv "$venv" || die "python3 has no venv module; install python3-venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted" ||
        die "schemathesis could not be installed"
    cp "$wanted" "$venv/installed.txt"
}

run_schema() {
    echo "== schema"
    timeout "$limit" "$here/.venv-schema/bin/python" -B "$here/schema/run.py"
}

need python3 "Python 3.11 or newer (the stub provider is written in it)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "python3 is $(python3 --version); 3.11 or newer is needed"
gateway
for kind in "${kinds[@]}"; do
    case $kind in
    python | schema) ;;
    js | claude)
        need node "Node.js 20 or newer"
        need npm "npm"
        ;;
    *) die "no such clients: $kind; known: python, js, claude, schema" ;;
    esac
    for version in $(versions_of "$kind"); do
        "install_$kind" "$version"
    done
done

failed=()
for kind in "${kinds[@]}"; do
    for version in $(versions_of "$kind"); do
        code=0
        "run_$kind" "$version" || code=$?
        [ $code -ne 124 ] || echo "stopped after $limit s"
        [ $code -eq 0 ] || failed+=("$kind-$version")
    done
done
[ ${#failed[@]} -eq 0 ] || die "failed: ${failed[*]}"
echo "client tests: all passed (${kinds[*]})"

#!/usr/bin/env bash
# Runs fuzz targets and prints what came of each: executions, processor time, coverage, findings.
# usage: fuzz/run.sh SECONDS [TARGET...]
#        fuzz/run.sh sim SECONDS          seeds of the simulation instead, with a stable compiler
# Ends with 1 if a property did not hold, the inputs lie in fuzz/artifacts/<target>/; with 2 if the
# arguments are at fault.
# Needs: rustup, cargo-fuzz; the compiler is that of rust-toolchain.toml. JOBS targets run beside each
# other, one for each core by default. SANITIZER=address watches memory too. RINGWAY_RECORDED names a
# folder of recorded exchanges that serve as further seeds. What a run finds is kept in
# fuzz/target/corpus/ for the next.
set -euo pipefail
cd "$(dirname "$0")"

# Ends with 2 unless what was given is a count of seconds.
expect_seconds() {
  [[ "$1" =~ ^[0-9]+$ ]] && return
  echo "usage: fuzz/run.sh SECONDS [TARGET...] | fuzz/run.sh sim SECONDS" >&2
  exit 2
}

if [ "${1:-}" = sim ]; then
  expect_seconds "${2:-}"
  cd ..
  exec cargo run --quiet --locked --release --features sim --example sim -- --seconds "$2"
fi
expect_seconds "${1:-}"
seconds="$1"
shift
for target in "$@"; do
  [ -f "fuzz_targets/$target.rs" ] && continue
  echo "fuzz/run.sh: no target $target; known:" fuzz_targets/*.rs | sed -E 's|fuzz_targets/([a-z0-9_]+)\.rs|\1|g' >&2
  exit 2
done
if [ "$#" -eq 0 ]; then
  for file in fuzz_targets/*.rs; do set -- "$@" "$(basename "$file" .rs)"; done
fi
sanitizer="${SANITIZER:-none}" jobs="${JOBS:-$(nproc)}"
host=$(rustc -vV | sed -n 's/^host: //p')
built="target/$sanitizer"

# Recorded bodies, by what they are.
seeds=target/seeds
rm -rf "$seeds"
mkdir -p "$seeds"/{request,answer,stream}
if [ -d "${RINGWAY_RECORDED:-}" ]; then
  for folder in "$RINGWAY_RECORDED"/*/; do
    name=$(basename "$folder")
    for kind in request.json response.json response.sse; do
      [ -s "$folder$kind" ] && [ "$(stat -c %s "$folder$kind")" -lt 16384 ] || continue
      case $kind in
        request.json) cp "$folder$kind" "$seeds/request/$name" ;;
        response.json) cp "$folder$kind" "$seeds/answer/$name" ;;
        response.sse) cp "$folder$kind" "$seeds/stream/$name" ;;
      esac
    done
  done
fi

# Runs one target; prints its line, and the end of its log if a property did not hold.
run() {
  local target=$1 own="target/corpus/$1" log="target/$1.log" length=2048 words=(openai anthropic) kind
  case $target in
    http1_*) words=(http1) kind='' length=1024 ;;
    config) words=(config) kind='' length=4096 ;;
    ledger_recover) words=() kind='' length=2048 ;;
    whole_exchange) words=() kind='' length=1024 ;;
    json_peek | json_rewrite | translate_request) kind=request ;;
    sse_decode) kind=stream length=1024 ;;
    tap | transforms | translate_stream) kind=stream ;;
    json_string) kind=answer length=512 ;;
    multipart_model | translate_error) kind=answer length=1024 ;;
    *) kind=answer ;;
  esac
  local inputs=("corpus/$target")
  [ -z "$kind" ] || inputs+=("$seeds/$kind")
  [ ! -d "../tests/fixtures/regression/$target" ] || inputs+=("../tests/fixtures/regression/$target")
  mkdir -p "$own" "artifacts/$target"
  local told=()
  if [ "${#words[@]}" -gt 0 ]; then
    for word in "${words[@]}"; do cat "dictionaries/$word.dict"; done >"target/$target.dict"
    told=("-dict=target/$target.dict")
  fi
  local program="$built/$host/release/$target"
  [ "$target" != whole_exchange ] || program="$built-sim/$host/release/$target"
  local before after code=0 cpu
  before=$(find "artifacts/$target" -type f | wc -l)
  local TIMEFORMAT='%U %S'
  { time "$program" "$own" "${inputs[@]}" -max_total_time="$seconds" \
    -max_len="$length" -timeout=60 -report_slow_units=60 "${told[@]}" -artifact_prefix="artifacts/$target/" \
    -print_final_stats=1 >"$log" 2>&1 || code=$?; } 2>"$log.time"
  after=$(find "artifacts/$target" -type f | wc -l)
  cpu=$(awk 'END { printf "%.0f", $1 + $2 }' "$log.time")
  local runs last
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  last=$(grep -aE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -1 || true)
  printf '%-20s %12s %7s %7s %9s %9s\n' "$target" "${runs:-?}" "$cpu" \
    "$(sed -E 's/.*cov: ([0-9]+).*/\1/' <<<"$last")" \
    "$(sed -E 's/.*ft: ([0-9]+).*/\1/' <<<"$last")" "$((after - before))"
  [ "$code" -eq 0 ] || tail -40 "$log" >&2
  return "$code"
}

build() {
  cargo fuzz build --fuzz-dir . --sanitizer "$sanitizer" --no-trace-compares --target-dir "$@"
}
# Beside each other: each ends with one large crate that one core compiles.
build "$built" &
codecs=$!
[[ " $* " != *" whole_exchange "* ]] || build "$built-sim" --features sim whole_exchange
wait "$codecs"
printf '%-20s %12s %7s %7s %9s %9s\n' target executions 'cpu s' edges features findings
failed=0 running=0
for target in "$@"; do
  if [ "$running" -ge "$jobs" ]; then
    wait -n || failed=1
    running=$((running - 1))
  fi
  run "$target" &
  running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
  wait -n || failed=1
  running=$((running - 1))
done
exit "$failed"

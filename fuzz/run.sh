#!/usr/bin/env bash
# Runs fuzz targets one after the other and prints what came of each: executions, coverage, findings.
# usage: fuzz/run.sh SECONDS [TARGET...]
# Ends with 1 if a property did not hold; the inputs lie in fuzz/artifacts/<target>/.
# Needs: a nightly compiler, cargo-fuzz. RINGWAY_RECORDED names a folder of recorded exchanges that
# serve as further seeds. What a run finds is kept in fuzz/target/corpus/ for the next.
set -euo pipefail
cd "$(dirname "$0")"

seconds="${1:?usage: fuzz/run.sh SECONDS [TARGET...]}"
shift
if [ "$#" -eq 0 ]; then
  for file in fuzz_targets/*.rs; do set -- "$@" "$(basename "$file" .rs)"; done
fi

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

cargo +nightly fuzz build --fuzz-dir .
failed=0
printf '%-20s %12s %8s %8s %9s\n' target executions edges features findings
for target in "$@"; do
  own="target/corpus/$target" log="target/$target.log"
  mkdir -p "$own" "artifacts/$target"
  length=4096
  case $target in
    http1_*) words=(http1) kind='' length=1024 ;;
    config) words=(config) kind='' ;;
    json_peek | json_rewrite | translate_request) words=(openai anthropic) kind=request ;;
    sse_decode | tap | translate_stream) words=(openai anthropic) kind=stream ;;
    *) words=(openai anthropic) kind=answer ;;
  esac
  for word in "${words[@]}"; do cat "dictionaries/$word.dict"; done >"target/$target.dict"
  before=$(find "artifacts/$target" -type f | wc -l)
  cargo +nightly fuzz run --fuzz-dir . "$target" "$own" "corpus/$target" \
    ${kind:+"$seeds/$kind"} -- -max_total_time="$seconds" -max_len="$length" -timeout=10 \
    -dict="target/$target.dict" -print_final_stats=1 >"$log" 2>&1 || failed=1
  found=$(($(find "artifacts/$target" -type f | wc -l) - before))
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  last=$(grep -E 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -1)
  edges=$(sed -E 's/.*cov: ([0-9]+).*/\1/' <<<"$last")
  features=$(sed -E 's/.*ft: ([0-9]+).*/\1/' <<<"$last")
  printf '%-20s %12s %8s %8s %9s\n' "$target" "${runs:-?}" "${edges:-?}" "${features:-?}" "$found"
  if [ "$found" -gt 0 ] || [ -z "$runs" ]; then tail -40 "$log" >&2; fi
done
exit "$failed"

#!/usr/bin/env bash
# Builds the gateway for its own load: once to count which ways the code goes, then by those counts. The
# program is target/pgo/ringway; what that gives stands in docs/PERFORMANCE.md.
# usage: loadtest/pgo.sh
# Takes two builds from scratch and two minutes of load on loopback. Needs rustup, for its llvm-tools.
set -euo pipefail
cd "$(dirname "$0")/.."

rustup component add llvm-tools
host=$(rustc -vV | sed -n 's/^host: //p')
profdata="$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata"
work="$PWD/target/pgo"
rm -rf "$work/counts"

# With --target the flags reach what runs in the gateway alone, not build scripts.
build() {
  RUSTFLAGS="$2" cargo build --locked --profile dist --bin ringway --target "$host" --target-dir "$work/$1"
}

cargo build --locked --release -p loadtest
build counting "-C profile-generate=$work/counts"

# Both drivers and all four directions, then tools, thinking, faults and large bodies.
counting="$work/counting/$host/dist/ringway"
target/release/ringway-load compare --ringway "$counting" --only ringway --rounds 2 --seconds 1 \
  --load whole --load stream --load paced-256
for driver in uring epoll; do
  target/release/ringway-load soak --ringway "$counting" --driver "$driver" --duration 10s
done

"$profdata" merge --output "$work/counts.profdata" "$work/counts"
build counted "-C profile-use=$work/counts.profdata"
cp "$work/counted/$host/dist/ringway" "$work/ringway"
echo "target/pgo/ringway: $("$work/ringway" --version | head -1)"

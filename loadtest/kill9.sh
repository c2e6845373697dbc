#!/usr/bin/env bash
# Kills the gateway with SIGKILL at random moments under load, over and over, on one usage journal: what
# had ended a flush interval before is recorded once, nothing twice; in the journal, and where there is a
# store behind it (SQLite, PostgreSQL) in that. usage: loadtest/kill9.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
RINGWAY_KILL_ROUNDS="${1:-50}" cargo test --locked --test it \
  usage::p33_what_ended_a_flush_before_sigkill -- --nocapture --test-threads=1

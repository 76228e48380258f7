#!/usr/bin/env bash
# Runs a libFuzzer program for FUZZ_SECONDS (0: over what there is alone): scripts/fuzz.sh <program> <corpus>. Inputs that reach
# what none did before are kept in build/fuzz/found and begin the next run; one that fails is in build/fuzz/failed.
set -euo pipefail
readonly program=$1 corpus=$2
cd "$(dirname "$0")/.."

name=$(basename "$program")
readonly name found="build/fuzz/found/$name" failed="build/fuzz/failed"
mkdir -p "$found" "$failed"
bound=(-runs=0)
[ "${FUZZ_SECONDS:-0}" -eq 0 ] || bound=("-max_total_time=$FUZZ_SECONDS")
exec "$program" "${bound[@]}" -timeout=20 -print_final_stats=1 "-artifact_prefix=$failed/$name-" "$found" "$corpus"

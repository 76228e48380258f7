#!/usr/bin/env bash
# Runs the tests of a built preset: scripts/test.sh <preset> [arguments of ctest]. ctest's summary is the last line, also in
# build/<preset>/test-summary.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=$1
shift
readonly log="build/$preset/test.log" summary="build/$preset/test-summary.txt"

rm -f "$summary"
code=0
ctest --preset "$preset" "$@" </dev/null 2>&1 | tee "$log" || code=$?
grep -E '^[0-9]+% tests passed' "$log" | tail -1 > "$summary" || echo "no test ran" > "$summary"
cat "$summary"
exit "$code"

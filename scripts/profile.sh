#!/usr/bin/env bash
# Where the CPU time of scenarios goes, after `cmake --build --preset bench`: a table on standard output, flame graphs in
# docs/profiles. All processes of a scenario are sampled, as often as the system lets us, with their stacks.
set -euo pipefail
cd "$(dirname "$0")/.."

kantoku=build/sim/bin/kantoku
scenarios=(throughput throughput-callers latency stream admission events fanout)
stacks=build/bench/profiles
mkdir -p "$stacks" docs/profiles
: > "$stacks/figures.jsonl"

for scenario in "${scenarios[@]}"; do
  echo "profile: $scenario" >&2
  perf record --quiet --event cpu-clock --freq 999 --call-graph dwarf,16384 --output "$stacks/perf.data" -- \
    "$kantoku" bench "$scenario" --runs 1 --singles 5000 >> "$stacks/figures.jsonl" 2> "$stacks/$scenario.log" ||
    { cat "$stacks/$scenario.log" >&2; exit 1; }
  perf script --no-inline -F comm,pid,ip,sym,dso --input "$stacks/perf.data" > "$stacks/$scenario.stacks" 2> "$stacks/$scenario.log"
done
rm -f "$stacks/perf.data"
tests/bench/plot_profile.py "$stacks/figures.jsonl" "$stacks" docs/profiles

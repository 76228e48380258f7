#!/usr/bin/env bash
# Figures of this machine, after `cmake --build --preset bench`: a JSON line for each scenario in build/bench/figures.jsonl,
# tables for people. Arguments go to `kantoku bench`: scenarios, or --quick. With --backend postgres before them the records are in a
# PostgreSQL of the run's own, and the lines in build/bench/figures-postgres.jsonl.
set -euo pipefail
cd "$(dirname "$0")/.."

kantoku=build/sim/bin/kantoku
floors=build/sim/bin/kantoku-floors
slow_sync=$PWD/build/sim/tests/bench/libkantoku_slow_sync.so
mkdir -p build/bench

case "${1:-}" in
  --backend)
    [[ ${2:-} != sqlite ]] || { shift 2; exec scripts/bench.sh "$@"; }
    [[ ${2:-} == postgres ]] || { echo "bench: there is no backend \"${2:-}\" beside SQLite but postgres" >&2; exit 2; }
    shift 2
    (($#)) || set -- throughput throughput-callers latency latency-half-load stream admission events fanout replicas
    exec scripts/with_postgres.sh bash -c '"$1" bench --floors "$2 --postgres" --postgres "$KANTOKU_POSTGRES" \
      --suffix=-postgres "${@:3}"' bench "$kantoku" "$floors" "$@" > build/bench/figures-postgres.jsonl
    ;;
esac
figures=build/bench/figures.jsonl

"$kantoku" bench --floors "$floors" "$@" > "$figures"
(($#)) && exit

# The same on disks such as others have. What is under way is what a sync of such a disk has to be shared by.
for delay in 2 10; do
  echo "each sync takes $delay ms longer:" >&2
  LD_PRELOAD=$slow_sync SYNC_DELAY_US=${delay}000 "$kantoku" bench throughput --suffix "-sync-${delay}ms" --in-flight 20000 --held 20000 >> "$figures"
done

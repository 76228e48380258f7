#!/usr/bin/env bash
# Runs a command beside a PostgreSQL of its own, as its package sets it up but for SETTINGs: durable, in a directory below TMPDIR that
# goes with it, reached by a socket in there alone. KANTOKU_POSTGRES says where, as libpq takes it.
#
#   scripts/with_postgres.sh [-c SETTING=VALUE]… COMMAND…
set -euo pipefail

settings=()
while [[ ${1:-} == -c ]]; do
  settings+=(-c "${2:?with_postgres: -c needs a setting}")
  shift 2
done

initdb=$(find /usr/lib/postgresql -path '*/bin/initdb' 2> /dev/null | sort -V | tail -1 || true)
[[ -n $initdb ]] || { echo "with_postgres: there is no PostgreSQL; scripts/setup.sh test installs it" >&2; exit 1; }
binaries=${initdb%/*}

home=$(mktemp -d "${TMPDIR:-/var/tmp}/kantoku-postgres-XXXXXX")
server=
command=
clean_up() {
  trap '' INT TERM
  # At once; what they leave is not needed any more.
  if [[ -n $command ]]; then kill -TERM "$command" 2> /dev/null || true; wait "$command" 2> /dev/null || true; fi
  if [[ -n $server ]]; then kill -QUIT "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true; fi
  rm -rf "$home"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# It ends with this script, however that ends, and refuses to run as root.
as_its_user=(setpriv --pdeathsig=QUIT --)
if ((EUID == 0)); then
  as_its_user=(setpriv --reuid=postgres --regid=postgres --clear-groups --pdeathsig=QUIT --)
  chown postgres:postgres "$home"
fi
"${as_its_user[@]}" "$binaries/initdb" --pgdata "$home/data" --username postgres --auth trust --encoding UTF8 --locale C \
  > "$home/initdb.log" 2>&1 || { cat "$home/initdb.log" >&2; exit 1; }
"${as_its_user[@]}" "$binaries/postgres" -D "$home/data" -c listen_addresses= -c unix_socket_directories="$home" \
  "${settings[@]}" > "$home/server.log" 2>&1 &
server=$!
ready=0
for ((i = 0; i < 300 && !ready; ++i)); do
  if "$binaries/pg_isready" --quiet --host "$home"; then ready=1; else sleep 0.1; fi
  kill -0 "$server" 2> /dev/null || break
done
((ready)) || { cat "$home/server.log" >&2; exit 1; }

export KANTOKU_POSTGRES="host='$home' user=postgres dbname=postgres"
# What a shell has in the background does not hear an interrupt, unless that is undone.
env --default-signal=INT,QUIT "$@" <&0 &
command=$!
code=0
wait "$command" || code=$?
command=
exit "$code"

#!/usr/bin/env bash
# Runs a command beside a PostgreSQL of its own, as its package sets it up: durable, in a directory below TMPDIR that goes with it,
# reached by a socket in there alone. KANTOKU_POSTGRES says where, as libpq takes it.
#
#   scripts/with_postgres.sh COMMAND…
set -euo pipefail

binaries=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2> /dev/null | sort -V | tail -1)
[[ -n $binaries ]] || { echo "with_postgres: there is no PostgreSQL; scripts/setup.sh test installs it" >&2; exit 1; }

home=$(mktemp -d "${TMPDIR:-/var/tmp}/kantoku-postgres-XXXXXX")
as_its_user=()
if ((EUID == 0)); then # PostgreSQL refuses to run as root.
  as_its_user=(setpriv --reuid=postgres --regid=postgres --clear-groups --)
  chown postgres:postgres "$home"
fi
server=
clean_up() {
  # Ends at once; what it leaves is not needed any more.
  if [[ -n $server ]]; then kill -QUIT "$server" 2> /dev/null || true; wait "$server" 2> /dev/null || true; fi
  rm -rf "$home"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

"${as_its_user[@]}" "$binaries/initdb" --pgdata "$home/data" --username postgres --auth trust --encoding UTF8 --locale C \
  > "$home/initdb.log" 2>&1 || { cat "$home/initdb.log" >&2; exit 1; }
"${as_its_user[@]}" "$binaries/postgres" -D "$home/data" -c listen_addresses= -c unix_socket_directories="$home" \
  > "$home/server.log" 2>&1 &
server=$!
for ((i = 0; i < 300; ++i)); do
  if "$binaries/pg_isready" --quiet --host "$home"; then break; fi
  kill -0 "$server" 2> /dev/null || { cat "$home/server.log" >&2; exit 1; }
  sleep 0.1
done
export KANTOKU_POSTGRES="host=$home user=postgres dbname=postgres"
"$@"

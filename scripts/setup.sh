#!/usr/bin/env bash
# Installs what is missing, and nothing else: scripts/setup.sh [build|check]. Without missing packages it needs no network.
#   build   what `make build`, `make test` and `make demo` need
#   check   that, and what `make lint` and `make verify` need
set -euo pipefail
cd "$(dirname "$0")/.."

BUF_VERSION=1.75.0
readonly tools=build/tools

wanted_groups=build
case "${1:-build}" in
  build) ;;
  check) wanted_groups='build check' ;;
  *) echo "usage: $0 [build|check]" >&2; exit 2 ;;
esac

command -v dpkg-query >/dev/null || { echo "setup: this is for Debian 12: there is no dpkg here" >&2; exit 1; }

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')

missing=()
while read -r package group why; do
  case "$package" in '' | '#'*) continue ;; esac
  [[ " $wanted_groups " == *" $group "* ]] || continue
  grep -qxF "$package" <<<"$installed" && continue
  if [[ "$why" =~ \[([^]]+)\]$ ]] && command -v "${BASH_REMATCH[1]}" >/dev/null; then continue; fi
  missing+=("$package")
done < scripts/packages.txt

if ((${#missing[@]})); then
  as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || {
      echo "setup: missing: ${missing[*]}" >&2
      echo "setup: run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 1
    }
    as_root=(sudo)
  fi
  echo "setup: installing with apt: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq </dev/null
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" </dev/null
fi

if [[ " $wanted_groups " == *' check '* ]] && [[ "$("$tools/node_modules/.bin/buf" --version 2>/dev/null)" != "$BUF_VERSION" ]]; then
  echo "setup: installing with npm into $tools: @bufbuild/buf $BUF_VERSION"
  mkdir -p "$tools"
  npm install --prefix "$tools" --no-save --no-audit --no-fund --loglevel=error "@bufbuild/buf@$BUF_VERSION" </dev/null
fi

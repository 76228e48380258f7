#!/usr/bin/env bash
# Installs what is missing, and nothing else: scripts/setup.sh [build|test|check|plot|profile]. Without missing packages it needs no network.
#   build   what `make build` and `make demo` need
#   test    that, and what `make test` needs
#   check   that, and what `make lint`, `make counts` and `make verify` need
#   plot    what `make build` and `make growth` need
#   profile that, and what `make profile` needs
set -euo pipefail
cd "$(dirname "$0")/.."

BUF_VERSION=1.75.0
readonly tools=build/tools

wanted_groups=build
case "${1:-build}" in
  build) ;;
  test) wanted_groups='build test' ;;
  check) wanted_groups='build test check' ;;
  plot) wanted_groups='build plot' ;;
  profile) wanted_groups='build plot profile' ;;
  *) echo "usage: $0 [build|test|check|plot|profile]" >&2; exit 2 ;;
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

# An issuer that tests use as somebody else's. The copy of its lock is written when all of it is there.
readonly provider=tests/support/oidc_provider installed_provider=$tools/oidc_provider
if [[ " $wanted_groups " == *' test '* ]] && ! cmp -s "$provider/package-lock.json" "$installed_provider/node_modules/installed.json"; then
  echo "setup: installing with npm into $installed_provider: what $provider/package.json names"
  mkdir -p "$installed_provider"
  cp "$provider/package.json" "$provider/package-lock.json" "$installed_provider/"
  npm ci --prefix "$installed_provider" --no-audit --no-fund --ignore-scripts --loglevel=error </dev/null
  cp "$provider/package-lock.json" "$installed_provider/node_modules/installed.json"
fi

if [[ " $wanted_groups " == *' check '* ]] && [[ "$("$tools/node_modules/.bin/buf" --version 2>/dev/null)" != "$BUF_VERSION" ]]; then
  echo "setup: installing with npm into $tools: @bufbuild/buf $BUF_VERSION"
  mkdir -p "$tools"
  npm install --prefix "$tools" --no-save --no-audit --no-fund --loglevel=error "@bufbuild/buf@$BUF_VERSION" </dev/null
fi

#!/usr/bin/env bash
# Everything that can be found without running: layout of sources, protos, layering, backends, names of tests, and clang-tidy on the sources that the
# last 10 commits or the working tree changed (LINT_ALL=1: on all). `scripts/lint.sh fmt` repairs the layout instead.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly jobs=${LINT_JOBS:-2} buf=build/tools/node_modules/.bin/buf

# Git knows what belongs to the sources. Where it refuses (no checkout, one of another user) there is nothing to look at, and
# that is not the same as nothing to find.
git rev-parse --is-inside-work-tree > /dev/null || { echo "lint: git does not tell which sources there are" >&2; exit 1; }

# Paths of this repository's files, tracked or new, that match the given patterns. Fails when there are none.
files() {
  local listed
  listed=$(git ls-files --cached --others --exclude-standard -- "$@") || return 1
  while read -r f; do [[ ! -f $f ]] || echo "$f"; done <<<"$listed" | grep .
}

if [[ "${1:-}" == fmt ]]; then
  sources=$(files '*.cc' '*.h')
  xargs -P "$jobs" -n 20 clang-format -i <<<"$sources"
  exit 0
fi

failed=()
step() {
  local name=$1
  shift
  echo "== $name"
  "$@" || failed+=("$name")
}

count() { echo "$(grep -c . <<<"$1") $2"; }

layout() {
  local sources
  sources=$(files '*.cc' '*.h') || return 1
  count "$sources" sources
  xargs -P "$jobs" -n 20 clang-format --dry-run --Werror <<<"$sources" || {
    echo "run: make fmt" >&2
    return 1
  }
}

protos() {
  local sources
  sources=$(files '*.proto') || return 1
  count "$sources" protos
  "$buf" lint
}

layering() { python3 tests/layering/check_includes.py && python3 tests/layering/check_includes.py --self-test; }

backends() { python3 tests/layering/check_backends.py && python3 tests/layering/check_backends.py --self-test; }

# ctest's lists are separated by them: such a test would be two that find nothing to run, and pass.
test_names() {
  local named
  named=$(git grep -nE -A2 '^ *TEST_CASE\(' -- 'tests/*.cc' | grep -E '"[^"]*;[^"]*"\)? *(\{|$)') || return 0
  echo "$named: a test's name has no semicolon" >&2
  return 1
}

changed_sources() {
  if [[ -n "${LINT_ALL:-}" ]]; then
    files '*.cc'
  else
    local base changed new
    base=$(git rev-parse --verify -q HEAD~10 || git hash-object -t tree /dev/null) || return 1
    changed=$(git diff --name-only --diff-filter=AMR "$base" -- '*.cc') || return 1
    new=$(git ls-files --others --exclude-standard -- '*.cc') || return 1
    printf '%s\n' "$changed" "$new" | sort -u | { grep . || true; }
  fi
}

# Quiet about a source that is unchanged, with all that it includes, since it was found clean.
tidy_one() {
  local source=$1 command key
  command=$(python3 - "$source" <<'PY'
import json, os, shlex, sys
for entry in json.load(open("build/tidy/compile_commands.json")):
    if os.path.relpath(entry["file"]) == sys.argv[1]:
        words = shlex.split(entry["command"])
        words = words[next(i for i, word in enumerate(words) if os.path.basename(word).startswith("clang")):]
        words = words[: words.index("-o")] + words[words.index("-o") + 2 :]
        print("cd", shlex.quote(entry["directory"]), "&&", shlex.join(words), "-E -C -P -w")
        break
PY
)
  if [[ -z "$command" ]]; then
    echo "tidy: $source is in no target" >&2
    return 1
  fi
  key=$({ clang-tidy --version; cat .clang-tidy; bash -c "$command"; } | sha256sum | cut -c1-40) || return 1
  [[ -e "build/tidy/clean/$key" ]] && return 0
  if clang-tidy --quiet -p build/tidy "$source" 2> >(grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header' >&2); then
    touch "build/tidy/clean/$key"
  else
    echo "tidy: $source has findings" >&2
    return 1
  fi
}
export -f tidy_one

tidy() {
  local sources
  sources=$(changed_sources) || return 1
  # Those are in no target here.
  sources=$(grep -vE '^tests/(fuzz|integration/consumer)/' <<<"$sources" || true)
  count "$sources" "sources changed"
  [[ -n "$sources" ]] || return 0
  cmake --preset tidy > build/tidy-configure.log 2>&1 || { cat build/tidy-configure.log; return 1; }
  cmake --build --preset tidy -j "$jobs" > build/tidy-build.log 2>&1 || { cat build/tidy-build.log; return 1; }
  mkdir -p build/tidy/clean
  xargs -P "$jobs" -I{} bash -c 'tidy_one "$1"' _ {} <<<"$sources"
}

mkdir -p build
step "clang-format" layout
step "buf lint" protos
step "layering" layering
step "backends" backends
step "test names" test_names
step "clang-tidy" tidy

if ((${#failed[@]})); then
  echo "lint failed: ${failed[*]}" >&2
  exit 1
fi
echo "lint ok"

#!/bin/sh
# The compiler launcher: ccache, set up so that all checkouts share one cache. Called by the build as
#   ccache.sh <source directory> <ccache> <compiler> <arguments…>
# The sloppiness list is what ccache asks for before it caches the users of precompiled headers.
export CCACHE_BASEDIR="$1" CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE="${CCACHE_MAXSIZE:-15G}"
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
shift

# ccache takes the precompiled header of an earlier build for an input of the one that replaces it, and would never hit.
previous=
for argument; do
  case "$previous $argument" in '-o '*.gch | '-o '*.pch) rm -f "$argument" ;; esac
  previous=$argument
done

exec "$@"

#!/bin/sh
# 200 taps made, enslaved and up by the library, against ip -batch; prints both times and their ratio, and fails when that is
# over 1.25. Needs root.
# usage: tests/bench/taps.sh [BUILD_DIR [TAPS [ROUNDS]]]
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$here/build/release}
[ $# -gt 0 ] && shift
if [ ! -x "$build/tests/netlink/bench_taps" ]; then
  echo "taps.sh: $build/tests/netlink/bench_taps is not there; build the target bench_taps first" >&2
  exit 1
fi
exec "$build/tests/netlink/bench_taps" "$@"

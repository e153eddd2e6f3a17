#!/bin/sh
# One machine's firewall rules put in and taken out, with those of 10 and of 1,000 machines in place. Fails beyond 1.5 times the cost. Needs root.
# usage: tests/bench/rules.sh [ROUNDS]
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
exec "${NUTSHELL_BUILD_DIR:-$here/build/release}/tests/bench/bench_rules" "$@"

#!/usr/bin/env bash
# How long a TCP connection through the uplink is silent while its addresses move to a bridge and back: figures, without a limit
# other than the second that is promised.
# usage: adopt.sh [ROUNDS]
. "$(dirname "$0")/../app/lib.sh"
here=$source_dir/tests/app
. "$here/uplink.sh"
trap 'end_dead_men; drop_uplink; cleanup' EXIT
rounds=${1:-10}

make_uplink
until_true 30 ip_is_ready || fail "IPv6 is not ready"
n bridge ls 2>/dev/null

# silence COMMAND...: the longest silence in milliseconds that the peer sees while the command runs; `quiet` none.
silence() {
  rm -f "$scratch/ready"
  perl "$here/stream.pl" send 10.9.0.2 5004 >"$scratch/ready" 2>&1 &
  until_true 30 grep -qs ready "$scratch/ready"
  in_peer perl "$here/stream.pl" receive 10.9.0.2 5004 1 >"$scratch/stream" 2>&1 &
  local stream=$!
  sleep 0.4
  "$@" >/dev/null || fail "${*@Q}"
  wait "$stream" || fail "the connection is dead: $(cat "$scratch/stream")"
  awk "{print \$2}" "$scratch/stream"
}
summary() { sort -n | awk '{v[NR] = $1} END {printf "median %d, longest %d ms of %d\n", v[int((NR + 1) / 2)], v[NR], NR}'; }

for ((i = 0; i < rounds; i++)); do
  silence true >>"$scratch/idle" 2>&1
  silence n bridge adopt br9 --uplink em1 >>"$scratch/adopt"
  n bridge confirm br9
  silence n bridge release br9 >>"$scratch/release"
done
grep -h FAIL "$scratch"/{idle,adopt,release}
for what in idle adopt release; do
  say "$what: silence $(summary <"$scratch/$what")"
  check "$what: under a second each time" test "$(sort -n "$scratch/$what" | tail -1)" -lt 1000
done
finish

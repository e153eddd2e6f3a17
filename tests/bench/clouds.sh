#!/usr/bin/env bash
# What a cloud of a thousand machines costs: to plan it, and to take all its leases, which is one transaction. The second is
# timed as a person would lose it: `up` is killed the moment its first commit is in the log, and what it has by then is counted.
# The whole of `up --no-start` (which makes a folder and a few files for each machine), a second one that has nothing to do,
# and a plan of what is there are measured, too, and have limits that tell a change for the worse.
#
# usage: clouds.sh [RUNS]          NUTSHELL_BUILD_DIR is a release build
runs=${1:-3}
. "$(dirname "${BASH_SOURCE[0]}")/../app/lib.sh"
. "$here/cloud.sh"
machines=1000
library=$build_dir/tests/faults/nutshell_kill_at.so
public_pool 192.0.2.0-192.0.2.255
{
  printf 'name = "big"\n[public]\ncount = 64\n[private]\nprefix = 20\n[[network]]\nname = "lab"\nrange = "private"\n'
  printf '[[group]]\nname = "ssh"\nrules = ["tcp 22"]\n'
  # The displays of a host are 900 by default.
  idle_machine m "count = $machines" 'nics = ["network=lab"]' 'groups = ["ssh"]' 'vnc = "off"' 'tags = { role = "node" }'
} >"$clouds/big.toml"

# timed NAME COMMAND...: appends its time in seconds to a file; 137 is no failure, for it is asked for.
timed() {
  local name=$1 begin=${EPOCHREALTIME/[.,]/} code
  shift
  { "$@" >/dev/null; } 2>"$scratch/errors"
  code=$?
  [[ $code -eq 0 || $code -eq 137 ]] || fail "$name: exit $code: $(head -3 "$scratch/errors")"
  awk -v us=$((${EPOCHREALTIME/[.,]/} - begin)) 'BEGIN { printf "%.3f\n", us / 1e6 }' >>"$scratch/$name"
}
median() { sort -g "$scratch/$1" | awk '{ r[NR] = $1 } END { print r[int((NR + 1) / 2)] }'; }
# within NAME SECONDS: the median of what was timed.
within() {
  say "$1: $(sort -g "$scratch/$1" | xargs) s"
  checks=$((checks + 1))
  awk -v got="$(median "$1")" -v limit="$2" 'BEGIN { exit !(got > 0 && got <= limit) }' || fail "$1: $(median "$1") s at the median, and $2 s is the limit"
}
plan() { "$nutshell_bin" --quiet --root "$root" plan "$clouds/big.toml"; }
up() { "$nutshell_bin" --quiet --root "$root" up "$clouds/big.toml" --no-start; }
take_leases() { NUTSHELL_KILL_AT=$commit LD_PRELOAD=$library up; }

# Of one machine, to make the registry and to learn which commit has the leases: the first after which the cloud is there.
sed "s/count = $machines/count = 1/" "$clouds/big.toml" >"$clouds/one.toml"
n up "$clouds/one.toml" --no-start >/dev/null && n down big --purge >/dev/null || fail 'a cloud of one machine'
commit=
for at in 2 4 6 8; do
  { NUTSHELL_KILL_AT=$at LD_PRELOAD=$library n up "$clouds/one.toml" --no-start >/dev/null; } 2>/dev/null
  if n status big >/dev/null 2>&1; then commit=$at && break; fi
done
check 'there is a commit that has the cloud' test -n "$commit"
n down big --purge >/dev/null

for ((run = 0; run < runs; run++)); do
  timed plan plan
  timed leases take_leases
  if ((run == 0)); then
    count=$(sqlite3 "$root/state/registry.db" 'SELECT count(*) FROM machine')
    check 'all machines are there after the one transaction' equal "$count" "$machines"
  fi
  n gc >/dev/null
  [[ $(json ls | jq '.machines | length') -eq 0 ]] || fail 'gc leaves machines that were never made'
done
for ((run = 0; run < runs; run++)); do
  timed whole up
  timed again up
  timed plan_again plan
  if ((run + 1 < runs)); then rm -rf "$root/state" "$root/log"; fi
done
check 'every machine has an address of its own' equal "$(json lease ls --pool ipv4:big-lab | jq '[.leases[].value] | unique | length')" "$machines"
within plan 1.3
within leases 1.3
within whole 15
within again 1.3
within plan_again 1.3
finish

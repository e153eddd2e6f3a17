#!/usr/bin/env bash
# A `down --purge` is killed while its errands remove machines: nobody else is at work on that cloud before they have ended, so
# that the next `up` meets no machine that goes while it looks.
. "$(dirname "$0")/../app/lib.sh"
. "$here/cloud.sh"
file=$clouds/lab.toml
{ printf 'name = "lab"\n'; idle_machine m 'count = 12' 'nics = ["user"]'; } >"$file"
errands_of() { pgrep -P "$1"; }
# The first errand that can be stopped before it has ended.
stopped=
stop_errand() { # PID
  local end=$((SECONDS + 60)) errand
  while ((SECONDS < end)) && kill -0 "$1" 2>/dev/null; do
    for errand in $(errands_of "$1"); do
      kill -STOP "$errand" 2>/dev/null && until_true 5 grep -qs '^State:.[TZ]' "/proc/$errand/status"
      if grep -qs '^State:.T' "/proc/$errand/status" && grep -qsz -- '^rm$' "/proc/$errand/cmdline"; then
        stopped=$errand
        return
      fi
      kill -CONT "$errand" 2>/dev/null
    done
  done
  return 1
}
waits() { grep -q 'another command is at work on the cloud lab' "$scratch/up.err"; }

n up "$file" --no-start >/dev/null || fail 'a cloud in peace'
"$nutshell_bin" --quiet --root "$root" down lab --purge >/dev/null 2>&1 &
down=$!
check 'an errand of down is stopped in the middle' stop_errand "$down"
kill -9 "$down" 2>/dev/null
wait "$down" 2>/dev/null
nutshell up "$file" --no-start >"$scratch/up.out" 2>"$scratch/up.err" &
up=$!
check 'the next up waits for it' until_true 20 waits
[[ -z $stopped ]] || kill -CONT "$stopped"
wait "$up"
check 'and goes on when it has ended' equal "$? $(grep '^nutshell: the cloud' "$scratch/up.err")" '0 '
check 'all machines are there' equal "$(json status lab | jq -c '[.machines[].state] | [length, unique[]]')" '[12,"defined"]'
n down lab --purge >/dev/null
check 'nothing has the lock in the end' equal "$(n up "$file" --no-start 2>&1 >/dev/null; n down lab --purge 2>&1 >/dev/null)" ''

say '-- errands that wait for guests'
n up "$file" >/dev/null || fail 'twelve machines that do not hear the power button'
for delay in 0.005 0.01 0.015 0.02 0.04; do interrupt_after "$delay" down lab --force --timeout 4 >/dev/null 2>&1; done
check 'Ctrl-C at once stops nobody' equal "$(json status lab | jq -c '[.machines[].state] | [length, unique[]]')" '[12,"running"]'
began=$SECONDS
check 'down' n down lab --force --timeout 4 --purge >/dev/null
check 'waits for all of them at once' test $((SECONDS - began)) -lt 11
finish

#!/usr/bin/env bash
# A `down` is killed while its errands stop or remove machines: nobody else is at work on that cloud before they have ended, so
# that the next `up` meets no machine that goes while it looks.
. "$(dirname "$0")/../app/lib.sh"
. "$here/cloud.sh"
file=$clouds/lab.toml
{ printf 'name = "lab"\n'; idle_machine m 'count = 12' 'nics = ["user"]'; } >"$file"
# The first errand of a command that has WORD in its line; WORD has a space on each side.
errand_of() { pgrep -P "$1" -f " $2 " | head -n 1; } # PID WORD
has_errand() { [[ -n $(errand_of "$@") ]]; }
stands() { grep -qs '^State:.T' "/proc/$1/status"; }
waits() { grep -q 'another command is at work on the cloud lab' "$scratch/up.err"; }
states() { json status lab | jq -c '[.machines[].state] | [length, unique[]]'; }

say '-- down is killed while its guests do not hear the power button'
n up "$file" >/dev/null || fail 'twelve machines that do not hear the power button'
"$nutshell_bin" --quiet --root "$root" down lab --timeout 600 >/dev/null 2>&1 &
down=$!
check 'down has errands' until_true 60 has_errand "$down" stop
errand=$(errand_of "$down" stop)
kill -STOP "$errand"
check 'one of them is stopped in the middle' until_true 30 stands "$errand"
kill -9 "$down" 2>/dev/null
wait "$down" 2>/dev/null
nutshell up "$file" >"$scratch/up.out" 2>"$scratch/up.err" &
up=$!
check 'the next up waits for it' until_true 60 waits
check 'as long as it is there' bash -c "sleep 1; kill -0 $up"
kill -CONT "$errand"
wait "$up"
check 'and goes on when it has ended' equal "$? $(grep '^nutshell: the cloud' "$scratch/up.err")" '0 '
check 'all machines are there' equal "$(states)" '[12,"running"]'

say '-- errands that wait for guests'
for delay in 0.005 0.01 0.015 0.02 0.04; do interrupt_after "$delay" down lab --force --timeout 4 >/dev/null 2>&1; done
check 'Ctrl-C at once stops nobody' equal "$(states)" '[12,"running"]'
began=$SECONDS
check 'down' n down lab --force --timeout 8 --purge
check 'waits for all of them at once' test $((SECONDS - began)) -lt 22

say '-- down --purge is killed while it removes machines'
for ((round = 1; round <= 5; round++)); do
  n up "$file" --no-start >/dev/null || fail "round $round: a cloud in peace"
  "$nutshell_bin" --quiet --root "$root" down lab --purge >/dev/null 2>&1 &
  down=$!
  while kill -0 "$down" 2>/dev/null && ! has_errand "$down" rm; do :; done
  kill -9 "$down" 2>/dev/null
  wait "$down" 2>/dev/null
  n up "$file" --no-start >/dev/null 2>"$scratch/err" || fail "round $round: the next up: $(<"$scratch/err")"
  equal "$(states)" '[12,"defined"]' || fail "round $round: not all machines are there"
done
n down lab --purge >/dev/null
check 'nothing has the lock in the end' equal "$(n up "$file" --no-start 2>&1 >/dev/null; n down lab --purge 2>&1 >/dev/null)" ''
finish

#!/usr/bin/env bash
# Adoption cut short: the command killed at each netlink message that changes something, its dead-man killed too, the command
# that comes next killed as well. Afterwards addresses, routes of every table, rules and neighbours are as they were before.
# Of each message either the moment before it is sent or the one after it, in turns; with NUTSHELL_MOMENTS=all both.
# NUTSHELL_BOTH is how many runs there are with the dead-man killed too, each at another moment of his.
. "$(dirname "$0")/../app/lib.sh"
. "$here/uplink.sh"
library=${NUTSHELL_KILL_NETLINK:-$build_dir/tests/faults/nutshell_kill_netlink.so}
ln "$nutshell_bin" "$scratch/nutshell" 2>/dev/null || cp "$nutshell_bin" "$scratch/nutshell"
nutshell_bin=$scratch/nutshell  # the one that is there now: somebody may be building the next
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0
trap 'end_dead_men; drop_uplink; cleanup' EXIT

make_rich_uplink
check "IPv6 is ready" until_true 30 ip_is_ready
in_peer ping -q -c 2 -i 0.2 10.9.0.2 >/dev/null
ping -6 -q -c 2 -i 0.2 2001:db8:9::1 >/dev/null
sleep 1
before=$scratch/before
view >"$before"
known=$(learnt)
check "neighbours were learnt" test "$(wc -l <<<"$known")" -ge 2

is_as_before() { # WHAT
  checks=$((checks + 1))
  if ! as_before "$before"; then fail "$1: not as before"; return 1; fi
  none_forgotten "$known" || fail "$1: neighbours were forgotten"
  if ip link show br9 >/dev/null 2>&1; then fail "$1: the bridge is still there"; return 1; fi
}
adopt=(bridge adopt br9 --uplink em1 --timeout 30 --force)
release() { n bridge release br9 2>/dev/null; }
# killed VARIABLE=VALUE...: the adoption with these orders; true when the command was killed.
killed() { { env "$@" LD_PRELOAD="$library" "$nutshell_bin" --quiet --root "$root" "${adopt[@]}" >/dev/null; } 2>/dev/null; [[ $? -eq 137 ]]; }

check "an adoption in peace" env NUTSHELL_KILL_COUNT="$scratch/moments" LD_PRELOAD="$library" "$nutshell_bin" --quiet --root "$root" "${adopt[@]}"
moments=$(cat "$scratch/moments")
check "and its release" release
is_as_before "in peace"
say "$moments moments"
check "50 messages, each with a moment before and after it" test "$moments" -ge 100

runs=0
for ((at = 1; at <= moments; at++)); do
  [[ ${NUTSHELL_MOMENTS:-} == all || $((at % 4)) -le 1 ]] || continue # of 1 2, 3 4, 5 6: 1, 4, 5
  runs=$((runs + 1))
  killed NUTSHELL_KILL_AT=$at || { fail "not killed at moment $at"; n bridge release br9; continue; }
  until_true 40 is_restored br9 || fail "moment $at: the dead-man did not put it back ($(note_state br9))"
  until_true 20 no_dead_man || fail "moment $at: the dead-man stays"
  is_as_before "killed at moment $at of $moments"
done
check "50 runs, each at another message" test "$runs" -ge 50
say "$runs runs with the command killed: $failures failures"

# The dead-man dies at its own K-th moment; the next command, whatever it is, puts everything back.
both=0 nothing=0
for ((k = 1; both < ${NUTSHELL_BOTH:-30} && k <= moments; k++)); do
  at=$((moments - k % 7))
  killed NUTSHELL_KILL_AT=$at NUTSHELL_KILL_DEADMAN=$k || { fail "not killed at moment $at"; n bridge release br9; continue; }
  until_true 40 no_dead_man || fail "moment $at, dead-man $k: it stays"
  if is_restored br9; then nothing=$((nothing + 1)); continue; fi
  both=$((both + 1))
  # The command that comes next may be killed as well.
  if ((k % 3 == 0)); then { NUTSHELL_KILL_AT=$k LD_PRELOAD=$library n version >/dev/null; } 2>/dev/null; fi
  n version >/dev/null || fail "the next command fails"
  is_restored br9 || fail "moment $at, dead-man $k: the next command left $(note_state br9)"
  is_as_before "killed at moment $at, its dead-man at $k"
done
say "$both runs with both killed ($nothing in which the dead-man was done before), $failures failures"
[[ $both -ge 20 ]] || fail "fewer than 20 runs with both killed"

# Release: killed in the middle it is brought to its end, by its dead-man or by the next command.
for at in 3 12 25 40 55; do
  n "${adopt[@]}" 2>/dev/null || fail "adopt"
  n bridge confirm br9 || fail "confirm"
  { NUTSHELL_KILL_AT=$at NUTSHELL_KILL_DEADMAN=$((at % 2 * 9)) LD_PRELOAD=$library n bridge release br9; } 2>/dev/null
  [[ $? -eq 137 ]] || fail "release was not killed at $at"
  until_true 40 no_dead_man || fail "release, moment $at: its dead-man stays"
  n version >/dev/null
  is_as_before "release killed at moment $at"
done
finish

#!/usr/bin/env bash
# Groups and reservations are written into a file beside the registry, within the transaction that changes them: killed at
# each write of it, or where the disk is full, such a command leaves a registry and a file that the next command brings
# together, and no half file; and what was not committed can be asked for again.
. "$(dirname "$0")/../app/lib.sh"

# killed_at CALL I COMMAND...: whether it was killed before the I-th CALL.
killed_at() {
  if [[ $1 == never ]]; then n "${@:3}" >"$scratch/out" 2>&1; return 1; fi
  # shellcheck disable=SC2016  # the inner shell's own words; it also hears that strace was killed
  bash -c '"$@"; exit $?' - strace -qq -o "$scratch/trace" -e trace="$1" -e inject="$1:signal=KILL:when=$2" \
    "$nutshell_bin" --quiet --root "$root" "${@:3}" >"$scratch/out" 2>&1
  [[ $? -eq 137 ]]
}
half_files() { find "$root" -name '.nutshell-*' | wc -l; }
groups() { json group ls | jq -r '.groups[].name' | sort | xargs; }
reserved() { json lease ls | jq -r '.leases[] | select(.note != null) | .value' | sort | xargs; }
kept() { jq -r "$2" "$root/state/$1" 2>/dev/null | sort | xargs; }

check "a group that stays" n group create stays
check "a reservation that stays" n lease reserve vnc :7
both() {
  check "$1: the registry has the group that stays" matches " $(groups) " ' stays '
  check "$1: no half file is left" equal "$(n gc >/dev/null; half_files)" 0
}

# trial WHAT NEXT: WHAT is killed before each call that writes to a disk; then NEXT changes something of the same kind.
trial() {
  local i call killed=0 half=0
  for call in fsync rename pwrite64 fdatasync; do
    for ((i = 1; i <= 60; ++i)); do
      "$1" "$call" "$i" || break
      killed=$((killed + 1))
      half=$((half + $(half_files)))
      both "$1, $call $i"
      "$1" never "$i" "$call" && fail "$1, $call $i: killed though nobody did"
      check "$1, $call $i: done anew" sane "$scratch/out"
      "$2" >/dev/null 2>&1
      check "$1, $call $i: the next command brings both together" equal "$(kept firewall.json '.groups[].name')|$(kept reserved.json '.reservations[].value')" "$(groups)|$(reserved)"
    done
    check "$1: at last it is not killed" test "$i" -le 60
  done
  check "$1 was killed at many moments" test "$killed" -gt 8
  check "$1 left half files" test "$half" -eq 4 # before fsync and rename, both before and after the commit
}
# sane FILE: nothing in it of what a registry has lost, or of errors that nobody would understand.
sane() { ! grep -E 'lost|recover|internal' "$1"; }
# Each is given a call and its number, at which it is killed; or "never", a number and a call: the same once more.
make_group() { killed_at "$1" "$2" group create "${3:-$1}$2"; }
drop_group() { [[ $1 == never ]] || n group create goes >/dev/null 2>&1; killed_at "$1" "$2" group rm goes; }
reserve() { [[ $1 == never ]] || drawn=$((drawn + 1)); killed_at "$1" "$2" lease reserve vnc ":$((10 + drawn))"; }
again_group() { n group create "again$((drawn++))"; }
again_reserve() { drawn=$((drawn + 1)); n lease reserve vnc ":$((10 + drawn))"; }
drawn=0
trial make_group again_group
trial drop_group again_group
trial reserve again_reserve

# A list that a lost registry's recovery reads has what the last command said.
say '-- a full disk'
for command in 'group create full' 'lease reserve vnc :95'; do
  # shellcheck disable=SC2086  # words
  strace -qq -o "$scratch/trace" -e trace=pwrite64 -e inject=pwrite64:error=ENOSPC:when=9+ "$nutshell_bin" --quiet --root "$root" $command >"$scratch/out" 2>&1
  check "$command: does not fit" grep -q 'disk is full' "$scratch/out"
  # shellcheck disable=SC2086  # words
  check "$command: but fits once there is room" n $command
done

check "nothing is taken for lost" equal "$(kept firewall.json .lost)|$(kept reserved.json .lost)" 'null|null'
before="$(groups)|$(reserved)"
rm "$root"/state/registry.db*
check "recover after all that" eval "n recover >$scratch/found"
check "everything is found again" equal "$(groups)|$(reserved)" "$before"

# Files of commands that write now stay; those of commands that are gone do not, wherever we write.
mkdir -p "$root/etc/systemd/system" "$root/state/clouds/shop" "$root/state/adoptions"
for folder in state state/clouds/shop state/adoptions etc etc/systemd/system; do touch "$root/$folder/.nutshell-0123456789abcdef"; done
touch "$root/state/.nutshell-mine"
check "gc --dry-run takes nothing" equal "$(n gc --dry-run >/dev/null; half_files)" 6
n gc >/dev/null
check "gc takes what nobody writes any more, and nothing else" equal "$(find "$root" -name '.nutshell-*')" "$root/state/.nutshell-mine"
finish

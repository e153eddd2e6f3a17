#!/usr/bin/env bash
# Groups and reservations are written into a file beside the registry, within the transaction that changes them: killed at
# each write of it, such a command leaves a registry and a file that the next command brings together, and no half file. What
# the file had more is no one's then, but not gone: `recover` finds it.
. "$(dirname "$0")/../app/lib.sh"

# killed_at CALL I COMMAND...: whether it was killed before the I-th CALL.
killed_at() {
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
      "$2" >/dev/null 2>&1
      check "$1, $call $i: the next command brings both together" equal "$(kept firewall.json '.groups[].name')|$(kept reserved.json '.reservations[].value')" "$(groups)|$(reserved)"
    done
    check "$1: at last it is not killed" test "$i" -le 60
  done
  check "$1 was killed at many moments" test "$killed" -gt 8
  check "$1 left half files" test "$half" -eq 2 # before fsync, and before rename
}
make_group() { killed_at "$@" group create "$1$2"; }
drop_group() { n group create goes >/dev/null 2>&1; killed_at "$@" group rm goes; }
reserve() { killed_at "$@" lease reserve vnc ":$((10 + drawn++))"; }
again_group() { n group create "again$((drawn++))"; }
again_reserve() { n lease reserve vnc ":$((10 + drawn++))"; }
drawn=0
trial make_group again_group
trial drop_group again_group
trial reserve again_reserve

# A list that a lost registry's recovery reads has what the last command said.
check "what was only in the files is kept there" test "$(jq '.lost.groups | length' "$root/state/firewall.json")" -gt 0
check "and recover finds it" eval "n recover >$scratch/found"
check "nothing is lost any more" equal "$(kept firewall.json .lost)|$(kept reserved.json .lost)" 'null|null'
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

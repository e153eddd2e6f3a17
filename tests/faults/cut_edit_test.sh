#!/usr/bin/env bash
# An `up` is killed while it changes machines, and the file is put back, or edited otherwise, before the next one: what the
# first had done is known, so that in the end each machine is what its file says.
. "$(dirname "$0")/../app/lib.sh"
. "$here/cloud.sh"
library=$build_dir/tests/faults/nutshell_kill_at.so
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0
file=$clouds/lab.toml
write() { # MEMORY DISKS
  printf 'name = "lab"\n' >"$file"
  printf '[[machine]]\nname = "m"\ncount = 4\nmemory = "%s"\naccel = "tcg"\nnested = "off"\nnics = ["user"]\ndisks = [%s]\n' "$1" "$2" >>"$file"
}
memories() { json ls | jq -r '[.machines[].memory / 1048576] | unique | join(" ")'; }
sizes() { for each in 1 2 3 4; do json show lab/m$each | jq -c '[.disks[].size / 1048576]'; done | sort -u | xargs; }
cut() { { NUTSHELL_KILL_AT=$1 LD_PRELOAD=$library "$nutshell_bin" --quiet --root "$root" up "$file" --no-start >/dev/null 2>&1; } 2>/dev/null; }
between=0 killed=0
write 64M '"1M"'
n up "$file" --no-start >/dev/null || fail 'a cloud in peace'
for ((at = 1; at <= 30; at++)); do
  write 80M '"1M"'
  cut "$at" || killed=$((killed + 1))
  [[ $(memories) == '64 80' ]] && between=$((between + 1))
  write 64M '"1M"'
  n plan "$file" --no-start >/dev/null 2>&1 || fail "at $at: plan of the file that is put back"
  n up "$file" --no-start >/dev/null || fail "at $at: up of the file that is put back"
  [[ $(memories) == 64 ]] || fail "at $at: memory of $(memories) MiB"
  [[ $(n plan "$file" --no-start) == *'nothing is to be done' ]] || fail "at $at: more is to be done"
done
check 'some were killed' test "$killed" -ge 5
check 'some of them in the middle' test "$between" -ge 3
check 'all of them came back' equal "$(memories)" 64

refused=0
for ((at = 1; at <= 30; at += 3)); do
  write 64M '"1M", "9M"'
  cut "$at"
  write 64M '"1M", "5M"'
  if ! n up "$file" --no-start >/dev/null 2>"$scratch/err"; then
    refused=$((refused + 1))
    grep -q 'no disk shrinks' "$scratch/err" || fail "at $at: $(<"$scratch/err")"
    write 64M '"1M", "9M"'
    n up "$file" --no-start >/dev/null || fail "at $at: up of the file whose disk is there"
    equal "$(sizes)" '[1,9]' || fail "at $at: disks"
  else
    equal "$(sizes)" '[1,5]' || fail "at $at: disks that up says to have made"
  fi
  n down lab --purge >/dev/null
  write 64M '"1M"'
  n up "$file" --no-start >/dev/null
done
check 'a disk that was made in between does not become another' test "$refused" -ge 1
write 80M '"1M"'
interrupt_after 0.1 up "$file" --no-start >/dev/null 2>&1
write 64M '"1M"'
check 'after an interrupt, too' n up "$file" --no-start
check 'it is what its file says' equal "$(memories)" 64
n down lab --purge >/dev/null
finish

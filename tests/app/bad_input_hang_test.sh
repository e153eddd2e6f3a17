#!/usr/bin/env bash
# Programs that we start and that hang or flood: qemu-img, dnsmasq, QEMU itself. The command ends in time, says which it was,
# and all is undone. What hangs is waited for at the same time, each in a root directory of its own.
. "$(dirname "$0")/refusals.sh"

machine=(--memory 64M --accel tcg --nested off)
real=$(command -v qemu-system-x86_64)
asked='case "$*" in *--version*|*help*) exec '$real' "$@";; esac'
fake() {  # fake FOLDER PROGRAM SCRIPT
  mkdir -p "$scratch/$1"
  printf '#!/bin/bash\n%s\n' "$3" >"$scratch/$1/$2"
  chmod 755 "$scratch/$1" "$scratch/$1/$2"
}
flood='head -c 100M /dev/zero | tr "\\0" x'

say "-- floods of 100 MB"
plain_path=$PATH
fake flood1 qemu-img "$flood"
fake flood2 qemu-img "$flood >&2"
fake flood3 qemu-system-x86_64 "$flood"
fake flood4 dnsmasq "$flood >&2; exit 1"
start=$SECONDS
PATH=$scratch/flood1:$plain_path
bad 1 'qemu-img create .*printed more than 1M, and was killed' launch x "${machine[@]}" --nic user --disk 1M,format=qcow2
PATH=$scratch/flood2:$plain_path
bad 1 'qemu-img create .*printed more than 1M, and was killed' create x --nic user --disk 1M,format=qcow2
PATH=$scratch/flood3:$plain_path
bad 1 'qemu-system-x86_64 --version.*printed more than 1M, and was killed' launch x "${machine[@]}" --nic user
PATH=$scratch/flood4:$plain_path
bad 1 'dnsmasq' launch x "${machine[@]}"
PATH=$plain_path
check "all of it in less than a minute" test $((SECONDS - start)) -lt 60

say "-- programs that fail"
fake fails qemu-img 'echo "no space" >&2; exit 1'
fake fails dnsmasq 'echo "dnsmasq: cannot bind" >&2; exit 2'
PATH=$scratch/fails:$plain_path
bad 1 'qemu-img create .*exited with 1.*no space' launch x "${machine[@]}" --nic user --disk 1M,format=qcow2
bad 1 'dnsmasq.*cannot bind' launch x "${machine[@]}"
PATH=$plain_path

say "-- programs that hang"
fake hang1 qemu-img 'exec sleep 1000'
fake hang2 qemu-img 'trap "" TERM; sleep 1000 & sleep 1000'
fake hang3 qemu-system-x86_64 'exec sleep 1000'
fake hang4 qemu-system-x86_64 "$asked; exec sleep 1000"
fake hang5 dnsmasq 'exec sleep 1000'
hang() {  # hang NAME ARGS...: a command with the fakes of that name, and its answer in a file
  local name=$1
  shift
  PATH=$scratch/$name:$plain_path root=$scratch/root-$name
  n "$@" >"$scratch/$name.out" 2>&1
  echo "exit $?" >>"$scratch/$name.out"
  traces | grep -v '^link' >"$scratch/$name.traces"
}
start=$SECONDS
hang hang1 launch x "${machine[@]}" --nic user --disk 1M,format=qcow2 &
hang hang2 launch x "${machine[@]}" --nic user --disk 1M,format=qcow2 &
hang hang3 launch x "${machine[@]}" --nic user &
hang hang4 launch x "${machine[@]}" --nic user --disk 1M &
hang hang5 launch x "${machine[@]}" &
wait
took=$((SECONDS - start))
check "they ended within 90 seconds ($took)" test "$took" -lt 90
ended() {
  local said
  said=$(cat "$scratch/$1.out")
  check "$1: exit 1" equal "${said##*$'\n'}" 'exit 1'
  check "$1: one sentence: ${said%$'\n'*}" one_sentence "${said%$'\n'*}"
  check "$1: it names the program" matches "$said" "$2"
  check "$1: no trace" equal "$(cat "$scratch/$1.traces")" ''
}
ended hang1 'qemu-img create .*did not end within 30 s, and was killed'
ended hang2 'qemu-img create .*did not end within 30 s, and was killed'
ended hang3 'qemu-system-x86_64 --version.*did not end within 20 s, and was killed'
ended hang4 'x: QEMU did not answer on .* within 30 s .*, and was killed'
ended hang5 'dnsmasq for bridge nutshell0 did not start within 10 s, and was killed: it said nothing'
no_sleepers() { ! grep -lsz '^1000$' /proc/[0-9]*/cmdline | while read -r f; do [[ $(readlink "/proc/${f:6:-8}/ns/net") == "$(readlink /proc/self/ns/net)" ]] && echo "$f"; done | grep .; }
check "none of the programs that hung is left" no_sleepers
check "no link is left" equal "$(ip -br link | wc -l)" 1
finish

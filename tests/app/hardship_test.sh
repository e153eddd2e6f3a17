#!/usr/bin/env bash
# What users do in a hurry: interrupt before anything was begun, build on another machine's disk, lose the registry under running
# machines, freeze a QEMU, give a pipe for a file.
. "$(dirname "$0")/lib.sh"

bare() { local name=$1; shift; n launch "$name" --memory 64M --nested off --accel tcg --vnc off "$@" >/dev/null; }
defined() { local name=$1; shift; n create "$name" --memory 64M --nested off --accel tcg --vnc off "$@" >/dev/null; }

# Interrupted at any instant of the first 160 ms (options, looks, locks, the very first steps): nothing is left, or it runs.
n ls 2>/dev/null
bare warm --nic none && n rm warm --force
before=$(traces)
interrupted=0
for i in $(seq 1 40); do
  interrupt_after "0.$(printf '%03d' $((i * 4)))" launch hasty --memory 64M --nested off --accel tcg --vnc off --nic none --disk 1M >/dev/null 2>&1
  code=$?
  if [[ $code -eq 130 ]]; then
    interrupted=$((interrupted + 1))
    [[ $(traces) == "$before" ]] || fail "launch interrupted after $((i * 4)) ms left: $(traces)"
  fi
  n rm hasty --force 2>/dev/null
done
check "some of 40 launches were interrupted ($interrupted)" test "$interrupted" -gt 3
defined m --nic none
spec=$(n show m --json | jq -cS 'del(.state_words)')
for i in $(seq 1 15); do interrupt_after "0.00$(printf '%02d' "$i")" set m --disk 1M >/dev/null 2>&1 && n set m --drop-disk 0; done
check "set interrupted at 15 instants left the spec as it was" equal "$(n show m --json | jq -cS 'del(.state_words)')" "$spec"
check "and it starts" n start m
n rm m --force

# Another machine's volume is no disk to build on, and nobody's disk goes while somebody uses it.
defined owner --nic none --disk 8M
disk=$(json show owner | jq -r '.disks[0].path')
refuse 4 'volume of the machine owner' defined thief --nic none --disk "path=$disk"
refuse 4 'volume of the machine owner' defined thief --nic none --disk "16M,backing=$disk,backing_format=raw"
n rm owner --keep-volumes
check "a kept volume is there" test -f "$disk"
check "recover does not bring a removed machine back" matches "$(n recover)" 'knows every machine'
defined user --nic none --disk "path=$disk"
n gc --volumes >/dev/null 2>&1
check "gc --volumes leaves a disk that a defined machine names" test -f "$disk"
n start user >/dev/null
n gc --volumes >/dev/null 2>&1
check "gc --volumes leaves a disk that a machine uses" test -f "$disk"
n rm user --force
check "rm leaves a disk named by path" test -f "$disk"
n gc --volumes >/dev/null
check "gc --volumes takes it when nobody uses it" test ! -e "$disk"

# A lost registry: gc takes nothing of a machine that runs, and recover finds it.
bare lost --nic network=nutshell0
rm -f "$root"/state/registry.db*
n gc >/dev/null 2>&1
check "gc says that a machine runs unknown" matches "$(n gc 2>&1)" 'recover'
check "its run folder is still there" test -S "$root/run/$(ls "$root/run" | grep -E '^[0-9a-f]{8}$')/qmp"
check "recover" n recover
check "it runs" equal "$(state_of lost)" running
check "rm takes all of it" n rm lost --force
check "nothing is left" equal "$(ip -br link | wc -l)" 1

# A named MAC is looked for at each start, too. (Other tests run beside this one, and QEMUs are seen through namespaces.)
mac=$(printf '52:54:%02x:%02x:%02x:%02x' $((RANDOM % 256)) $((RANDOM % 256)) $((RANDOM % 256)) $((RANDOM % 256)))
ip link add br0 type bridge
ip link set br0 up
defined one --nic bridge=br0,mac=$mac
"$nutshell_bin" --quiet --root "$scratch/other" create two --memory 64M --nested off --accel tcg --vnc off --nic bridge=br0,mac=$mac >/dev/null
check "the first of two registries starts it" n start one
refuse 4 "MAC $mac is held by" "$nutshell_bin" --quiet --root "$scratch/other" start two
n rm one --force

# A QEMU that stands still.
no_process() { [[ -z $(our_processes) ]]; }
bare frozen --nic none
pid=$(pid_of frozen)
kill -STOP "$pid"
began=$SECONDS
interrupt_after 2 stop frozen --timeout 60 2>"$scratch/stderr"
check "Ctrl-C is heard while it stands still" test "$? $((SECONDS - began < 15))" = "130 1"
check "and says what may come" matches "$(cat "$scratch/stderr")" 'interrupted; frozen may still power off'
check "stop --force ends it" timeout 100 "$nutshell_bin" --quiet --root "$root" stop frozen --force --timeout 1
check "it is stopped" equal "$(state_of frozen)" stopped
check "its process is gone" until_true 30 no_process
n rm frozen

# A pipe where a file is meant.
mkfifo "$scratch/pipe"
refuse 3 'no plain file' timeout 10 "$nutshell_bin" --root "$root" launch x --vnc auto --nic none --vnc-password-file "$scratch/pipe"
refuse 3 'no plain file' timeout 10 "$nutshell_bin" --root "$root" --config "$scratch/pipe" ls
finish

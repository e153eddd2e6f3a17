#!/usr/bin/env bash
# A QEMU that is missing, too old, no QEMU, or dies at start, and one that is killed while its machine runs. What it said is
# shown, and what the run had is given back.
. "$(dirname "$0")/refusals.sh"

machine=(--memory 64M --accel tcg --nested off --nic user)
real=$(command -v qemu-system-x86_64)
fake() { printf '#!/bin/bash\n%s\n' "$2" >"$scratch/$1"; chmod 755 "$scratch/$1"; }
asked='case "$*" in *--version*|*help*) exec '$real' "$@";; esac'

say "-- missing, no QEMU, too old"
bad 1 'the QEMU that was asked for, /nope/qemu, is not there or may not be run' launch x "${machine[@]}" --qemu /nope/qemu
bad 1 'not there or may not be run' launch x "${machine[@]}" --qemu /etc/passwd
bad 1 'not there or may not be run' launch x "${machine[@]}" --qemu "$scratch"
fake old 'echo "QEMU emulator version 4.2.1"'
bad 1 'QEMU 4.2.1 at .*/old is too old: nutshell needs [0-9.]+ or later' launch x "${machine[@]}" --qemu "$scratch/old"
bad 1 'QEMU 4.2.1 at .*/old is too old' create x "${machine[@]}" --qemu "$scratch/old"
fake odd 'echo hello'
bad 1 'does not say a version as QEMU does' launch x "${machine[@]}" --qemu "$scratch/odd"
fake failing 'echo "no libfoo.so.1" >&2; exit 127'
bad 1 'failing.*127.*no libfoo.so.1' launch x "${machine[@]}" --qemu "$scratch/failing"
ln -s "$(command -v qemu-system-x86_64)" "$scratch/mine"
printf 'qemu = "%s"\n' "$scratch/nothing" >"$scratch/nutshell.toml"
bad 1 'nothing, is not there' --config "$scratch/nutshell.toml" launch x "${machine[@]}"
# A PATH without any: what is not in PATH is looked for where Debian has it, so these folders are covered.
mkdir "$scratch/empty"
without() { unshare --mount -- bash -c 'for f in "$(readlink -f '"$real"')"; do mount --bind /dev/null "$f"; done; exec "$@"' - "$nutshell_bin" --root "$root" --quiet "$@"; }
err=$(without launch x "${machine[@]}" 2>&1 >/dev/null)
check "no QEMU at all: exit 1" equal $? 1
check "the package is named" matches "$err" 'qemu-system-x86_64 is not installed; install it with: apt install qemu-system-x86'
check "no trace" equal "$(traces)" "$before"

say "-- dies at start"
bad 1 "x: QEMU exited with status 1 before the machine ran.*'nosuchdevice' is not a valid device model name" launch x "${machine[@]}" -- -device nosuchdevice
bad 1 'before the machine ran.*invalid option' launch x "${machine[@]}" -- -nosuchoption
bad 1 'unable to find CPU model.*nosuchcpu|most likely.*CPU model' launch x "${machine[@]}" --cpu nosuchcpu
bad 1 'most likely: this QEMU does not know that machine type' launch x "${machine[@]}" --machine pc-i440fx-99.0
fake silent "$asked; exit 3"
bad 1 'exited with status 3 before the machine ran: it said nothing' launch x "${machine[@]}" --qemu "$scratch/silent"
fake killed "$asked; kill -SEGV \$\$"
bad 1 'was killed by signal 11 \(Segmentation fault\)' launch x "${machine[@]}" --qemu "$scratch/killed"
fake rude "$asked; printf 'bad \\e[31mthing\\nmore\\n' >&2; exit 1"
bad 1 'ran: bad .x1b\[31mthing \| more' launch x "${machine[@]}" --disk 1M --qemu "$scratch/rude"
fake flooding "$asked; head -c 100M /dev/zero | tr '\\\\0' x >&2; echo; echo 'and that was all' >&2; exit 1"
start=$SECONDS
bad 1 'and that was all' launch x "${machine[@]}" --qemu "$scratch/flooding"
check "in time" test $((SECONDS - start)) -lt 30
check "a machine that is there" quiet n create y "${machine[@]}" -- -device nosuchdevice
before=$(traces)
bad 1 'y: QEMU exited with status 1 before the machine ran' start y
check "it is as it was" equal "$(state_of y)" defined
check "rm" n rm y

say "-- killed while it runs"
check "a machine" quiet n launch x "${machine[@]}"
pid=$(pid_of x)
check "its display is leased" equal "$(n lease ls --json | jq -r '[.leases[] | select(.pool == "vnc")] | length')" 1
kill -9 "$pid"
crashed() { [[ $(state_of x) == crashed ]]; }
check "show says crashed" until_true 30 crashed
check "and how" matches "$(json show x | jq -r .last_end)" '^crashed'
check "ls says crashed" matches "$(n ls | grep '^x ')" crashed
check "its display is given back" equal "$(n lease ls --json | jq -r '[.leases[] | select(.pool == "vnc")] | length')" 0
check "nothing of the run is left" equal "$(find "$root/run" -mindepth 1 | wc -l)" 0
check "stop of what is down" matches "$(nutshell stop x 2>&1; echo "exit $?")" 'exit [04]'
check "it starts again" quiet n start x
check "and has left no old end" equal "$(state_of x)" running
kill -9 "$(pid_of x)"
check "it is seen again" until_true 30 crashed
check "rm needs no --force" n rm x
finish

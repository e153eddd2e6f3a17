#!/usr/bin/env bash
# Sizes of disks and of memory: what is no size, what can never be (refused), and what is merely bold (a warning).
. "$(dirname "$0")/refusals.sh"

plain_root=$root
user_mode=(--memory 256M --accel tcg --nested off --nic user)

say "-- disks"
before=$(traces)
for size in 0 0G; do bad 3 'a size of 0 is no size' launch x --disk "$size"; done
for size in -1 -1G; do bad 3 'negative' launch x --disk "$size"; done
for size in 99999999999999999999 18446744073709551615 9000000000G 8388608T; do bad 3 'too large' launch x --disk "$size"; done
for size in 1Q 16E 1e3 ' 1G' 0x10G G; do bad 3 'is no size' launch x --disk "$size"; done
bad 3 'not a whole number; write 1536M' launch x --disk 1.5G
bad 3 'can ever hold' launch x "${user_mode[@]}" --disk 8000000T
bad 3 'can ever hold' launch x "${user_mode[@]}" --disk 8000000T,format=qcow2
mkdir "$scratch/small"
mount -t tmpfs -o size=64M none "$scratch/small"
root=$scratch/small/n
before=$(traces)
bad 3 '128M is more than the file system of .* can ever hold \(64M\)' launch x "${user_mode[@]}" --disk 128M
bad 3 'can ever hold' create x --disk 1M --disk 128M
head -c 40M /dev/zero >"$scratch/small/full"
warns 'a disk of 48M is more than is free now .*; the guest' create bold --nic user --disk 48M
check "it is there" test -f "$root"/state/machines/*/disk0.img
check "rm" n rm bold
umount -l "$scratch/small"
root=$plain_root

say "-- memory"
total=$(awk '/^MemTotal/{print int($2 / 1024)}' /proc/meminfo)
before=$(traces)
bad 3 'more than this host has' launch x --nic user --memory "$((total + 1))M"
bad 3 'more than this host has' launch x --nic user --memory 1000T
bad 3 'too large' launch x --memory 99999999999999999999
bad 3 'a size of 0 is no size' launch x --memory 0
bad 3 'negative' launch x --memory -1G
bad 3 'too little' launch x --memory 64
bad 3 'whole number of M' launch x --memory 1500K
warns 'of memory is more than is free now' create greedy --nic user --memory "$((total - 1))M"
check "rm" n rm greedy
finish

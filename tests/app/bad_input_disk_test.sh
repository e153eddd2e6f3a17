#!/usr/bin/env bash
# A disk that somebody uses is refused, and who it is is said, whichever trace he leaves: QEMU's image locks, a loop device, a
# mount, swap, an open descriptor. The moment he lets go, the disk can be had.
. "$(dirname "$0")/refusals.sh"

machine=(--memory 64M --accel tcg --nested off --nic user)
disk=$scratch/disk.img
truncate -s 16M "$disk"
holder=
loop=
let_go() {
  [[ -n $holder ]] && { kill "$holder"; wait "$holder"; }
  mountpoint -q "$scratch/mnt" && umount "$scratch/mnt"
  swapoff "$scratch/swap" && rm -f "$scratch/swap"
  [[ -n $loop ]] && losetup -d "$loop"
  holder='' loop=''
} 2>/dev/null
trap 'let_go; cleanup' EXIT
free() { check "then it can be had" quiet n launch x "${machine[@]}" --disk "path=$1"; check "rm" n rm --force x; }

say "-- a QEMU that was started by hand"
qemu-system-x86_64 -S -display none -nodefaults -m 16 -accel tcg -monitor none -drive "file=$disk,format=raw,if=virtio" 2>/dev/null &
holder=$!
locked() { grep -q "OFDLCK.*:$(stat -c %i "$disk") " /proc/locks; }
check "it holds the disk" until_true 30 locked
before=$(traces)
bad 4 "disk $disk is in use: qemu.* \(pid $holder\); end that" launch x "${machine[@]}" --disk "path=$disk"
bad 4 "\(pid $holder\)" launch x "${machine[@]}" --disk "path=$disk,ro"
ln "$disk" "$scratch/other-name.img"
ln -s other-name.img "$scratch/link.img"
bad 4 "\(pid $holder\)" launch x "${machine[@]}" --disk "path=$scratch/link.img"
bad 4 "\(pid $holder\)" --dry-run launch x "${machine[@]}" --disk "path=$disk"
let_go
free "$disk"

say "-- a machine of ours"
check "it runs" quiet n launch first "${machine[@]}" --disk "path=$disk"
before=$(traces)
bad 4 "disk $disk is in use: .*(first|pid $(pid_of first))" launch x "${machine[@]}" --disk "path=$disk"
check "define another with it" quiet n create x "${machine[@]}" --disk "path=$disk"
before=$(traces)
bad 4 "disk $disk is in use: .*(first|pid $(pid_of first))" start x
check "rm" n rm x
check "rm" n rm --force first
before=$(traces)
check "two readers of one disk" quiet n launch first "${machine[@]}" --disk "path=$disk,ro"
check "go together" quiet n launch second "${machine[@]}" --disk "path=$disk,ro"
check "rm" n rm --force first
check "rm" n rm --force second

say "-- an open descriptor, and a backing file that somebody writes"
before=$(traces)
qemu-img create -q -f qcow2 -b "$disk" -F raw "$scratch/top.qcow2"
sleep 120 >>"$disk" &
holder=$!
sleeping() { [[ $(cat "/proc/$holder/comm") == sleep ]]; }
check "somebody has it open for writing" until_true 30 sleeping
bad 4 "disk $disk is in use: sleep \(pid $holder\), which has it open for writing; end that" launch x "${machine[@]}" --disk "path=$disk"
let_go
qemu-system-x86_64 -S -display none -nodefaults -m 16 -accel tcg -monitor none -drive "file=$disk,format=raw,if=virtio" 2>/dev/null &
holder=$!
check "a QEMU writes the backing file" until_true 30 locked
before=$(traces)
bad 4 "the backing file $disk is in use: .*\(pid $holder\)" launch x "${machine[@]}" --disk "path=$scratch/top.qcow2,format=qcow2"
let_go
before=$(traces)
check "then it can be had" quiet n launch x "${machine[@]}" --disk "path=$scratch/top.qcow2,format=qcow2"
check "rm" n rm --force x

say "-- a loop device, and what is mounted from it"
mkfs.ext4 -q "$disk"
loop=$(losetup --find --show "$disk")
bad 4 "disk $disk is in use: the loop device $loop" launch x "${machine[@]}" --disk "path=$disk"
mkdir "$scratch/mnt"
mount "$loop" "$scratch/mnt"
bad 4 "disk $loop is in use: mounted on $scratch/mnt" launch x "${machine[@]}" --disk "path=$loop"
bad 4 "disk $disk is in use: the loop device $loop" launch x "${machine[@]}" --disk "path=$disk"
umount "$scratch/mnt"
free "$loop"
check "the device is still there" test -b "$loop"
let_go
free "$disk"
check "and the file that is not ours" test -f "$disk"

say "-- swap"
dd if=/dev/zero of="$scratch/swap" bs=4096 count=16 status=none
chmod 600 "$scratch/swap"
mkswap "$scratch/swap" >/dev/null 2>&1
check "a swap file of 60 KiB" swapon "$scratch/swap"
before=$(traces)
bad 4 "disk $scratch/swap is in use as swap space; end that" launch x "${machine[@]}" --disk "path=$scratch/swap"
swapoff "$scratch/swap"
free "$scratch/swap"
finish

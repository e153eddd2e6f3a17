#!/usr/bin/env bash
# Boots each guest with QEMU alone, no nutshell, and expects on the serial line what README.md promises: when a test of
# nutshell fails, this one tells whether the guest is to blame.
#
# usage: boot_test.sh GUEST_DIR CASE      (cases are the functions below whose names begin with case_)
set -euo pipefail
guest="$(cd "$1" && pwd)"
case=$2
work="$(mktemp -d)"
pid=''
finish() {
  [[ -z $pid ]] || kill -9 "$pid" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

die() {
  echo "boot_test: $case: $*; the serial line said:" >&2
  tr -d '\r' <"$work/serial" | tail -n 30 >&2 || true
  exit 1
}

# machine OPTION...: starts QEMU (emulating, nothing by default), its serial line in $work/serial, its monitor at $work/monitor.
machine() {
  : >"$work/serial"
  qemu-system-x86_64 -accel tcg,thread=multi -m 256 -smp 2 -nodefaults -vga std -display none -no-user-config \
    -chardev "file,id=serial,path=$work/serial,append=on" -serial chardev:serial \
    -monitor "unix:$work/monitor,server=on,wait=off" "$@" </dev/null >"$work/qemu.log" 2>&1 &
  pid=$!
}

expect() { # expect SECONDS REGEX: the serial line has it within that time
  local deadline=$((SECONDS + $1))
  until grep -a -E -q -- "$2" "$work/serial"; do
    kill -0 "$pid" 2>/dev/null || grep -a -E -q -- "$2" "$work/serial" || die "QEMU ended before '$2': $(tail -n 3 "$work/qemu.log")"
    [[ $SECONDS -lt $deadline ]] || die "no '$2' within $1 s"
    sleep 0.1
  done
  echo "boot_test: $case: '$2' after $SECONDS s"
}

ends() { # ends SECONDS: QEMU leaves by itself, with exit status 0
  local deadline=$((SECONDS + $1))
  while kill -0 "$pid" 2>/dev/null; do
    [[ $SECONDS -lt $deadline ]] || die "QEMU still runs after $1 s"
    sleep 0.1
  done
  wait "$pid" || die "QEMU ended with status $?"
  pid=''
}

times() { # times N REGEX: exactly N lines have it
  local seen
  seen="$(grep -a -E -c -- "$2" "$work/serial" || true)"
  [[ $seen -eq $1 ]] || die "'$2' stands there $seen times instead of $1"
}

monitor() { echo "$1" | socat -t 2 - "UNIX-CONNECT:$work/monitor" >/dev/null; }

direct() { # direct WORDS OPTION...: the cloud kernel without firmware's help
  local words=$1
  shift
  machine -kernel "$guest/vmlinuz" -initrd "$guest/initrd" -append "console=ttyS0 quiet $words" "$@"
}

# shellcheck disable=SC2054  # the commas are QEMU's
uefi() {
  cp /usr/share/OVMF/OVMF_VARS_4M.fd "$work/vars"
  firmware=(-machine q35 -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd
    -drive "if=pflash,format=raw,file=$work/vars")
}

case_direct() {
  truncate -s 64M "$work/disk"
  direct 'nutshell.say=hello nutshell.do=poweroff nutshell.after=3' -cpu qemu64,+svm -drive "file=$work/disk,if=virtio,format=raw" \
    -nic user,model=virtio,mac=52:54:00:12:34:60 -cdrom "$guest/demo.iso" -uuid 11111111-2222-3333-4444-555555555555 \
    -device virtio-rng-pci -device virtio-balloon -device pvpanic -device virtio-serial -chardev null,id=agent \
    -device virtserialport,chardev=agent,name=org.qemu.guest_agent.0
  expect 60 '^nutshell-guest: up kernel=.* from=kernel boot=- firmware=bios cpus=2 .*flags=svm .*uuid=11111111-2222-3333-4444-555555555555'
  expect 1 'nics=eth0/52:54:00:12:34:60/virtio_net disks=vda/67108864 cds=sr0/[0-9]+ has=rng,balloon,agent,pvpanic'
  expect 10 '^nutshell-guest: says hello'
  expect 30 '^nutshell-guest: eth0 10\.0\.2\.15/24 gw 10\.0\.2\.2 mtu 1500'
  ends 30
}

case_boots() { # a list of words: the Nth boot does the Nth, counted on the disk, across power cycles too
  truncate -s 64M "$work/disk"
  direct nutshell.do=reboot,poweroff,poweroff -drive "file=$work/disk,if=virtio,format=raw"
  expect 60 ' boot=1 '
  expect 60 ' boot=2 '
  ends 30
  direct nutshell.do=reboot,poweroff,poweroff -drive "file=$work/disk,if=virtio,format=raw"
  expect 60 ' boot=3 '
  ends 30
}

case_panic() {
  direct nutshell.do=panic -device pvpanic -action panic=none
  expect 60 'Kernel panic'
}

case_power_button() {
  direct nutshell.dhcp=off
  expect 60 'nutshell-guest: up'
  sleep 1
  monitor system_powerdown
  expect 30 'nutshell-guest: power button'
  ends 30
}

case_no_power_button() {
  direct nutshell.button=ignore
  expect 60 'nutshell-guest: up'
  sleep 1
  monitor system_powerdown
  sleep 3
  kill -0 "$pid" || die 'the guest obeyed the power button'
}

case_iso() {
  machine -cdrom "$guest/demo.iso"
  expect 90 'nutshell-guest: up .*from=cdrom .*firmware=bios'
}

case_iso_uefi() {
  uefi
  machine "${firmware[@]}" -cdrom "$guest/demo.iso"
  expect 120 'nutshell-guest: up .*from=cdrom .*firmware=uefi'
}

# shellcheck disable=SC2054
installs() { # installs OPTION...: once from the CD, then from the disk, as its boots are counted
  local disk=(-drive "file=$work/disk,if=none,id=disk,format=raw" -device virtio-blk-pci,drive=disk,bootindex=1
    -drive "file=$guest/installer.iso,if=none,id=cd,media=cdrom,readonly=on" -device ide-cd,drive=cd,bootindex=2)
  truncate -s 200M "$work/disk"
  machine "${disk[@]}" "$@"
  expect 120 'from=cdrom boot=1 '
  expect 60 'nutshell-guest: installed on vda'
  expect 120 'from=disk boot=2 '
  expect 120 'from=disk boot=3 '
  ends 60
  times 1 'nutshell-guest: up .*from=cdrom'
  machine "${disk[@]}" "$@"
  expect 120 'from=disk boot=4 '
}
case_installer() { installs; }
case_installer_uefi() { uefi; installs "${firmware[@]}"; }

case_disk() {
  cp "$guest/disk.img" "$work/disk"
  machine -drive "file=$work/disk,if=virtio,format=raw"
  expect 90 'nutshell-guest: up .*from=disk'
}

case_full() { # what the cloud kernel has no driver for
  truncate -s 32M "$work/sata"
  machine -machine q35 -kernel "$guest/vmlinuz-full" -initrd "$guest/initrd-full" -append 'console=ttyS0 quiet' \
    -drive "file=$work/sata,if=none,id=sata,format=raw" -device ide-hd,drive=sata,serial=SATA \
    -nic user,model=e1000,mac=52:54:00:00:00:01 -nic user,model=rtl8139,mac=52:54:00:00:00:02 -device qemu-xhci -device usb-tablet
  expect 90 'nutshell-guest: up .*disks=sda/33554432 .*has=tablet'
  expect 1 'eth[01]/52:54:00:00:00:01/e1000'
  expect 1 'eth[01]/52:54:00:00:00:02/8139(cp|too)'
  expect 60 'nutshell-guest: eth0 10\.0\.2\.15/24'
  expect 60 'nutshell-guest: eth1 10\.0\.2\.15/24'
}

case_agent() {
  machine -kernel "$guest/vmlinuz" -initrd "$guest/initrd-agent" -append 'console=ttyS0 quiet' -device virtio-serial \
    -chardev "socket,id=agent,path=$work/agent,server=on,wait=off" -device virtserialport,chardev=agent,name=org.qemu.guest_agent.0
  expect 60 'nutshell-guest: agent runs'
  local answer='' tries
  for tries in 1 2 3 4 5 6 7 8 9 10; do
    answer="$( (echo '{"execute":"guest-sync","arguments":{"id":4711}}'; sleep 1) | socat -t 2 - "UNIX-CONNECT:$work/agent" || true)"
    [[ $answer != *'"return": 4711'* ]] || break
  done
  [[ $answer == *'"return": 4711'* ]] || die "the agent answered '$answer' in $tries tries"
}

case_console() { # a user types, the shell answers
  : >"$work/serial"
  qemu-system-x86_64 -accel tcg,thread=multi -m 256 -nodefaults -display none -chardev "socket,id=serial,path=$work/console,server=on,wait=off,logfile=$work/serial" \
    -serial chardev:serial -kernel "$guest/vmlinuz" -initrd "$guest/initrd" -append 'console=ttyS0 quiet' </dev/null >"$work/qemu.log" 2>&1 &
  pid=$!
  expect 60 'nutshell-guest# '
  # shellcheck disable=SC2016
  (echo 'echo typed-$((6 * 7))-$(tty)'; sleep 3) | socat -t 5 - "UNIX-CONNECT:$work/console" >/dev/null
  expect 30 'typed-42-/dev/ttyS0'
}

[[ $(type -t "case_$case") == function ]] || { echo "boot_test: there is no case $case" >&2; exit 2; }
"case_$case"

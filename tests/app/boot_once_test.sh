#!/usr/bin/env bash
# Boot once: the CD at the first boot, the disk at every later one, across the guest's resets, its power-off and a new start; by
# BIOS and by UEFI. The guest installs itself, counts its boots, reboots at the second, powers off at the third, then stays.
. "$(dirname "$0")/lib.sh"

boots_of() { cat "$root/log/$(uuid_of "$1")"/*.serial | tr -d '\r' | grep -a '^nutshell-guest: up ' | grep -oE '(from|boot)=[^ ]+' | paste -sd' ' | sed 's/ from=/; from=/g'; }
consumed() { json show "$1" | jq -c .boot_once_consumed; }

installs() { # NAME OPTION...
  local name=$1
  shift
  check "$name: launched, it installs, reboots twice, and powers off" n launch "$name" --memory 256M --nested off --accel tcg --nic none \
    --cdrom "$guest/installer.iso" --disk 128M --boot once=cdrom "$@" --wait stopped --timeout 400
  check "$name: once from the CD, then from the disk" equal "$(boots_of "$name")" 'from=cdrom boot=1; from=disk boot=2; from=disk boot=3'
  check "$name: it powered off" matches "$(json show "$name" | jq -r .last_end)" 'stopped: the guest powered off'
  check "$name: nobody took the ISO away" equal "$(json show "$name" | jq -r .cdrom)" "$guest/installer.iso"
  check "$name: show says that the CD has had its boot" equal "$(consumed "$name")" true
  check "$name: started again" n start "$name" --wait 'serial=up .*boot=4' --timeout 240
  check "$name: it boots the disk" matches "$(boots_of "$name")" 'from=disk boot=4$'
  check "$name: killed" n kill "$name"
  check "$name: started with --boot once=cdrom" n start "$name" --boot once=cdrom --wait 'serial=GRUB from' --timeout 240
  check "$name: it boots the CD again" equal "$(grep -a -o 'GRUB from [a-z]*' "$root/log/$(uuid_of "$name")/3.serial" | tail -1)" 'GRUB from cdrom'
  check "$name: removed" n rm "$name" --force
}

before=$(traces)
# Each in a shell of its own, at the same time; its failures are its exit code.
(installs bios; finish) & first=$!
(installs uefi --firmware uefi; finish) & second=$!
check "by BIOS" wait "$first"
check "by UEFI" wait "$second"
check "nothing is left" equal "$(traces)" "$before"
finish

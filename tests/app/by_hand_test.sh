#!/usr/bin/env bash
# The lines of `command --by-hand` really run, pasted into a shell, by root and by an ordinary user whom the bridge helper's ACL allows.
. "$(dirname "$0")/lib.sh"

# bridge.conf, and a helper that is setuid as an administrator would make it, in this test's own mount namespace.
helper=/usr/lib/qemu/qemu-bridge-helper
mkdir -p /etc/qemu "$scratch/etc-qemu"
mount --bind "$scratch/etc-qemu" /etc/qemu
printf 'allow br0\nallow nutshell0\n' >/etc/qemu/bridge.conf
install -m 4755 "$helper" /dev/shm/nutshell-helper.$$
mount --bind /dev/shm/nutshell-helper.$$ "$helper"
rm -f /dev/shm/nutshell-helper.$$
ip link add br0 type bridge
ip link set br0 up

by_hand() { n command "$1" --by-hand; }
# start_line LINE: runs it as pasted; its pid in $pid, its words in $scratch/by-hand.log.
start_line() { bash -c "exec $1" >"$scratch/by-hand.log" 2>&1 </dev/null & pid=$!; }
stop_line() { kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; }
alive() { kill -0 "$pid" 2>/dev/null && grep -q qemu-system "/proc/$pid/comm"; }
tap_on() { ip -o link show master "$1" | grep -q tap; }
listens() { ss -Hltn "sport = :$1" | grep -q .; }

n create blog --memory 256M --disk 1G --cdrom "$guest/demo.iso" --nic bridge=br0,mac=52:54:00:12:34:60 --boot once=cdrom --vnc 1 --vnc-listen 0.0.0.0 2>/dev/null >&2
line=$(by_hand blog)
say "$line"
disk=$(json show blog | jq -r '.disks[0].path')
check "the blog's form, with this host's facts" equal "${line//$disk/DISK}" \
  "qemu-system-x86_64 -accel tcg -m 256 -cpu qemu64,+svm -drive file=DISK,if=virtio,format=raw -net nic,model=virtio,macaddr=52:54:00:12:34:60 -net bridge,br=br0 -cdrom $guest/demo.iso -boot once=d -vnc :1"
start_line "$line"
check "it runs, with a tap on br0" until_true 30 tap_on br0
check "its display listens" until_true 30 listens 5901
stop_line

# On the managed network the very guest is reached, with the MAC and the address that were leased to it.
n create net --memory 256M --cdrom "$guest/demo.iso" --nic network=nutshell0 --vnc off >/dev/null 2>&1
idle keeper --nic network=nutshell0 >/dev/null 2>&1  # keeps the network up; its DHCP server knows all who are defined
start_line "$(by_hand net)"
check "by hand it gets the leased address" until_true 60 ping -c 1 -W 1 "$(ip_of net)"
stop_line

many() {
  local name=$1
  shift
  n create "$name" --memory 128M --vnc off "$@" >/dev/null 2>&1 || fail "create $name"
  start_line "$(by_hand "$name")"
  sleep 1.5
  check "$name: $(by_hand "$name" | cut -c1-110)..." alive
  stop_line
}
truncate -s 64M "$scratch/a,b c.img"
many several --nic bridge=br0 --nic bridge=br0,model=e1000 --nic user
many buses --nic user --disk 64M,bus=ide --disk 64M,bus=scsi,cache=none --disk 64M,bus=sata,format=qcow2
many odd --nic user --disk "path=$scratch/a,,b c.img,format=raw,ro=on"
many kernel --nic none --kernel "$guest/vmlinuz" --initrd "$guest/initrd" --append "console=ttyS0 quiet"
many modern --nic user --firmware uefi --cdrom "$guest/demo.iso" --boot cdrom --disk 64M --cpus 2
check "QEMU had nothing to complain about" equal "$(grep -v 'terminating on signal' "$scratch/by-hand.log")" ""

# An ordinary user.
user_home=$scratch/user
install -d -o 12345 -g 12345 "$user_home"
install -m 755 "$nutshell_bin" "$scratch/nutshell" # where it was built may be root's alone
as_user() { setpriv --reuid=12345 --regid=12345 --clear-groups env -u XDG_RUNTIME_DIR HOME="$user_home" XDG_STATE_HOME="$user_home/state" XDG_CONFIG_HOME="$user_home/config" XDG_CACHE_HOME="$user_home/cache" "$@"; }
as_user "$scratch/nutshell" --quiet create mine --memory 64M --nested off --nic bridge=br0 --vnc off >/dev/null || fail "create as an ordinary user"
mine=$(as_user "$scratch/nutshell" command mine --by-hand)
start_line "setpriv --reuid=12345 --regid=12345 --clear-groups -- $mine"
check "an ordinary user's line gets a tap from the helper" until_true 30 tap_on br0
stop_line
until_true 30 bash -c '! ip -o link show master br0 | grep -q tap'
check "launch as an ordinary user on that bridge" as_user "$scratch/nutshell" --quiet start mine
check "it has a tap there" tap_on br0
as_user "$scratch/nutshell" --quiet rm mine --force
check "and none when it is removed" until_true 30 bash -c '! ip -o link show master br0 | grep -q tap'
printf 'deny br0\n' >/etc/qemu/bridge.conf
as_user "$scratch/nutshell" --quiet create other --memory 64M --nic bridge=br0 --vnc off >/dev/null
refuse 1 'bridge br0.*the line .deny br0., which outweighs every allow' as_user "$scratch/nutshell" --quiet start other
umount "$helper"
finish

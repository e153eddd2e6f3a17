#!/usr/bin/env bash
# A box inside a box: what the outer one tells, what the inner one makes of it, and that nothing in it can stop a command. Also the
# networks of other tools, which are avoided whether they are up or down.
. "$(dirname "$0")/lib.sh"

lease_of() { json show "$1" | jq -r '.nics[0].ip'; }
# Nothing to boot, and what is asked for; not `--nested off`.
bare() { local name=$1; shift; n launch "$name" --memory 64M --accel tcg "$@" >/dev/null; }

# What the outer box tells is in the line of a machine that can run others, and only there.
ip link add office type bridge
ip addr add 198.51.100.9/25 dev office
ip link set office up
ip route add 203.0.113.0/24 dev office
mkdir -p "$root/etc"
cat >"$root/etc/nutshell.toml" <<'TOML'
[[pool]]
name = "public"
kind = "ipv4"
range = "192.0.2.16-192.0.2.31"
TOML
check "launch" bare first
check "its network is 10.75.0.0/24" equal "$(lease_of first)" 10.75.0.2
check "launch one more" bare box
told=$(n command box | tr ' ' '\n' | grep -o 'nutshell\.outer:.*')
say "  told: $told"
check "the depth" matches "$told" '^nutshell\.outer:1:'
for range in 10.75.0.0/24 198.51.100.0/25 203.0.113.0/24 192.0.2.16/28; do
  check "it is told of $range" matches "$told" "[:+]$range(\+|\$)"
done
check "explain says what it is" matches "$(n explain box)" 'in use outside'
check "by hand it is left out" bash -c "! grep -q smbios <<<'$(n command box --by-hand)'"
check "a machine that runs no others is told nothing" idle plain
check "its line has none of it" bash -c "! grep -q smbios <<<'$(n command plain)'"
n rm plain --force

# A guest reads it in the firmware's tables, without any driver.
check "a guest" n launch guest --memory 256M --accel tcg --kernel "$guest/vmlinuz" --initrd "$guest/initrd" --append "console=ttyS0 quiet" --wait serial=nutshell-guest#
seen=$(guest guest "cat /sys/firmware/dmi/tables/DMI | tr '\\000' '\\n' | grep -ao 'nutshell.outer.*'")
check "its kernel shows the line that is in QEMU's" equal "$seen" "$(n command guest | tr ' ' '\n' | grep -o 'nutshell\.outer:.*')"
# (What is written while whoever typed hangs up may be in the log twice: so it waits.)
guest guest "sleep 2; xxd -p /sys/firmware/dmi/tables/DMI" | tr -dc '0-9a-f' | perl -ne 'print pack "H*", $_' >"$scratch/DMI"
check "the table came over the serial line" grep -qa 'nutshell\.outer' "$scratch/DMI"
for name in guest box first; do n rm "$name" --force; done
ip link del office

# Inside: the table is the guest's, at the place where the guest's kernel has it.
inside() { # inside FILE: from here on this box is a machine with that table
  mountpoint -q /sys/firmware || mount -t tmpfs none /sys/firmware
  mkdir -p /sys/firmware/dmi/tables
  cp "$1" /sys/firmware/dmi/tables/DMI
}
root=$scratch/inner
inside "$scratch/DMI"
check "doctor shows the depth" matches "$(n doctor | grep '^depth')" '1: this box is a machine of nutshell.*[0-9] ranges are in use outside, where no subnet is chosen'
check "ls shows it" equal "$(json ls | jq .depth)" 1
check "ls says it, too" matches "$(nutshell ls 2>&1)" 'at depth 1'
check "launch inside" bare one
check "the subnet in use outside is not chosen" matches "$(lease_of one)" '^10\.75\.1\.'
check "lease ls says why" matches "$(n lease ls --pool subnet)" '10\.75\.0\.0/24.*outside'
check "launch one more inside" bare two
check "it is told a depth more, and the ranges of both" matches "$(n command two | grep -o 'nutshell\.outer:.*')" ':2:.*10\.75\.0\.0/23.*192\.0\.2\.16/28.*203\.0\.113\.0/24'
refuse 4 'outside' n network create mine --subnet 10.75.0.128/25
refuse 4 'outside' n network create mine --subnet 192.0.2.0/27
check "what is free is free" n network create mine --subnet 10.75.7.0/24
printf 'network = "10.75.0.0/24"\n' >"$scratch/kept.toml"
root=$scratch/kept refuse 4 'nutshell0 is to be 10.75.0.0/24 .*, which is held by something outside of this nested box; choose another there' nutshell --config "$scratch/kept.toml" launch any --memory 64M --accel tcg
n network rm mine
n rm one --force
n rm two --force
printf 'name = "inner"\n[private]\nprefix = 24\n' >"$scratch/inner.toml"
check "a cloud inside" n up "$scratch/inner.toml"
check "has a private subnet that is not in use outside" matches "$(n answers inner --json | jq -r .private_subnet)" '^10\.75\.[1-9][0-9]*\.0$'
printf 'name = "other"\n[private]\nsubnet = "10.75.0.0/24"\n' >"$scratch/other.toml"
refuse 4 'outside' n up "$scratch/other.toml"
n down inner --purge

# Whatever stands there, no command fails for it.
for bytes in '' 'nutshell.outer:1:0.0.0.0/0' '\x0b\x05\x00\x01\x01nutshell.outer:1:0.0.0.0/0+255.255.255.255\x00\x00' '\x0b\xff' '\x0b\x04'; do
  root=$scratch/hostile-${#bytes}
  printf '%b' "$bytes" >"$scratch/bytes"
  inside "$scratch/bytes"
  check "launch with '$bytes' for a table" bare any
  check "it has an address" matches "$(lease_of any)" '^10\.75\.0\.'
  n rm any --force
done
umount /sys/firmware
root=$scratch/n
check "on the outer box again the depth is 0" equal "$(json ls | jq .depth)" 0

# libvirt's networks count when they are down, and Docker's pools, too.
cp -a /etc "$scratch/etc"
mount --bind "$scratch/etc" /etc
mkdir -p /etc/libvirt/qemu/networks /etc/docker
cat >/etc/libvirt/qemu/networks/lab.xml <<'XML'
<network><name>lab</name><bridge name='virbr1'/>
  <ip address='10.75.0.1' netmask='255.255.255.0'><dhcp><range start='10.75.0.2' end='10.75.0.254'/></dhcp></ip>
  <route address='10.75.2.0' prefix='23' gateway='10.75.0.9'/>
</network>
XML
printf '<network><ip address=' >/etc/libvirt/qemu/networks/broken.xml
check "launch beside libvirt's network that is down" bare two
check "it is elsewhere" matches "$(lease_of two)" '^10\.75\.1\.'
refuse 4 "libvirt's network lab" n network create mine --subnet 10.75.3.0/24
n rm two --force
printf '{"default-address-pools": [{"base": "10.75.0.0/20", "size": 24}]}' >/etc/docker/daemon.json
check "launch beside Docker's pool" bare three
check "it is outside of the pool" matches "$(lease_of three)" '^10\.75\.16\.'
n rm three --force
ip link add docker0 type bridge
ip addr add 10.75.16.1/24 dev docker0
refuse 4 "Docker's network \(docker0\)|docker0" n network create mine --subnet 10.75.16.0/24
ip link del docker0
# A pool of public addresses is no place for a private subnet.
refuse 4 'public' n network create mine --subnet 192.0.2.0/26
umount /etc

# What comes later into a range that is ours is told, as nothing would refuse it.
n network create early --subnet 10.75.40.0/24
printf 'name = "calm"\n[private]\nsubnet = "10.76.0.0/24"\n' >"$scratch/calm.toml"
n up "$scratch/calm.toml" >/dev/null
ranges() { json doctor | jq -r '.checks[] | select(.name == "ranges") | "\(.state) \(.detail)"'; }
ip route add 10.0.0.0/8 dev lo
check "a wide route is no trouble" equal "$(ranges)" ''
ip link add late type bridge
ip addr add 10.75.40.9/25 dev late
ip route add unreachable 10.76.0.64/26
check "doctor names both" matches "$(ranges)" '^note 10\.75\.40\.0/24 of the network early overlaps address 10\.75\.40\.9/25 of late, which came later'
check "of a cloud, too" matches "$(ranges)" '^note 10\.76\.0\.0/24 of the cloud calm overlaps route 10\.76\.0\.64/26 \(unreachable\), which came later'
n down calm --purge
n network rm early

finish

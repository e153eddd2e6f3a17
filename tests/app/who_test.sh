#!/usr/bin/env bash
# who: from every kind of value to the machine that has it, or to the stranger; and since when.
. "$(dirname "$0")/lib.sh"

owner() { json who "$1" | jq -r '.owners[0] | "\(.what): \(.cloud)/\(.machine) \(.detail)"'; }
since() { json who "$1" | jq -r '.owners[0].since'; }
stranger() { json who "$1" | jq -r '[.owners[] | "\(.what): \(.foreign)"] | join(", ")'; }

ip link add br0 type bridge
n launch web --cloud shop --memory 64M --nested off --accel tcg --disk 1M,file=on --nic network=nutshell0 --nic bridge=br0 --publish 8443:443 >/dev/null
uuid=$(uuid_of web) ip=$(ip_of web) mac=$(json show web | jq -r '.nics[1].mac') tap=$(json show web | jq -r '.nics[0].tap')
display=$(json show web | jq -r .vnc.display)

for value in "$mac" "$ip" "$tap"; do check "$value has a day" matches "$(since "$value")" '^20[0-9]{2}-.*Z$'; done
check "a MAC and its NIC" equal "$(owner "$mac")" 'MAC: shop/web NIC 1'
check "an address" equal "$(owner "$ip")" 'address: shop/web NIC 0'
check "an IPv6 address that was made of the MAC" matches "$(owner "fe80::$(printf '%02x%s:%sff:fe%s:%s%s' "$((0x${mac:0:2} ^ 2))" "${mac:3:2}" "${mac:6:2}" "${mac:9:2}" "${mac:12:2}" "${mac:15:2}")")" "^address: shop/web NIC 1, made of its MAC $mac"
check "a tap" equal "$(owner "$tap")" 'tap: shop/web NIC 0'
check "the host's side of it" matches "$(owner "$(ip -j link show "$tap" | jq -r '.[0].address')")" "^MAC: shop/web .*the host's side of $tap"
check "a display" equal "$(owner ":$display")" 'display: shop/web its screen'
check "its port" matches "$(owner "$((5900 + display))/tcp")" '^port: shop/web its screen'
check "a published port" equal "$(owner 8443/tcp)" 'port: shop/web a port that it publishes'
check "by its number alone" matches "$(json who :8443 | jq -r '.owners[].machine')" 'web'
[[ -e /proc/8443 ]] || check "by its bare number, which is no process's" equal "$(owner 8443)" 'port: shop/web a port that it publishes'
check "a UUID" equal "$(owner "$uuid")" 'uuid: shop/web its UUID'
check "a pid" equal "$(owner "$(pid_of web)")" 'process: shop/web its QEMU'
check "a disk" equal "$(owner "$(json show web | jq -r '.disks[0].path')")" 'file: shop/web disk 0'
check "a managed bridge" matches "$(nutshell who nutshell0)" 'the network nutshell0'
for pid in $(our_processes); do [[ $(cat "/proc/$pid/comm") == dnsmasq ]] && dnsmasq=$pid; done
check "its port" matches "$(nutshell who 67/udp)" 'the DHCP server of the network nutshell0'
check "the network's own address" equal "$(nutshell who 10.75.0.1)" "10.75.0.1: the network nutshell0's own, on its bridge nutshell0"
n network create second --ipv6 fd00:76::/64
n launch two --memory 64M --nested off --accel tcg --nic network=second >/dev/null
check "that of IPv6" equal "$(nutshell who fd00:76:0::1)" "fd00:76:0::1: the network second's own, on its bridge second"
for port in 53/udp 67/udp 53/tcp; do
  check "$port is both networks'" equal "$(json who "$port" | jq -r '[.owners[].detail] | sort | join("; ")')" 'the DHCP server of the network nutshell0; the DHCP server of the network second'
done
check "of another registry's tap the mark tells" equal "$("$nutshell_bin" --root "$scratch/else" who "$tap")" "$tap: of another registry of nutshell, by its mark nutshell:shop/web:0"
n rm two --force
check "a range of addresses" matches "$(nutshell who 10.75.0.0/24)" 'the network nutshell0'
n group create front --cloud shop
check "a security group" equal "$(owner front)" 'group: shop/null a security group of the cloud shop, of 0 rules'
check "a machine by its name" equal "$(owner shop/web)" 'machine: shop/web a machine'
check "a cloud" matches "$(nutshell who shop)" 'a cloud of 1 machine'
check "the DHCP server of a network" matches "$(nutshell who "$dnsmasq")" 'the DHCP server of the network nutshell0'

say "-- strangers"
socat TCP4-LISTEN:7070 - </dev/zero >/dev/null 2>&1 &
tcp=$!
socat -u UDP4-RECV:5353 - >/dev/null 2>&1 &
udp=$!
trap 'kill "$tcp" "$udp" 2>/dev/null; cleanup' EXIT
listening() { [[ $(stranger "$1") == *"pid $2"* ]]; }
check "a TCP port" until_true 30 listening 7070/tcp "$tcp"
check "a UDP port" until_true 30 listening 5353/udp "$udp"
check "a port by its number alone" until_true 30 listening :7070 "$tcp"
check "a process" equal "$(stranger "$tcp")" "process: socat (pid $tcp)"
check "a bridge" matches "$(stranger br0)" 'link: a bridge of this host'
ip addr add 10.44.0.1/24 dev br0
check "an address of this host" equal "$(stranger 10.44.0.1)" 'address: this host, on br0'
ip addr add 2001:db8:7::1/64 dev br0 nodad
check "an IPv6 address of this host" equal "$(stranger 2001:db8:7::1)" 'address: this host, on br0'
refuse 6 'nobody is known' nutshell who 7071/tcp
refuse 6 'no process 7071, and nobody has a port' nutshell who 7071
refuse 2 'is no port' nutshell who 70000/tcp
refuse 2 'is no port' nutshell who 0/udp
refuse 2 'is no IPv4 address' nutshell who 300.1.1.1
refuse 2 'is no IPv4 address' nutshell who 10.75.0.0/33
refuse 6 'nobody is known' nutshell who 2001:db8::1
refuse 6 'nobody is known' nutshell who 52:54:00:99:99:99
refuse 6 'nobody is known' nutshell who vg01/none
refuse 2 'is no MAC' nutshell who 'a b'
refuse 2 'no display or port' nutshell who :99999
ip addr del 10.44.0.1/24 dev br0
n create box --memory 64M --nested off --accel tcg --nic bridge=br0,ip=10.44.0.9,also=10.44.1.0-10.44.1.15 >/dev/null
check "an address by also=" equal "$(owner 10.44.1.5)" 'address: default/box NIC 0 (also=10.44.1.0-10.44.1.15)'
check "a range around a machine's address" equal "$(owner 10.44.0.0/24)" 'address: default/box NIC 0 (10.44.0.9)'
check "one that touches both" equal "$(json who 10.44.0.9-10.44.1.0 | jq '.owners | length')" 2
n rm box
n rm web --force
refuse 6 'nobody is known' nutshell who 8443/tcp
refuse 6 'nobody is known' nutshell who "$uuid"
finish

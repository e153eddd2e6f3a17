#!/usr/bin/env bash
# The managed network among others: overlaps are avoided, strangers' bridges left alone, addresses that answer never given, and an
# address that passes to another machine works at once.
. "$(dirname "$0")/lib.sh"

# A machine with nothing to boot, and only the NICs that are named.
bare() { local name=$1; shift; n launch "$name" --memory 64M --nested off --accel tcg "$@" >/dev/null; }
lease_of() { json show "$1" | jq -r '.nics[0].ip'; }
guest_has() { grep -qa "nutshell-guest: eth0 $2/" "$root/log/$(uuid_of "$1")/1.serial"; }

# What the host already routes is left out, in both directions and in every table.
ip link add stranger type veth peer name far
ip link set stranger up
ip addr add 10.75.0.200/24 dev stranger
ip route add 10.75.1.0/25 dev stranger table 77
ip link add nutshell0 type bridge
check "launch beside a stranger's range, route and bridge" bare one --nic network=nutshell0
check "it has an address outside of them" matches "$(lease_of one)" '^10\.75\.2\.'
bridge=$(json show one | jq -r '.nics[0].bridge')
check "on a bridge of our own" test "$bridge" != nutshell0
check "with the tap on it" test "$(ip -j link show "$(json show one | jq -r '.nics[0].tap')" | jq -r '.[0].master')" = "$bridge"
check "lease ls names who has what was passed over" matches "$(n lease ls --pool subnet)" 'foreign'
n rm one --force
check "the stranger's bridge is still there" ip link show nutshell0 type bridge
check "ours is gone" bash -c "! ip link show $bridge 2>/dev/null"
ip link del nutshell0
ip link del stranger

# Two registries in one network: neither touches the other's.
check "a machine of one registry" bare first --nic network=nutshell0
other() { "$nutshell_bin" --quiet --root "$scratch/other" "$@"; }
check "a machine of another registry beside it" other launch second --memory 64M --nested off --accel tcg --nic network=nutshell0
check "each has a bridge of its own" test "$(ip -br link show type bridge | wc -l)" -eq 2
check "and a range of its own" test "$(lease_of first | cut -d. -f3)" != "$(other show second --json | jq -r '.nics[0].ip' | cut -d. -f3)"
n gc >/dev/null
check "gc of one leaves the other's alone" test "$(ip -br link show type bridge | wc -l)" -eq 2
other rm second --force
n rm first --force
check "both bridges are gone" equal "$(ip -br link show type bridge)" ""

# Somebody answers for an address on a bridge that has a foreign port.
ip link add br0 type bridge
ip link set br0 up
ip netns add "nutshell-test-$$" 2>/dev/null || fail "no named namespaces"
ip link add port0 type veth peer name eth0 netns "nutshell-test-$$"
ip link set port0 master br0 up
ip -n "nutshell-test-$$" addr add 192.168.50.7/24 dev eth0
ip -n "nutshell-test-$$" link set eth0 up
sleep 1
refuse 4 '192\.168\.50\.7.*which answers' bare taken --nic bridge=br0,ip=192.168.50.7
check "a free one is recorded" bare free --nic bridge=br0,ip=192.168.50.8
check "and found again" matches "$(n who 192.168.50.8)" 'free, NIC 0'
refuse 4 '192\.168\.50\.8' bare twice --nic bridge=br0,ip=192.168.50.8
refuse 4 'mac|MAC' bare mactaken --nic "bridge=br0,mac=$(ip -n "nutshell-test-$$" -j link show eth0 | jq -r '.[0].address')"
n rm free --force
ip netns del "nutshell-test-$$"

# One address, two machines in turn.
check "a guest has its address by DHCP" quick ga --nic network=nutshell0,ip=10.75.0.50 --wait serial='eth0 10.75.0.50/24' --timeout 60
check "keep the network up" bare keeper --nic network=nutshell0
n rm ga --force
check "the address passes to another MAC at once" quick gb --nic network=nutshell0,ip=10.75.0.50 --wait serial='eth0 10.75.0.50/24' --timeout 60
check "and answers" ping -q -c 1 -W 5 10.75.0.50
n rm gb --force
n rm keeper --force
check "nothing is left" equal "$(ip -br link | awk '{print $1}' | tr '\n' ' ')" "lo br0 "
finish

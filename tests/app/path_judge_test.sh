#!/usr/bin/env bash
# What path and doctor say of filters that let the machine's packets through in words that are not about its links (nothing), of
# those that drop them in words other than a policy (certain), and of what breaks a way without any filter: settings of ports,
# routes, addresses, our own rules, a guest that is paused. Each with packets.
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/path_scene.sh"

ip link add br0 type bridge
ip link set br0 up
ip link add em1 type veth peer name lan netns "$far"
ip link set em1 master br0 up
outside ip addr add 192.168.60.9/24 dev lan
outside ip link set lan up
ip link add uplink type veth peer name wan netns "$far"
ip addr add 192.0.2.1/24 dev uplink
ip link set uplink up
ip route add default via 192.0.2.2
outside ip addr add 192.0.2.2/24 dev wan
outside ip link set wan up
n network create lab --mode routed --subnet 10.75.0.0/24 >/dev/null || { fail 'a network'; finish; }
outside ip route add 10.75.0.0/24 via 192.0.2.1
quick na --append "console=ttyS0 quiet nutshell.dhcp=off" --nic bridge=br0,ip=192.168.60.2 --nic network=lab --wait serial='nutshell-guest#' --timeout 90 >/dev/null || { fail 'a guest runs'; finish; }
ip2=$(json show na | jq -r '.nics[1].ip') tap=$(json show na | jq -r '.nics[0].tap') mac=$(json show na | jq -r '.nics[0].mac')
guest na "ip addr add 192.168.60.2/24 dev eth0; ip link set eth0 up; ip addr add $ip2/24 dev eth1; ip link set eth1 up; ip route add default via 10.75.0.1; (while :; do echo guest-here | nc -l -p 7777; done) >/dev/null 2>&1 & true" >/dev/null

gets_to() { [[ $(outside socat -T 3 - "TCP4:$1:7777,connect-timeout=1" </dev/null 2>/dev/null) == guest-here ]]; }
bridged() { gets_to 192.168.60.2; }
routed() { gets_to "$ip2"; }
both() { bridged && routed; }
broken_nics() { json path na "$@" | jq -c '[.paths[] | select(.broken != null) | .nic]'; }
why() { json path na "${@:2}" | jq -r --argjson nic "$1" '.paths[$nic].broken | .device + ": " + .why'; }
filters() { nft -f - <<<"$1"; }
away() { nft list tables | grep -v ' nutshell' | while read -r _ family name; do nft delete table "$family" "$name"; done; iptables -P FORWARD ACCEPT 2>/dev/null; }

# passes WHAT: packets pass, and neither path nor doctor calls anything broken.
passes() {
  check "$1: packets pass" until_true 30 both
  check "$1: path says so" equal "$(broken_nics)" '[]'
  check "$1: and doctor" equal "$(in_doctor 'filter br0')$(in_doctor 'filter lab')" ''
}
# drops NIC PATTERN TRAFFIC WHAT: TRAFFIC fails, and path names it on that NIC.
drops() {
  check "$4: nothing arrives" nobody "$3"
  check "$4: path names it" matches "$(why "$1")" "$2"
}

check "before all, the outside gets in" until_true 30 both
check "path finds nothing" equal "$(broken_nics)" '[]'

say "-- filters that let it through"
iptables -P FORWARD DROP
for words in '-s 10.75.0.0/24' '-d 10.75.0.0/24' '-s 192.168.60.0/24' '-d 192.168.60.0/24'; do iptables -A FORWARD $words -j ACCEPT; done
passes "by their nets"
iptables -F FORWARD
for protocol in tcp udp icmp; do iptables -A FORWARD -p $protocol -j ACCEPT; done
passes "by each protocol"
iptables -F FORWARD
iptables -A FORWARD -m limit --limit 1000/s --limit-burst 1000 -j ACCEPT
passes "by a limit"
iptables -F FORWARD
iptables -P FORWARD ACCEPT
filters 'table inet lab { chain f { type filter hook forward priority 5; policy drop; meta l4proto { tcp, udp, icmp } accept; }; }'
passes "by a set of protocols"
away
filters 'table inet lab { flags dormant; chain f { type filter hook forward priority 5; policy drop; }; }'
passes "a table that is dormant"
away
filters 'table bridge lab { chain f { type filter hook forward priority 0; policy drop; ether type { arp, ip, ip6 } accept; }; }'
passes "by the type of frames"
away
filters "table bridge lab { chain f { type filter hook forward priority 0; policy drop; iifname $tap accept; oifname $tap accept; }; }"
passes "by the name of the tap"
away
filters "table bridge lab { chain f { type filter hook forward priority 0; policy drop; ether saddr $mac accept; ether daddr { $mac, ff:ff:ff:ff:ff:ff } accept; }; }"
passes "by the MAC"
away

say "-- filters that drop it"
filters 'table bridge lab { chain f { type filter hook forward priority 0; ether type ip drop; }; }'
drops 0 '^br0: has a foreign filter' bridged "by the type of frames"
away
filters 'table bridge lab { chain f { type filter hook forward priority 0; ether type arp drop; }; }'
outside ip neigh flush dev lan
guest na 'ip neigh flush dev eth0' >/dev/null
drops 0 '^br0: has a foreign filter' bridged "ARP alone"
away
filters 'table inet lab { chain f { type filter hook forward priority 5; meta mark 0 drop; }; }'
drops 1 '^lab: has a foreign filter' routed "what has no mark"
away
filters 'table inet lab { chain f { type filter hook forward priority 5; meta l4proto { tcp, udp, icmp } drop; }; }'
drops 1 '^lab: has a foreign filter' routed "by a set of protocols"
away

# cured NIC TRAFFIC WHAT: the line that path prints lets it through.
cured() {
  local cure
  cure=$(json path na | jq -r --argjson nic "$1" '.paths[$nic].broken.cure')
  check "$3: its cure can be run: $cure" bash -c "$cure"
  check "$3: something arrives" until_true 30 "$2"
  check "$3: path finds nothing" equal "$(broken_nics)" '[]'
  away
  iptables -t mangle -F
}
filters 'table inet lab { chain f { type filter hook postrouting priority 0; oifname "lab" drop; }; }'
drops 1 '^lab: has a foreign filter' routed "after routing"
cured 1 routed "after routing"
iptables -t mangle -A POSTROUTING -o lab -j DROP
drops 1 '^lab: has a foreign filter' routed "after routing, of iptables"
cured 1 routed "after routing, of iptables"
for chain in PREROUTING POSTROUTING; do
  iptables -t mangle -A $chain -m physdev --physdev-is-bridged -j DROP 2>/dev/null || iptables -t mangle -A $chain -m physdev --physdev-in em1 -j DROP
  iptables -t mangle -A $chain -d 192.168.60.2 -j DROP
  drops 0 '^br0: has a foreign filter' bridged "$chain of a bridge"
  cured 0 bridged "$chain of a bridge"
done
filters 'table bridge lab { chain f { type filter hook prerouting priority 0; iifname "em1" drop; }; }'
drops 0 '^em1: has a foreign filter' bridged "before bridging"
check "without a line that would cure nothing" equal "$(json path na | jq -r '.paths[0].broken.cure')" null
away

say "-- IPv6"
filters 'table ip6 lab { chain f { type filter hook forward priority 0; policy drop; }; }'
check "is told, and breaks nothing" matches "$(nutshell path na)" 'IPv6: ip6 lab f, whose policy is drop'
check "of the way, which is IPv4's" equal "$(broken_nics)" '[]'
away

say "-- without any filter"
bridge link set dev em1 isolated on
bridge link set dev "$tap" isolated on
drops 0 '^em1: is an isolated port' bridged "two isolated ports"
cured 0 bridged "two isolated ports"
bridge link set dev "$tap" isolated off
ip route add blackhole "$ip2/32"
drops 1 '^lab: does not get what goes to' routed "a route that swallows"
ip route del blackhole "$ip2/32"
ip route add "$ip2/32" dev uplink
drops 1 'lead it to uplink' routed "a route that leads elsewhere"
ip route del "$ip2/32" dev uplink
ip rule add from 10.75.0.0/24 prohibit
check "a rule of routing" matches "$(why 1)" 'does not route what comes from'
check "with an address, without a line that would cure nothing" matches "$(why 1 --to 192.0.2.2)" 'refuses what goes from .* to 192.0.2.2; look at'
ip rule del from 10.75.0.0/24 prohibit
ip rule add from 10.75.0.0/24 lookup 100
ip route add default via 192.0.2.99 dev uplink table 100
guest na 'ping -c 1 -W 4 198.18.0.1 >/dev/null' >/dev/null
check "a gateway of another table that does not answer" until_true 30 eval '[[ $(why 1) == "uplink: hears nothing from 192.0.2.99"* ]]'
ip route flush table 100
ip rule del from 10.75.0.0/24 lookup 100
check "all is well again" until_true 30 both

say "-- rp_filter"
n network create two --subnet 10.77.0.0/24 >/dev/null
n network create alone --mode isolated --subnet 10.78.0.0/24 >/dev/null
n launch nc --cloud other --memory 64M --nested off --accel tcg --vnc off --nic network=lab --nic network=two --nic network=alone >/dev/null
sysctl -qw net.ipv4.conf.all.rp_filter=1
outside ip addr add 10.75.0.77/32 dev wan
outside ping -q -c 2 -i 0.2 -W 1 -I 10.75.0.77 192.0.2.1 >/dev/null
outside ip addr del 10.75.0.77/32 dev wan
check "it has dropped something here before" test "$(nstat -az IPReversePathFilter 2>/dev/null | awk '/Reverse/ { print $2 }')" != 0
check "is no cause where the way back is the way out" equal "$(broken_nics --to 192.0.2.2)" '[]'
check "nor of another network's way" equal "$(json path other/nc --to 192.0.2.2 | jq -c '[.paths[] | select(.broken != null) | .nic]')" '[2]'
sysctl -qw net.ipv4.conf.all.rp_filter=0

say "-- a bridge that this host routes for"
ip link add virbr7 type bridge
ip addr add 192.168.122.1/24 dev virbr7
ip link set virbr7 up
n launch nb --memory 64M --nested off --accel tcg --vnc off --nic bridge=virbr7,ip=192.168.122.5 >/dev/null
found() { json path nb "$@" | jq -r '.paths[0].broken | if . == null then "" else .device + ": " + .why end'; }
check "needs no uplink" equal "$(found)" ''
check "its way out is seen" equal "$(json path nb | jq -r '.paths[0].devices[0].name')" uplink
iptables -P FORWARD DROP
check "a filter on it is found" matches "$(found)" '^virbr7: has a foreign filter'
check "and its cure is that of what is routed" equal "$(in_doctor 'filter virbr7')" 'iptables -I FORWARD -i virbr7 -j ACCEPT && iptables -I FORWARD -o virbr7 -j ACCEPT'
iptables -P FORWARD ACCEPT

say "-- our own doing"
n pause nb
check "a guest that is paused" matches "$(found)" '^guest: does not run: paused; `nutshell resume nb`'
n resume nb
check "goes on" equal "$(found)" ''
check "a machine of another cloud" matches "$(why 1 --to "$(json show other/nc | jq -r '.nics[0].ip')")" 'keeps the clouds default and other apart'
check "a machine in a NAT network" matches "$(why 1 --to "$(json show other/nc | jq -r '.nics[1].ip')")" 'clouds|lets nothing into the network two'
nic2() { json path other/nc --to 192.0.2.2 | jq -r '.paths[2].broken.why'; }
check "a network that is isolated" matches "$(nic2)" 'is isolated: nothing of its machines leaves it'
refuse 2 'is the address of no other host' nutshell path na --to 127.0.0.1
n rm nb --force
n rm other/nc --force

say "-- filters that cannot be seen"
mkdir "$scratch/broken"
printf '#!/bin/sh\nexit 1\n' >"$scratch/broken/nft"
chmod 755 "$scratch/broken/nft"
blind() { PATH=$scratch/broken:$PATH nutshell path na 2>&1; }
check "nothing is claimed of them" matches "$(blind)" 'nothing else of it is found broken, but its filters could not be seen'
check "in JSON, too" equal "$(PATH=$scratch/broken:$PATH json path na | jq .filters_seen)" false
n rm na --force
finish

#!/usr/bin/env bash
# Names and addresses that pass from hand to hand, with real guests: who is stopped or removed is known no more at once; who gets
# an address after another answers the first ping and the first question, from the host, from its neighbour who knew the old MAC,
# and from a desk elsewhere. Names for IPv6 addresses that guests gave themselves. Who is no guest is told no names.
. "$(dirname "$0")/lib.sh"

# The desk: a namespace of its own behind a link of this host, which it takes for the way to everywhere.
desk=nutshell-desk-${scratch##*.}
ip netns add "$desk"
on_desk() { ip netns exec "$desk" "$@"; }
ip link add uplink type veth peer name eth0 netns "$desk"
ip addr add 192.0.2.1/24 dev uplink
ip link set uplink up
on_desk ip link set lo up
on_desk ip addr add 192.0.2.2/24 dev eth0
on_desk ip link set eth0 up
on_desk ip route add default via 192.0.2.1
ip netns exec "$desk" socat TCP4-LISTEN:7777,fork,reuseaddr SYSTEM:'echo "desk sees $SOCAT_PEERADDR:$SOCAT_PEERPORT"' &
server=$!
trap 'kill "$server" 2>/dev/null; ip netns del "$desk"; cleanup' EXIT

boot() { local name=$1; shift; quick "$name" --cloud shop "$@" --wait 'serial=nutshell-guest: eth0 [0-9.]+/' --timeout 90 >/dev/null; }
reaches() { guest "$1" "ping -c 1 -W 1 $2 >/dev/null && echo reached || echo lost"; }
# addresses WHO: those that DNS has for the name on the network dmz.
addresses() { busybox nslookup "$1.shop.nutshell" 10.88.0.1 2>/dev/null | sed -n '4,$s/^Address: *//p' | sort | xargs; }
mac_of() { json show "$1" | jq -r '.nics[0].mac'; }
eui64() { # the address that follows from a MAC (RFC 4291, appendix A), as ip prints it
  local byte
  IFS=: read -ra byte <<<"$1"
  printf '2001:db8:88:0:%x:%x:%x:%x' $(((0x${byte[0]} ^ 2) << 8 | 0x${byte[1]})) $((0x${byte[2]} << 8 | 0xff)) $((0xfe00 | 0x${byte[3]})) $((0x${byte[4]} << 8 | 0x${byte[5]}))
}
# same_address A B: whatever is shortened in them.
same_address() { perl -MSocket=inet_pton,AF_INET6 -e 'exit 1 if inet_pton(AF_INET6, $ARGV[0]) ne inet_pton(AF_INET6, $ARGV[1])' "$1" "$2"; }
nobody() { ! "$@"; }
knows_both() { [[ $(addresses "$1" | wc -w) -eq 2 ]]; }
# over_tcp: how many bytes the desk is answered when it asks the network's DNS for old.shop.nutshell over TCP.
over_tcp() { printf '\0\43\1\2\1\0\0\1\0\0\0\0\0\0\3old\4shop\10nutshell\0\0\1\0\1' | "$@" socat -t 2 - TCP4:10.88.0.1:53,connect-timeout=2 2>/dev/null | wc -c; }

check "a routed network with a prefix" n network create dmz --mode routed --subnet 10.88.0.0/24 --ipv6 2001:db8:88::/64 --quiet
check "a guest" boot old --nic network=dmz,ip=10.88.0.10
check "its neighbour" boot next --nic network=dmz
next=$(ip_of next) old_mac=$(mac_of old)

say "-- names"
check "both addresses are in DNS: DHCP's, and the one that the guest gave itself" until_true 30 knows_both old
read -r four six <<<"$(addresses old)"
check "the first" equal "$four" 10.88.0.10
check "the second follows from the MAC" same_address "$six" "$(eui64 "$old_mac")"
check "and is the guest's" matches "$(guest old 'ip -6 addr show dev eth0 scope global')" "$(eui64 "$old_mac" | cut -d: -f5-)/64"
check "the neighbour has both, too" until_true 30 knows_both next
check "and reaches it by name and IPv6" equal "$(guest next 'ping -6 -c 1 -W 2 old >/dev/null && echo reached || echo lost')" reached
check "its cloud's domain alone: another cloud has no such machine" equal "$(busybox nslookup old.default.nutshell 10.88.0.1 2>&1 | grep -c NXDOMAIN)" 2
check "the desk reaches the guest" on_desk ping -q -c 1 -W 2 10.88.0.10
check "the host is told names over TCP, too" test "$(over_tcp)" -gt 40
check "but the desk is told none" equal "$(on_desk timeout 3 busybox nslookup old.shop.nutshell 10.88.0.1 2>&1 | grep -c '10\.88\.0\.10')" 0
check "nor over TCP" equal "$(over_tcp on_desk)" 0

say "-- who is stopped"
check "the neighbour knows its MAC" equal "$(reaches next 10.88.0.10)" reached
check "and has it" matches "$(guest next 'ip neigh show 10.88.0.10')" "$old_mac"
check "a connection to the desk" matches "$(guest old 'nc -w 3 192.0.2.2 7777 </dev/null')" 'desk sees 10\.88\.0\.10:'
dnsmasq=$(cut -d' ' -f1 "$root/run/net-dmz/dnsmasq.pid")
n kill old
check "its names are gone at once" equal "$(addresses old)" ''
check "and back" nobody matches "$(busybox nslookup 10.88.0.10 10.88.0.1 2>&1)" 'name ='
check "DHCP keeps its address for it, without a name, and no lease" equal "$(grep -h "$old_mac" "$root"/run/net-dmz/{hosts,leases})" "$old_mac,set:cloud-shop,10.88.0.10"
check "its neighbour has its name still" equal "$(addresses next | awk '{print $1}')" "$next"
check "the address is its own still" matches "$(n who 10.88.0.10)" 'old'
refuse 4 '10\.88\.0\.10 .*old' n create thief --nic network=dmz,ip=10.88.0.10
check "it is removed" n rm old

say "-- the address passes on"
check "another machine gets it" boot new --nic network=dmz,ip=10.88.0.10
check "with another MAC" nobody equal "$(mac_of new)" "$old_mac" >/dev/null
check "the host's first ping" ping -q -c 1 -W 1 10.88.0.10
check "its neighbour's first ping, who knew the old MAC" equal "$(reaches next 10.88.0.10)" reached
check "the desk's first ping" on_desk ping -q -c 1 -W 1 10.88.0.10
check "its first connection" matches "$(guest new 'nc -w 3 192.0.2.2 7777 </dev/null')" 'desk sees 10\.88\.0\.10:'
check "the first question for its name" equal "$(addresses new | awk '{print $1}')" 10.88.0.10
check "and for its address" matches "$(busybox nslookup 10.88.0.10 10.88.0.1)" 'name = new\.shop\.nutshell'
check "of the old name nothing is left" equal "$(addresses old)" ''
check "its IPv6 address follows" until_true 30 knows_both new
check "by its own MAC" same_address "$(addresses new | cut -d' ' -f2)" "$(eui64 "$(mac_of new)")"

say "-- a NIC that is dropped"
n kill new
check "with it goes the address" n set new --drop-nic 0 --nic user --quiet
check "it is free at once" boot newer --nic network=dmz,ip=10.88.0.10
check "and answers its neighbour's first ping" equal "$(reaches next 10.88.0.10)" reached
finish

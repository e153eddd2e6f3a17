#!/usr/bin/env bash
# NAT, routed and isolated networks with real guests, and a desk that is somewhere else: who reaches whom, under which address,
# by which name, by IPv4 and IPv6, with and without br_netfilter; and when the last machine is gone, nothing is.
. "$(dirname "$0")/lib.sh"

# The desk: a namespace of its own behind a link of this host, which it takes for the way to everywhere.
desk=nutshell-desk-${scratch##*.}
ip netns add "$desk"
on_desk() { ip netns exec "$desk" "$@"; }
ip link add uplink type veth peer name eth0 netns "$desk"
ip addr add 192.0.2.1/24 dev uplink
ip -6 addr add 2001:db8:2::1/64 dev uplink nodad
ip link set uplink up
on_desk ip link set lo up
on_desk ip addr add 192.0.2.2/24 dev eth0
on_desk ip -6 addr add 2001:db8:2::2/64 dev eth0 nodad
on_desk ip link set eth0 up
on_desk ip route add default via 192.0.2.1
on_desk ip -6 route add default via 2001:db8:2::1
for listen in TCP4-LISTEN:7777 TCP6-LISTEN:7777,ipv6only=1; do
  ip netns exec "$desk" socat "$listen,fork,reuseaddr" SYSTEM:'echo "desk sees $SOCAT_PEERADDR"' & # says under which address it is reached
  servers+=("$!")
done
trap 'kill "${servers[@]}" 2>/dev/null; ip netns del "$desk"; cleanup' EXIT

# What a stranger has, under names that look like ours.
ip link add nutshell7 type bridge
ip link set nutshell7 alias nutshell:network:nutshell0:ffff
ip addr add 10.99.77.1/24 dev nutshell7
ip link set nutshell7 up
nft -f - <<'END'
table inet nutshell-ffff { comment "nutshell:ffff"; chain forward { type filter hook forward priority 0; policy accept; }; }
table ip nutshell { chain c { counter; }; }
END
mkdir "$scratch/net-nutshell0"
dnsmasq --no-daemon --port=0 --interface=nutshell7 --bind-interfaces --except-interface=lo --dhcp-range=10.99.77.2,10.99.77.9 --conf-file=/dev/null \
  --pid-file="$scratch/net-nutshell0/dnsmasq.pid" --dhcp-leasefile="$scratch/leases" 2>/dev/null &
stranger=$!
servers+=("$stranger")
world() { ip -o link 2>/dev/null | awk -F': ' '{print "link", $2}' | grep -v '^link nt'; nft -j list ruleset; cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/{all,uplink}/{forwarding,accept_ra}; ip -o addr show dev uplink scope global; }
strangers() { nft -j list ruleset | jq -c '[.nftables[] | select((.table // .chain // .rule // .set // .map // {}) | (.table // .name) == "nutshell" and (.family | IN("inet", "bridge")) | not)]'; }
before=$(world)
theirs=$(strangers)

boot() { local name=$1; shift; quick "$name" "$@" --wait 'serial=nutshell-guest: eth0 [0-9.]+/' --timeout 90 >/dev/null; }
address_line() { tr -d '\r' <"$root/log/$(uuid_of "$1")/1.serial" | grep -a 'nutshell-guest: eth0 '; }
reaches() { guest "$1" "ping -c 1 -W 2 $2 >/dev/null && echo reached || echo lost"; }
# nc waits for ever for a peer that says nothing, and its shell with it.
sees() { guest "$1" "timeout 10 nc -w 3 $2 7777 </dev/null"; }
from_desk() { on_desk ping -q -c 1 -W 2 "$1" >/dev/null; }
nobody() { ! "$@"; }

check "make an isolated network" n network create quiet --mode isolated --ipv6 fd00:75::/64
check "a routed one with a range of its own" n network create dmz --mode routed --subnet 10.88.0.0/28 --mtu 1400 --ipv6 2001:db8:88::/64
check "a second NAT network" n network create lab --ipv6 fd00:76::/64
check "nothing of them is on the host yet" equal "$(world)" "$before"

said=$(nutshell launch na --cloud shop --memory 256M --nested off --accel tcg --kernel "$guest/vmlinuz" --initrd "$guest/initrd" --append "console=ttyS0 quiet" \
  --wait 'serial=nutshell-guest: eth0 [0-9.]+/' --timeout 90 2>&1)
check "the first machine says that forwarding was off" matches "$said" 'IPv4 forwarding was off'
check "a guest of the second NAT network" boot nb --cloud shop --nic network=lab
check "a routed guest" boot ro --cloud shop --nic network=dmz
check "an isolated guest" boot qa --nic network=quiet
check "and another one" boot qb --nic network=quiet
na=$(ip_of na) nb=$(ip_of nb) ro=$(ip_of ro) qb=$(ip_of qb)
gateway=${na%.*}.1

say "-- what DHCP gave"
check "address, gateway and MTU" equal "$(address_line na)" "nutshell-guest: eth0 $na/24 gw $gateway mtu 1500"
check "the network's own MTU" equal "$(address_line ro)" "nutshell-guest: eth0 $ro/28 gw 10.88.0.1 mtu 1400"
check "no way out of an isolated network" matches "$(address_line qa)" 'gw none mtu 1500'
check "name server and domain" equal "$(guest na 'cat /etc/resolv.conf' | xargs)" "search shop.nutshell nameserver $gateway"

say "-- names"
check "a name of one's own network" matches "$(guest na "nslookup na.shop.nutshell | tail -n +4")" "Address: $na"
check "and back" matches "$(guest na "nslookup $na | tail -n +4")" 'name = na.shop.nutshell'
check "alone, by the cloud's domain" matches "$(guest na 'ping -c 1 -W 2 na')" "PING na \($na\)"
check "what nobody has is not asked elsewhere" matches "$(guest na 'nslookup no.shop.nutshell')" 'NXDOMAIN'
check "an isolated network knows its own" matches "$(guest qa 'ping -4 -c 1 -W 2 qb')" "PING qb \($qb\)"

for bridged in 0 1; do
  say "-- who reaches whom, bridge-nf-call-iptables $bridged"
  sysctl -qw net.bridge.bridge-nf-call-iptables=$bridged net.bridge.bridge-nf-call-ip6tables=$bridged
  check "NAT: the desk sees the host's address" equal "$(sees na 192.0.2.2)" 'desk sees 192.0.2.1'
  check "NAT: the desk does not get in" nobody from_desk "$na"
  check "routed: the desk sees the guest" equal "$(sees ro 192.0.2.2)" "desk sees $ro"
  check "routed: the desk gets in" from_desk "$ro"
  check "isolated: no way to the desk, with a route set by hand either" equal "$(guest qa "ip route replace default via ${qb%.*}.1; ping -c 1 -W 2 192.0.2.2 >/dev/null && echo reached || echo lost")" lost
  check "isolated: the desk does not get in" nobody from_desk "$qb"
  check "isolated: nor to the host, whose DNS it has" equal "$(reaches qa "${qb%.*}.1")" lost
  check "isolated: its machines reach one another" equal "$(reaches qa "$qb")" reached
  check "one NAT network does not reach another" equal "$(reaches na "$nb")" lost
  check "nor an isolated one" equal "$(reaches na "$qb")" lost
  check "but a routed one" equal "$(reaches nb "$ro")" reached
  check "the host reaches all of them" bash -c "for a in $na $nb $ro $qb; do ping -q -c 1 -W 2 \$a >/dev/null || exit 1; done"
done

say "-- IPv6"
global() { guest "$1" "ip -6 addr show dev eth0 scope global" | sed -n 's/.*inet6 \([0-9a-f:]*\)\/64.*/\1/p' | head -n 1; }
has_global() { [[ -n $(global "$1") ]]; }
check "a NAT guest has an address of the prefix" until_true 30 has_global nb
check "it is the prefix's" matches "$(global nb)" '^fd00:76:'
check "NAT: the desk sees the host's address" matches "$(sees nb 2001:db8:2::2)" 'desk sees \[?2001:0?db8:0?0?0?2:.*1\]?$'
check "a routed guest has one, too" until_true 30 has_global ro
check "routed: the desk gets in" from_desk "$(global ro)"
check "routed: and sees the guest" nobody matches "$(sees ro 2001:db8:2::2)" 'desk sees .*2001:0?db8:0?0?0?2:'
check "an isolated guest has one" until_true 30 has_global qa
check "and no router" equal "$(guest qa 'ip -6 route show default')" ''
check "isolated guests reach one another" equal "$(reaches qa "$(global qb)")" reached
check "the host forwards IPv6 meanwhile, and still hears routers" equal "$(cat /proc/sys/net/ipv6/conf/{all/forwarding,uplink/accept_ra} | xargs)" "1 2"

say "-- dnsmasq"
dns_pid() { cut -d' ' -f1 "$root/run/net-nutshell0/dnsmasq.pid"; }
killed=$(dns_pid)
kill -9 "$killed"
ended() { ! our_processes | grep -qx "$killed"; }
until_true 30 ended
check "one that died is started again by the next command that looks" matches "$(nutshell ls 2>&1)" 'nutshell0: its dnsmasq had died'
check "it answers" matches "$(busybox nslookup na.shop.nutshell "$gateway")" "Address.*$na"
check "and is left alone by the one after" equal "$(before=$(dns_pid); n ls >/dev/null; [[ $(dns_pid) == "$before" ]] && echo same)" same
check "gc finds nothing" matches "$(n gc)" 'nothing was left'
first=$(dns_pid)
rm -r "$root/run/net-nutshell0"
check "one whose folder is gone is replaced" matches "$(nutshell ls 2>&1)" 'nutshell0: its dnsmasq had died'
check "the other has ended" equal "$(our_processes | grep -xc "$first")" 0
check "strangers' rules are as they were" equal "$(strangers)" "$theirs"
nft delete table inet nutshell
check "a table that somebody removed is back with the next machine" boot nc --cloud shop
check "it lets nobody in" nobody from_desk "$na"
check "who is new is known by name" matches "$(busybox nslookup nc.shop.nutshell "$gateway")" "Address.*$(ip_of nc)"
gone=$(ip_of nc)
n rm nc --force
check "who is removed is not" bash -c "! busybox nslookup nc.shop.nutshell $gateway >/dev/null"
check "an address that passes on" boot nd --cloud shop --nic "network=nutshell0,ip=$gone"
check "has the new one's name at once" matches "$(busybox nslookup "$gone" "$gateway")" 'nd\.shop\.nutshell'

say "-- the list"
check "network ls" matches "$(n network ls)" 'dmz +routed +10\.88\.0\.0/28 +2001:db8:88::/64 +dmz +1400 +on +up +1'
check "as JSON" equal "$(json network ls | jq -c '.networks[] | select(.name == "quiet") | [.mode, .by_hand, .up, (.machines | map(.name))]')" '["isolated",true,true,["qa","qb"]]'
refuse 4 'network quiet: qa, qb have a NIC there' n network rm quiet
refuse 4 'overlaps 10\.88\.0\.0/28, which is the network dmz.s' n network create other --subnet 10.88.0.0/24
refuse 4 'prefix fd00:76::/64 is the network lab.s' n network create other --ipv6 fd00:76::/64
refuse 4 'prefix 2001:db8:2::/64 is held by route .* by uplink' n network create other --ipv6 2001:db8:2::/64

say "-- the last machines"
for name in na nb nd ro qa; do n rm "$name" --force; done
check "the isolated network is still up" equal "$(ip -o link show type bridge 2>/dev/null | awk -F': ' '{print $2}' | xargs)" "nutshell7 quiet"
check "and forwarding is as it was" equal "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/{all/forwarding,uplink/accept_ra} | xargs)" "0 0 1"
n kill qb
check "nothing is left on the host" equal "$(world)" "$before"
check "no process but the stranger's dnsmasq" equal "$(our_processes)" "$stranger"
check "no file of a run" equal "$(find "$root/run" -mindepth 1)" ''
check "a network that was made by hand stays without machines" n rm qb
check "it is listed" equal "$(json network ls | jq -c '[.networks[].name]')" '["dmz","lab","quiet"]'
for name in dmz lab quiet; do n network rm "$name"; done
check "and removed, with its note and lock" equal "$(find "$root/state/networks" -name '[a-z]*' -type f -printf '%f\n')" 'nutshell0.lock'
check "its subnet and MAC are free again" equal "$(n lease ls --json | jq -c '[.leases[] | select(.foreign == null)]')" '[]'
finish

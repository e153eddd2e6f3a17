#!/usr/bin/env bash
# Security groups by IPv6, with packets from a desk outside: what names an IPv4 network opens nothing there, and the other way round.
. "$(dirname "$0")/lib.sh"

desk=nutshell-desk-${scratch##*.}
ip netns add "$desk"
on_desk() { ip netns exec "$desk" "$@"; }
trap 'ip netns del "$desk"; cleanup' EXIT
ip link add uplink type veth peer name eth0 netns "$desk"
sysctl -qw net.ipv6.conf.uplink.accept_dad=0
on_desk sysctl -qw net.ipv6.conf.eth0.accept_dad=0
for address in 192.0.2.1/24 2001:db8:2::1/64; do ip addr add "$address" dev uplink; done
for address in 192.0.2.2/24 2001:db8:2::2/64; do on_desk ip addr add "$address" dev eth0; done
ip link set uplink up
on_desk ip link set eth0 up
on_desk ip route add default via 192.0.2.1
on_desk ip -6 route add default via 2001:db8:2::1

n group create web >/dev/null
n network create dmz --mode routed --subnet 10.88.0.0/28 --ipv6 2001:db8:88::/64 --quiet
check "a routed machine in a group" quick web --vnc off --group web --nic network=dmz --wait 'serial=nutshell-guest: eth0 [0-9.]+/' --timeout 90
guest web '(nc -ll -p 80 -e cat &) ; (nc -ll -p 81 -e cat &) ; sleep 1' >/dev/null
six_of() { guest web 'ip -6 addr show dev eth0 scope global' | sed -n 's/.*inet6 \(2001[0-9a-f:]*\)\/64.*/\1/p' | head -n 1; }
has_six() { six=$(six_of); [[ -n $six ]]; }
check "it has an address of the prefix" until_true 60 has_six
# opens HOW PORT: a line goes there and comes back.
opens() { [[ $(echo hello | on_desk timeout 4 socat -t 2 - "$1:$2,connect-timeout=2" 2>/dev/null) == hello ]]; }
pings() { on_desk ping -6 -q -c 1 -W 2 "$six" >/dev/null; }
four=TCP4:10.88.0.2 sixth="TCP6:[$six]"
nobody() { ! "$@"; }
authorize() { n group authorize web "$@" >/dev/null; }
revoke() { n group revoke web "$@" >/dev/null; }

check "nobody gets in" nobody opens "$sixth" 80
check "nor by ping" nobody pings
authorize --protocol tcp --port 80 --from 0.0.0.0/0
check "everybody's IPv4 is opened" opens "$four" 80
check "and that alone" nobody opens "$sixth" 80
revoke --protocol tcp --port 80 --from 0.0.0.0/0
authorize --protocol tcp --port 80 --from 2001:DB8:2:0::/64
check "the desk's IPv6 network is let in" opens "$sixth" 80
check "to that port" nobody opens "$sixth" 81
check "and by IPv6 alone" nobody opens "$four" 80
check "it is listed in its shortest form" matches "$(nutshell group ls web)" 'tcp 80 from 2001:db8:2::/64'
revoke --protocol tcp --port 80 --from 2001:db8:2::/64
check "and no more" nobody opens "$sixth" 80
authorize --protocol tcp --port 80 --from 2001:db8:2::3
check "another host's address is not the desk's" nobody opens "$sixth" 80
authorize --protocol tcp --port 81
check "from anywhere is both" opens "$four" 81
check "IPv6, too" opens "$sixth" 81
authorize --protocol icmp
check "ping by IPv6" pings
refuse 3 'is an address in a network; the network is 2001:db8::/33' n group authorize web --protocol tcp --from 2001:db8::1/33
n rm web --force
finish

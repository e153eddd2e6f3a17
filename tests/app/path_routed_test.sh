#!/usr/bin/env bash
# What lets nothing through between a managed network and the outside, each in a scene that has it: filters on the way that this
# host routes, its routes, neighbours and settings, and the groups. Packets do not arrive, path and doctor name it, the line that
# they print is run, and packets arrive.
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/path_scene.sh"

: >"$scratch/calls"
ip link add uplink type veth peer name wan netns "$far"
ip addr add 192.0.2.1/24 dev uplink
ip link set uplink up
ip route add default via 192.0.2.2
outside ip addr add 192.0.2.2/24 dev wan
outside ip link set wan up
serve socat TCP4-LISTEN:7777,fork,reuseaddr SYSTEM:"echo called >>'$scratch/calls'"

n network create lab --mode routed
n group create web
quick na --group web --append "console=ttyS0 quiet nutshell.dhcp=off" --nic network=nutshell0 --nic network=lab --wait serial='nutshell-guest#' --timeout 90 >/dev/null || { fail 'a guest runs'; finish; }
ip=$(ip_of na) ip2=$(json show na | jq -r '.nics[1].ip') tap2=$(json show na | jq -r '.nics[1].tap') tap=$(json show na | jq -r '.nics[0].tap') managed=nutshell0 gateway=$(ip -j addr show nutshell0 | jq -r '.[0].addr_info[] | select(.family == "inet") | .local')
guest na "ip addr add $ip/24 dev eth0; ip link set eth0 up; ip addr add $ip2/24 dev eth1; ip link set eth1 up; ip route add default via $gateway; (while :; do nc -w 1 192.0.2.2 7777 </dev/null; usleep 200000; done) >/dev/null 2>&1 & true" >/dev/null

# The guest calls all the time. The first call that is heard may have been under way.
called() { (($(wc -l <"$scratch/calls") > heard + 1)); }
gets_out() { heard=$(wc -l <"$scratch/calls"); until_true 3 called; }

check "before all, the guest gets out" until_true 30 gets_out
check "path finds nothing" whole
check "nor to an address" whole --to 192.0.2.2
check "the way out is the first device" equal "$(json path na | jq -r '[.paths[0].devices[] | .role + " " + .name] | join(", ")')" "outer uplink, bridge $managed, tap $tap"
counted() { json path na | jq -r '.paths[0].devices[0].received.packets'; }
before=$(counted)
gets_out
check "and counts what goes through" test "$(counted)" -gt "$before"

say "-- routing"
sysctl -qw net.ipv4.ip_forward=0
check "nothing arrives when forwarding is off" nobody gets_out
check "doctor names it" equal "$(in_doctor "forwarding $managed")" 'sysctl -w net.ipv4.ip_forward=1'
bash -c "$(in_doctor "forwarding $managed")" >/dev/null
check "and cures it" until_true 30 gets_out
sysctl -qw net.ipv4.ip_forward=0
check "path puts it right by itself, and says so" matches "$(nutshell path na 2>&1)" 'IPv4 forwarding is off, which a network needs; it is put right'
check "something arrives" until_true 30 gets_out
sysctl -qw "net.ipv4.conf.$managed.forwarding=0"
scene "forwarding is off on the bridge" "$managed" "net.ipv4.conf.$managed.forwarding is 0" gets_out "forwarding $managed"
sysctl -qw net.ipv4.conf.uplink.forwarding=0
scene "forwarding is off on the way out" uplink "net.ipv4.conf.uplink.forwarding is 0" gets_out "forwarding $managed"
ip link add uplink2 type veth peer name wan2 netns "$far"
ip addr add 198.51.100.1/24 dev uplink2
ip link set uplink2 up
outside ip addr add 198.51.100.2/24 dev wan2
outside ip link set wan2 up
outside sysctl -qw net.ipv4.conf.all.arp_announce=2 # its ARP is heard: only what it answers is dropped
outside ip route add 192.0.2.1/32 via 198.51.100.1 dev wan2
sysctl -qw net.ipv4.conf.uplink2.rp_filter=1
to=(--to 192.0.2.2)
scene "rp_filter drops answers that come by another link" uplink2 'rp_filter' gets_out rp_filter
to=()
outside ip route del 192.0.2.1/32
ip route del default
check "no route" names '^nutshell0: .*no route to 203.0.113.9' --to 203.0.113.9
cure=$(broken --to 203.0.113.9 | jq -r .why | sed -n 's/.*`\(ip route add [^`]*\)`.*/\1/p')
check "the form of its cure" equal "$cure" 'ip route add 203.0.113.9 via GATEWAY'
bash -c "${cure/GATEWAY/192.0.2.2}"
check "a route again" whole --to 203.0.113.9
check "the default route is missed" matches "$(nutshell path na)" 'this host has no default route'
ip route add default via 192.0.2.2
check "something arrives" until_true 30 gets_out
# A neighbour that failed is the kernel's to forget at any time: each look comes right after somebody asked for it.
unheard() { guest na 'ping -c 1 -W 4 192.0.2.77 >/dev/null' >/dev/null; names '^uplink: hears nothing from 192.0.2.77' --to 192.0.2.77; }
check "an address that nobody answers for" until_true 20 unheard
outside ip addr add 192.0.2.77/24 dev wan
guest na 'ping -c 1 -W 4 192.0.2.77 >/dev/null' >/dev/null
check "it answers" until_true 30 whole --to 192.0.2.77
guest na 'ip link set eth0 down' >/dev/null
ip neigh flush dev "$managed"
silent() { ping -q -c 1 -W 4 "$ip" >/dev/null; names "^$managed: hears nothing from $ip, the machine's address"; }
check "the machine itself does not answer" until_true 20 silent
guest na "ip link set eth0 up; ip route add default via $gateway" >/dev/null
up_again() { ping -q -c 1 -W 1 "$ip" >/dev/null && whole; }
check "it answers again" until_true 30 up_again

say "-- filters"
docker_rules iptables
scene "Docker" "$managed" "Docker's ip filter FORWARD, whose policy is drop.*DOCKER-USER" gets_out "filter $managed"
docker_rules_off iptables
iptables -A FORWARD -o "$managed" -j DROP
scene "answers alone are dropped" "$managed" 'drops what goes to the machine: ip filter FORWARD, by a rule that drops' gets_out "filter $managed"
iptables -F
nft -f - <<<'table inet lab { chain forward { type filter hook forward priority 5; policy drop; }; }'
scene "a table of nft" "$managed" 'inet lab forward, whose policy is drop' gets_out "filter $managed"
nft delete table inet lab
nft -f - <<<'table netdev lab { chain in { type filter hook ingress device "uplink" priority 0; policy accept; counter drop; }; }'
scene "a filter on the way out" uplink 'netdev lab in, by a rule that drops' gets_out "filter $managed"
nft delete table netdev lab

say "-- ufw"
ufw --force enable >/dev/null
leased() { [[ $(guest na "udhcpc -i eth0 -n -q -t 3 -T 1 -s /bin/true >/dev/null 2>&1 && echo leased") == *leased* ]]; }
check "ufw drops what the machine asks of this host" nobody leased
check "path says so" matches "$(broken | jq -r .why)" "what the machine asks of this host: ufw's"
check "its cure" equal "$(broken | jq -r .cure)" "ufw allow in on $managed"
bash -c "$(broken | jq -r .cure)" >/dev/null
check "the machine is served" until_true 30 leased
scene "ufw" "$managed" "ufw's ip filter FORWARD" gets_out "filter $managed"
ufw --force disable >/dev/null
iptables -P INPUT ACCEPT
iptables -P FORWARD ACCEPT

say "-- firewalld"
check "firewalld runs" firewalld_starts
scene "firewalld" "$managed" "firewalld's inet firewalld filter_IN_public" gets_out "filter $managed"
firewalld_ends
check "it leaves nothing behind" equal "$(nft list tables | grep firewalld)" ''

say "-- a group that is closed"
outside ip route add "$ip2/32" via 192.0.2.1
# Calls that it began from its other address would be tried again over here, and dropped as not its own, which path says first.
guest na "ip addr flush dev eth0; ip route replace default via ${ip2%.*}.1" >/dev/null
answers() { outside ping -q -c 1 -W 1 "$ip2" >/dev/null; }
serve ping -q -i 0.2 "$ip2"
check "nothing arrives" nobody answers
closed() { [[ $(json path na | jq -r '.paths[1].broken | .device + ": " + .why') == "$tap2: is closed by the group web: "* ]]; }
check "path names the group" until_true 20 closed
cure=$(json path na | jq -r '.paths[1].broken.why' | sed -n 's/.*`\(nutshell group authorize [^`]*\)`.*/\1/p')
check "the form of its cure" equal "$cure" 'nutshell group authorize web --protocol PROTOCOL --port PORT'
cure=${cure/PROTOCOL --port PORT/icmp}
n ${cure#nutshell }
check "something arrives" until_true 30 answers
open_again() { [[ $(json path na | jq -r '.paths[1].broken') == null ]]; }
check "it is not named when it is open" until_true 30 open_again
n rm na --force
finish

#!/usr/bin/env bash
# What lets nothing through on real hosts, each in a scene that has it: packets do not arrive, path and doctor name it, the line
# that they print is run, and packets arrive. The filters are those of ufw itself, of iptables of both kinds with Docker's chains,
# and of nft in each family.
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/lib.sh"
foreign_tools

# Outside: a namespace behind the uplink of br0, and behind the link by which this host routes.
far=nutshell-far-${scratch##*.}
ip netns add "$far"
outside() { ip netns exec "$far" "$@"; }
trap 'kill "${servers[@]}" 2>/dev/null; ip netns del "$far"; foreign_away; cleanup' EXIT
servers=()
: >"$scratch/calls"
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
ip link add br0 type bridge
ip link set br0 up
ip link add em1 type veth peer name lan netns "$far"
ip link set em1 master br0 up
ip link add uplink type veth peer name wan netns "$far"
ip addr add 192.0.2.1/24 dev uplink
ip link set uplink up
ip route add default via 192.0.2.2
outside ip link set lo up
outside ip addr add 192.168.60.9/24 dev lan
outside ip link set lan up
outside ip addr add 192.0.2.2/24 dev wan
outside ip link set wan up
outside sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan.rp_filter=0
outside socat TCP4-LISTEN:7777,fork,reuseaddr SYSTEM:"echo called >>'$scratch/calls'" &
servers+=("$!")

quick na --append "console=ttyS0 quiet nutshell.dhcp=off" --nic bridge=br0,ip=192.168.60.2 --nic network=nutshell0 --wait serial='nutshell-guest#' --timeout 90 >/dev/null || { fail 'a guest runs'; finish; }
ip1=$(json show na | jq -r '.nics[1].ip') tap0=$(json show na | jq -r '.nics[0].tap')
managed=$(json show na | jq -r '.nics[1].bridge') gateway=${ip1%.*}.1

# guest COMMAND: what COMMAND prints when it is typed into the guest's serial line.
guest() {
  local log mark=$((RANDOM + 100000))
  log=$root/log/$(uuid_of na)/1.serial
  type_to na "echo begin-\$(($mark+1)); $1; echo end-\$(($mark+1))"
  until_true 30 grep -qa "^end-$((mark + 1))" "$log"
  tr -d '\r' <"$log" | sed -n "/^begin-$((mark + 1))/,/^end-$((mark + 1))/p" | sed '1d;$d'
}
guest "ip addr add 192.168.60.2/24 dev eth0; ip link set eth0 up; ip addr add $ip1/24 dev eth1; ip link set eth1 up; ip route add default via $gateway; (while :; do echo guest-here | nc -l -p 7777; done) >/dev/null 2>&1 & (while :; do nc -w 1 192.0.2.2 7777 </dev/null; usleep 200000; done) >/dev/null 2>&1 & true" >/dev/null

gets_in() { [[ $(outside socat -T 3 - TCP4:192.168.60.2:7777,connect-timeout=2 </dev/null 2>/dev/null) == guest-here ]]; }
# The guest calls all the time. The first call that is heard may have been under way.
called() { (($(wc -l <"$scratch/calls") > heard + 1)); }
gets_out() { heard=$(wc -l <"$scratch/calls"); until_true 4 called; }
nobody() { ! "$@"; }
broken() { json path na "${@:2}" | jq -r ".paths[$1].broken"; }   # broken NIC [--to ADDRESS]
whole() { [[ $(broken "$@") == null ]]; }
in_doctor() { nutshell --json doctor 2>/dev/null | jq -r --arg name "$1" '[.checks[] | select(.name == $name) | .cure] | join("\n")'; }

# scene WHAT NIC DEVICE PATTERN TRAFFIC [DOCTOR]: TRAFFIC fails, path names DEVICE and says PATTERN, as does the check DOCTOR of
# doctor; the printed line, run, cures it. Further arguments of path are in $to.
to=()
scene() {
  local what=$1 nic=$2 device=$3 pattern=$4 traffic=$5 doctor=${6:-} found cure said
  say "-- $what"
  check "nothing arrives" nobody $traffic
  found=$(broken "$nic" "${to[@]}")
  check "path names the device" equal "$(jq -r .device <<<"$found")" "$device"
  check "and the cause" matches "$(jq -r .why <<<"$found")" "$pattern"
  check "as text, too" matches "$(nutshell path na "${to[@]}")" "broken at $device: .*"
  cure=$(jq -r .cure <<<"$found")
  [[ -z $doctor ]] || check "doctor prints the same cure" matches "$(in_doctor "$doctor")" "^$(sed 's/[][\.*^$|+?(){}]/\\&/g' <<<"$cure")\$"
  said=$(bash -c "$cure" 2>&1)
  check "its cure can be run: $cure" test $? -eq 0
  [[ -z $said ]] || say "$said"
  check "something arrives" until_true 10 $traffic
  check "path finds nothing" until_true 5 whole "$nic" "${to[@]}"
  [[ -z $doctor ]] || check "nor does doctor" equal "$(in_doctor "$doctor")" ''
}

check "before all, the outside gets in" until_true 30 gets_in
check "and the guest gets out" until_true 30 gets_out
check "path finds nothing on the bridge" whole 0
check "nor on the managed network" whole 1
check "nor to an address" whole 1 --to 192.0.2.2
check "the way out is the first device" equal "$(json path na | jq -r '[.paths[1].devices[] | .role + " " + .name] | .[0:2] | join(", ")')" "outer uplink, bridge $managed"

say "-- devices"
ip link set em1 down
scene "the uplink is down" 0 em1 'is down' gets_in
ip link set "$tap0" nomaster
scene "the tap is no port" 0 "$tap0" 'no port of br0' gets_in
large_gets_in() { outside ping -q -c 1 -W 1 -s 1450 192.168.60.2 >/dev/null; }
ip link set em1 mtu 1400
scene "the uplink's MTU is less" 0 em1 'MTU of 1400' large_gets_in

say "-- filters on a bridge"
docker_rules iptables
scene "Docker" 0 br0 "foreign filter.*Docker's ip filter FORWARD, whose policy is drop.*DOCKER-USER" gets_in 'filter br0'
iptables -F DOCKER-USER
sysctl -qw net.bridge.bridge-nf-call-iptables=0
check "Docker stops nothing on a bridge without br_netfilter" gets_in
check "and path knows" whole 0
sysctl -qw net.bridge.bridge-nf-call-iptables=1
docker_rules_off iptables
docker_rules iptables-legacy
scene "Docker by iptables-legacy" 0 br0 "Docker's iptables-legacy ip filter FORWARD" gets_in 'filter br0'
docker_rules_off iptables-legacy
iptables -P FORWARD DROP
iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FORWARD -p icmp -j ACCEPT
scene "a policy of iptables" 0 br0 'ip filter FORWARD, whose policy is drop' gets_in 'filter br0'
iptables -P FORWARD ACCEPT
iptables -F
iptables -A FORWARD -d 192.168.60.2 -p tcp -m comment --comment 'not here' -j REJECT
check "what rejects some packets is told" matches "$(nutshell path na)" 'a rule that rejects \(not here\)'
check "and does not break all" whole 0
iptables -F
iptables -A FORWARD -d 192.168.60.2 -j REJECT
scene "a rule about the machine's address" 0 br0 'ip filter FORWARD, by a rule that rejects' gets_in
iptables -F
nft -f - <<<'table inet lab { chain forward { type filter hook forward priority 5; policy drop; }; }'
scene "a table of nft" 0 br0 'inet lab forward, whose policy is drop' gets_in 'filter br0'
nft delete table inet lab
nft -f - <<<'table bridge lab { chain forward { type filter hook forward priority 0; policy drop; }; }'
scene "a table of the family bridge" 0 br0 'bridge lab forward, whose policy is drop' gets_in 'filter br0'
nft delete table bridge lab
nft -f - <<<'table netdev lab { chain in { type filter hook ingress device "em1" priority 0; policy accept; counter drop; }; }'
scene "a filter on the uplink itself" 0 em1 'netdev lab in, by a rule that drops' gets_in 'filter br0'
nft delete table netdev lab

say "-- filters on a managed network"
docker_rules iptables
scene "Docker" 1 "$managed" "Docker's ip filter FORWARD, whose policy is drop.*DOCKER-USER" gets_out "filter $managed"
docker_rules_off iptables
iptables -A FORWARD -o "$managed" -j DROP
scene "answers alone are dropped" 1 "$managed" 'drops what goes to the machine: ip filter FORWARD, by a rule that drops' gets_out "filter $managed"
iptables -F

say "-- ufw"
ufw --force enable >/dev/null
leased() { [[ $(guest "udhcpc -i eth1 -n -q -t 3 -T 1 -s /bin/true >/dev/null 2>&1 && echo leased") == *leased* ]]; }
check "ufw drops what a managed network's machine asks of this host" nobody leased
check "path says so" matches "$(broken 1 | jq -r .why)" "what the machine asks of this host: ufw's"
scene "ufw on a bridge" 0 br0 "ufw's ip filter FORWARD" gets_in 'filter br0'
check "its cure for what is asked of the host" equal "$(broken 1 | jq -r .cure)" "ufw allow in on $managed"
bash -c "$(broken 1 | jq -r .cure)" >/dev/null
check "the machine is served" until_true 10 leased
scene "ufw on a managed network" 1 "$managed" "ufw's ip filter FORWARD" gets_out "filter $managed"
ufw --force disable >/dev/null
iptables -P INPUT ACCEPT
iptables -P FORWARD ACCEPT

say "-- routing"
sysctl -qw net.ipv4.ip_forward=0
scene "forwarding is off" 1 "$managed" 'net.ipv4.ip_forward is 0' gets_out "forwarding $managed"
ip link add uplink2 type veth peer name wan2 netns "$far"
ip addr add 198.51.100.1/24 dev uplink2
ip link set uplink2 up
outside ip addr add 198.51.100.2/24 dev wan2
outside ip link set wan2 up
outside sysctl -qw net.ipv4.conf.wan2.rp_filter=0
outside ip route add 192.0.2.1/32 via 198.51.100.1 dev wan2
sysctl -qw net.ipv4.conf.uplink2.rp_filter=1
to=(--to 192.0.2.2)
scene "rp_filter drops answers that come by another link" 1 uplink2 'rp_filter' gets_out rp_filter
to=()
outside ip route del 192.0.2.1/32
ip route del default
check "no route" matches "$(broken 1 --to 203.0.113.9 | jq -r .why)" 'no route to 203.0.113.9'
ip route add default via 192.0.2.2
check "a route again" whole 1 --to 203.0.113.9
guest 'ping -c 1 -W 4 192.0.2.77 >/dev/null' >/dev/null
silent() { [[ $(broken 1 --to 192.0.2.77 | jq -r '.device + ": " + .why') == 'uplink: hears nothing from 192.0.2.77'* ]]; }
check "an address that nobody answers for" until_true 5 silent
outside ip addr add 192.0.2.77/24 dev wan
guest 'ping -c 1 -W 4 192.0.2.77 >/dev/null' >/dev/null
check "it answers" until_true 5 whole 1 --to 192.0.2.77
guest 'ip link set eth1 down' >/dev/null
ip neigh flush dev "$managed"
ping -q -c 1 -W 4 "$ip1" >/dev/null
check "the machine itself does not answer" matches "$(broken 1 | jq -r '.device + ": " + .why')" "^$managed: hears nothing from $ip1, the machine's address"
guest "ip link set eth1 up; ip route add default via $gateway" >/dev/null
up_again() { ping -q -c 1 -W 1 "$ip1" >/dev/null && whole 1; }
check "it answers again" until_true 10 up_again

say "-- filters of our own"
guest 'ip addr add 192.168.60.77/24 dev eth0; for i in 1 2 3; do ping -I 192.168.60.77 192.168.60.9 >/dev/null 2>&1 & done; true' >/dev/null
forged() { [[ $(broken 0 | jq -r '.device + ": " + .why') == "$tap0: drops by its anti-spoofing"* ]]; }
check "anti-spoofing that drops at this moment" until_true 20 forged
guest 'killall ping; ip addr del 192.168.60.77/24 dev eth0' >/dev/null
check "is over when the guest sends as itself" until_true 10 whole 0
check "what it dropped is still told" matches "$(nutshell path na)" 'anti-spoofing.*packets so far'
tap1=$(json show na | jq -r '.nics[1].tap')
n group create web
n set na --group web
outside ip route add "$ip1/32" via 192.0.2.1
outside ping -q -i 0.2 "$ip1" >/dev/null &
servers+=("$!")
closed() { [[ $(broken 1 | jq -r '.device + ": " + .why') == "$tap1: is closed by the groups web"* ]]; }
check "a group that is closed" until_true 20 closed
n group authorize web --protocol icmp
check "is not named when it is open" until_true 20 whole 1

say "-- watching, and the host's own host"
outside ping -q -i 0.05 192.168.60.2 >/dev/null &
servers+=("$!")
timeout --preserve-status -s INT -k 10 4 "$nutshell_bin" --quiet --root "$root" path na --watch >"$scratch/watch"
check "packets are seen to move" matches "$(grep -A 20 'in each second' "$scratch/watch" | grep -E "^0 +em1" | tail -1)" '[1-9][0-9]* +[0-9.]+K? in [1-9]'
timeout --preserve-status -s INT -k 10 3 "$nutshell_bin" --quiet --json --root "$root" path na --watch >"$scratch/watch.json"
check "and as JSON, a line each" test "$(jq -r '.paths[0].devices[0].received.packets' "$scratch/watch.json" | sort -un | wc -l)" -ge 2
if grep -q '^flags.* hypervisor' /proc/cpuinfo; then
  check "path says that this host is a virtual machine" matches "$(nutshell path na)" 'this host is itself a virtual machine'
  check "and by which MAC the way goes on" equal "$(json path na | jq -r '.outer.macs | index("'"$(cat /sys/class/net/em1/address 2>/dev/null || ip -j link show em1 | jq -r '.[0].address')"'") != null')" true
else
  check "path does not say that this host is a virtual machine" equal "$(json path na | jq -r .outer)" null
fi
refuse 2 'no IPv4 address' nutshell path na --to nowhere
check "an ordinary user is told what he cannot see" matches "$(setpriv --reuid 65534 --clear-groups "$nutshell_bin" --root "$scratch/empty" path na 2>&1)" 'there is no machine'
n rm na --force
finish

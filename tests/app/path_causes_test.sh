#!/usr/bin/env bash
# What lets nothing through a bridge on real hosts, each in a scene that has it: packets do not arrive, path and doctor name it, the
# line that they print is run, and packets arrive. The filters are those of ufw and firewalld themselves, of iptables of both kinds with Docker's
# chains, and of nft in each family.
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/path_scene.sh"

ip link add br0 type bridge
ip link set br0 up
ip link add em1 type veth peer name lan netns "$far"
ip link set em1 master br0 up
outside ip addr add 192.168.60.9/24 dev lan
outside ip link set lan up

quick na --append "console=ttyS0 quiet nutshell.dhcp=off" --nic bridge=br0,ip=192.168.60.2 --wait serial='nutshell-guest#' --timeout 90 >/dev/null || { fail 'a guest runs'; finish; }
tap=$(json show na | jq -r '.nics[0].tap')
guest na "ip addr add 192.168.60.2/24 dev eth0; ip link set eth0 up; (while :; do echo guest-here | nc -l -p 7777; done) >/dev/null 2>&1 & true" >/dev/null

gets_in() { [[ $(outside socat -T 3 - TCP4:192.168.60.2:7777,connect-timeout=1 </dev/null 2>/dev/null) == guest-here ]]; }

check "before all, the outside gets in" until_true 30 gets_in
check "path finds nothing" whole

say "-- devices"
ip link set em1 down
scene "the uplink is down" em1 'is down' gets_in
ip link set "$tap" nomaster
scene "the tap is no port" "$tap" 'no port of br0' gets_in
large_gets_in() { outside ping -q -c 1 -W 1 -s 1450 192.168.60.2 >/dev/null; }
ip link set em1 mtu 1400
scene "the uplink's MTU is less" em1 'MTU of 1400' large_gets_in

say "-- filters on a bridge"
docker_rules iptables
scene "Docker" br0 "foreign filter.*Docker's ip filter FORWARD, whose policy is drop.*DOCKER-USER" gets_in 'filter br0'
iptables -F DOCKER-USER
sysctl -qw net.bridge.bridge-nf-call-iptables=0
check "Docker stops nothing on a bridge without br_netfilter" gets_in
check "and path knows" whole
sysctl -qw net.bridge.bridge-nf-call-iptables=1
docker_rules_off iptables
docker_rules iptables-legacy
scene "Docker by iptables-legacy" br0 "Docker's iptables-legacy ip filter FORWARD" gets_in 'filter br0'
docker_rules_off iptables-legacy
iptables -P FORWARD DROP
iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FORWARD -p icmp -j ACCEPT
scene "a policy of iptables" br0 'ip filter FORWARD, whose policy is drop' gets_in 'filter br0'
iptables -P FORWARD ACCEPT
iptables -F
iptables -A FORWARD -d 192.168.60.2 -p tcp -m comment --comment 'not here' -j REJECT
check "what rejects some packets is told" matches "$(nutshell path na)" 'a rule that rejects \(not here\)'
check "and does not break all" whole
iptables -F
iptables -A FORWARD -d 192.168.60.2 -j REJECT
scene "a rule about the machine's address" br0 'ip filter FORWARD, by a rule that rejects' gets_in
iptables -F
nft -f - <<<'table inet lab { chain forward { type filter hook forward priority 5; policy drop; }; }'
scene "a table of nft" br0 'inet lab forward, whose policy is drop' gets_in 'filter br0'
nft delete table inet lab
nft -f - <<<'table bridge lab { chain forward { type filter hook forward priority 0; policy drop; }; }'
scene "a table of the family bridge" br0 'bridge lab forward, whose policy is drop' gets_in 'filter br0'
nft delete table bridge lab
nft -f - <<<'table netdev lab { chain in { type filter hook ingress device "em1" priority 0; policy accept; counter drop; }; }'
scene "a filter on the uplink itself" em1 'netdev lab in, by a rule that drops' gets_in 'filter br0'
nft delete table netdev lab

say "-- ufw"
ufw --force enable >/dev/null
scene "ufw" br0 "ufw's ip filter FORWARD" gets_in 'filter br0'
ufw --force disable >/dev/null
iptables -P INPUT ACCEPT
iptables -P FORWARD ACCEPT

say "-- firewalld"
check "firewalld runs" firewalld_starts
scene "firewalld" br0 "firewalld's inet firewalld filter_FWD_public" gets_in 'filter br0'
firewalld_ends
check "it leaves nothing behind" equal "$(nft list tables | grep firewalld)" ''

say "-- anti-spoofing"
guest na 'ip addr add 192.168.60.77/24 dev eth0; for i in 1 2 3; do ping -I 192.168.60.77 192.168.60.9 >/dev/null 2>&1 & done; true' >/dev/null
check "anti-spoofing that drops at this moment" until_true 20 names "^$tap: drops by its anti-spoofing"
guest na 'killall ping; ip addr del 192.168.60.77/24 dev eth0' >/dev/null
check "is over when the guest sends as itself" until_true 30 whole
check "what it dropped is still told" matches "$(nutshell path na)" 'anti-spoofing.*packets so far'

say "-- watching, and the host's own host"
serve ping -q -i 0.05 192.168.60.2
timeout --preserve-status -s INT -k 10 4 "$nutshell_bin" --quiet --root "$root" path na --watch >"$scratch/watch"
check "Ctrl-C ends it well" test $? -eq 0
check "packets are seen to move" matches "$(grep -A 20 'in each second' "$scratch/watch" | grep -E "^0 +em1" | tail -1)" '[1-9][0-9]* +[0-9.]+K? in [1-9]'
timeout --preserve-status -s INT -k 10 3 "$nutshell_bin" --quiet --json --root "$root" path na --watch >"$scratch/watch.json"
check "and as JSON, a line each" test "$(jq -r '.paths[0].devices[0].received.packets' "$scratch/watch.json" | sort -un | wc -l)" -ge 2
check "through a pipe that closes, it ends" timeout 10 bash -c '"$@" | head -n 2 >/dev/null' - "$nutshell_bin" --quiet --json --root "$root" path na --watch
timeout --preserve-status -s INT -k 20 12 "$nutshell_bin" --quiet --root "$root" path na --watch >"$scratch/watch.stop" 2>&1 &
watcher=$!
until_true 30 test -s "$scratch/watch.stop"
n stop na --force
check "a machine that stops meanwhile is seen to be stopped" until_true 30 grep -q 'broken at tap: it is not there: the machine does not run' "$scratch/watch.stop"
n start na
check "and to run again" until_true 30 eval 'tail -8 "$scratch/watch.stop" | grep -Eq "^0 +nt.*up"'
n rm na --force
check "one that is removed ends it" until_true 30 nobody kill -0 "$watcher"
wait "$watcher"
check "with the code of a machine that is not there" test $? -eq 6
check "and a sentence" grep -q 'na was removed while it was watched' "$scratch/watch.stop"
n launch nb --memory 64M --nested off --accel tcg --vnc off --nic bridge=br0 >/dev/null
if grep -q '^flags.* hypervisor' /proc/cpuinfo; then
  check "path says that this host is a virtual machine" matches "$(nutshell path nb)" 'this host is itself a virtual machine'
  check "and by which MAC the way goes on" equal "$(json path nb | jq -r '.outer.macs | index("'"$(cat /sys/class/net/em1/address 2>/dev/null || ip -j link show em1 | jq -r '.[0].address')"'") != null')" true
else
  check "path does not say that this host is a virtual machine" equal "$(json path nb | jq -r .outer)" null
fi
refuse 2 'no IPv4 address' nutshell path nb --to nowhere
refuse 2 'is an IPv6 address, and path follows IPv4 alone' nutshell path nb --to 2001:db8::1
check "an ordinary user is told what he cannot see" matches "$(setpriv --reuid 65534 --clear-groups "$nutshell_bin" --root "$scratch/empty" path nb 2>&1)" 'there is no machine'
n rm nb --force
finish

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
ip link set nutshell0 alias nutshell:network:nutshell0
ip addr add 10.98.0.1/24 dev nutshell0
mkdir -p "$scratch/their/net-nutshell0"
dnsmasq --no-daemon --port=0 --interface=nutshell0 --bind-interfaces --except-interface=lo --dhcp-range=10.98.0.2,10.98.0.9 --conf-file=/dev/null \
  --pid-file="$scratch/their/net-nutshell0/dnsmasq.pid" --dhcp-leasefile="$scratch/their/leases" 2>/dev/null &
theirs=$!
nft -f - <<'TABLE'
table inet nutshell { comment "nutshell:0000 of somebody else"; chain forward { type filter hook forward priority filter; policy accept; iifname "nutshell0" counter; }; }
TABLE
stranger_view() { ip -d addr show dev nutshell0 | sed 's/hello_timer.*gc_timer *[0-9.]*//'; bridge -d link show | grep nutshell0; nft -a list table inet nutshell; tr '\0' ' ' <"/proc/$theirs/cmdline"; cat "$scratch/their/leases"; cat /proc/sys/net/ipv4/conf/nutshell0/forwarding; }
until_true 30 test -e "$scratch/their/leases"
stranger=$(stranger_view)
check "launch beside a stranger's range, route and bridge" bare one --nic network=nutshell0
check "it has an address outside of them" matches "$(lease_of one)" '^10\.75\.2\.'
bridge=$(json show one | jq -r '.nics[0].bridge')
check "on a bridge of our own" test "$bridge" != nutshell0
check "with the tap on it" test "$(ip -j link show "$(json show one | jq -r '.nics[0].tap')" | jq -r '.[0].master')" = "$bridge"
check "lease ls names who has what was passed over" matches "$(n lease ls --pool subnet)" 'foreign'
n rm one --force
check "the stranger's bridge, dnsmasq and table are as they were, to the byte" equal "$(stranger_view)" "$stranger"
check "gc finds nothing there" matches "$(n gc)" 'nothing was left'
check "nor does it touch anything" equal "$(stranger_view)" "$stranger"
kill "$theirs"
nft delete table inet nutshell
check "ours is gone" bash -c "! ip link show $bridge 2>/dev/null"
ip link del nutshell0
ip link del stranger

# A bridge of the host that is isolated stays so while networks make the host forward, by IPv6 as by IPv4.
for side in desk inner; do ip netns add "$side-$$"; done
ip link add uplink type veth peer name eth0 netns "desk-$$"
ip link set uplink up
ip addr add 192.0.2.1/24 dev uplink
ip -6 addr add 2001:db8:2::1/64 dev uplink nodad
check "an isolated bridge" n bridge create quiet --isolated --address 10.99.0.1/24 --quiet
ip -6 addr add 2001:db8:9::1/64 dev quiet nodad
ip link add port1 type veth peer name eth0 netns "inner-$$"
ip link set port1 master quiet up
for side in "desk 192.0.2 2001:db8:2" "inner 10.99.0 2001:db8:9"; do
  read -r where v4 v6 <<<"$side"
  ip -n "$where-$$" link set eth0 up
  ip -n "$where-$$" addr add "$v4.2/24" dev eth0
  ip -n "$where-$$" -6 addr add "$v6::2/64" dev eth0 nodad
  ip -n "$where-$$" route add default via "$v4.1"
  ip -n "$where-$$" -6 route add default via "$v6::1"
done
from() { ip netns exec "$1-$$" ping -q -c 1 -W 1 "$2" >/dev/null; }
passes() { local open=''; from inner 192.0.2.2 && open+='v4 out '; from inner 2001:db8:2::2 && open+='v6 out '; from desk 10.99.0.2 && open+='v4 in '; from desk 2001:db8:9::2 && open+='v6 in '; say "${open:-nothing}"; }
check "a network with IPv6" n network create lab --ipv6 fd00:75::/64 --quiet
check "and a machine on it" bare one --nic network=lab
check "the host forwards" equal "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | xargs)" "1 1"
check "nothing passes to or from the isolated bridge" equal "$(passes)" nothing
check "the host is reached from it" from inner 2001:db8:9::1
check "another such bridge, made meanwhile" n bridge create quiet2 --isolated --quiet
check "is closed, too" matches "$(nft list table inet nutshell)" 'iifname "quiet2" oifname != "quiet2" drop'
n bridge rm quiet2
check "and no more when it is gone" equal "$(nft list table inet nutshell | grep -c quiet2)" 0
n rm one --force
check "the rules of the network are gone" equal "$(nft list ruleset | grep -c -e masquerade -e lab)" 0
# Nor does it open when somebody else forwards.
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
check "nothing passes, whoever forwards" equal "$(passes)" nothing
n gc
check "gc leaves the rules" equal "$(passes)" nothing
nft delete table inet nutshell
check "without them it passes" matches "$(passes)" 'v6 out'
check "doctor says so" matches "$(n doctor)" 'bad +bridge quiet.*its rules are gone|bridge quiet.*bad.*its rules are gone'
check "a look at the bridges makes them again" n bridge ls >/dev/null
check "and nothing passes" equal "$(passes)" nothing
sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
ip link del port1
n bridge rm quiet
check "no rule is left" equal "$(nft list ruleset)" ''
ip link add quiet type bridge
check "a stranger's bridge of that name" bare one --nic network=lab
check "is his" equal "$(nft list table inet nutshell | grep -c quiet)$(cat /proc/sys/net/ipv4/conf/quiet/forwarding)" 01
n rm one --force
n network rm lab
ip link del quiet
ip link del uplink
for side in desk inner; do ip netns del "$side-$$"; done

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

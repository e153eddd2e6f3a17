#!/usr/bin/env bash
# Adoption of an uplink that has its IPv6 from a router's advertisements and its IPv4 from a lease: addresses move with their
# lifetimes, and the kernel goes on learning, on the bridge, and on the uplink once it has them back.
. "$(dirname "$0")/lib.sh"
. "$here/uplink.sh"
trap '[[ ! -s $scratch/router.pid ]] || kill "$(cat "$scratch/router.pid")"; end_dead_men; drop_uplink; cleanup' EXIT

# life LINK FAMILY: of its address that has one, in seconds; 0 for none.
life() { ip "-$2" -j addr show dev "$1" | jq '[.[].addr_info[]? | select(.scope == "global" and .valid_life_time < 4000000000) | .valid_life_time][0] // 0'; }
is_used() { (($(life "$1" 6) < 119)); } # as long as the router says it never grows
is_longer() { (($(life "$1" 6) > $2)); }
# learns LINK: an advertisement that comes by makes the address live longer.
learns() { local now; until_true 20 is_used "$1" || return 1; now=$(life "$1" 6); ((now > 0)) && until_true 45 is_longer "$1" "$now"; }
defaults() { ip -6 -j route show default | jq -c '[.[] | [.gateway == $ll, .dev, .metric]]' --arg ll "$router"; }
near() { (($1 - $2 <= 6 && $2 - $1 <= 6)) || { say "  got: $1, not near $2"; return 1; }; }

ip netns add "$peer"
ip link add em1 type veth peer name far1 netns "$peer"
sysctl -qw net.ipv6.conf.em1.accept_dad=0
ip -n "$peer" link set lo up
ip -n "$peer" link set far1 up
ip -n "$peer" addr add 10.9.0.1/24 dev far1
ip -n "$peer" -6 addr add 2001:db8:9::1/64 dev far1 nodad
in_peer sysctl -qw net.ipv6.conf.all.forwarding=1
ip link set em1 up
ip addr add 10.9.0.2/24 dev em1 valid_lft 3000 preferred_lft 2000
ip route add default via 10.9.0.1 dev em1
is_ready() { ip -n "$peer" -6 addr show dev far1 scope link | grep -v tentative | grep -q inet6; }
until_true 30 is_ready
router=$(ip -n "$peer" -6 -j addr show dev far1 | jq -r '[.[].addr_info[]? | select(.scope == "link") | .local][0]')
in_peer dnsmasq -C /dev/null --port=0 --no-resolv --pid-file="$scratch/router.pid" --interface=far1 --bind-interfaces --enable-ra \
  --dhcp-range=2001:db8:9::,ra-only,64,120s --ra-param=far1,4,300 --log-facility="$scratch/router.log" || fail "no router"
has_default() { [[ $(defaults) == '[[true,"em1",1024]]' ]]; }
check "the uplink learns" until_true 20 has_default
check "an address, too" test "$(life em1 6)" -gt 60
before=$(ip -6 -j addr show dev em1 | jq -S '[.[].addr_info[]? | del(.valid_life_time, .preferred_life_time)]')

say "-- on the bridge"
refuse 4 'its address 10\.9\.0\.2 has a lifetime' nutshell bridge adopt br9 --uplink em1
had=$(life em1 6) leased=$(life em1 4) at=$SECONDS
check "adopt" n bridge adopt br9 --uplink em1 --force 2>/dev/null
check "its lease moved with its life" near "$(life br9 4)" "$leased"
check "its IPv6 address with its own" near "$(life br9 6)" "$had"
check "the way out" equal "$(defaults)" '[[true,"br9",1024]]'
check "is alive" ping -6 -q -c 1 -W 2 2001:db8:9::1 >/dev/null
check "the bridge goes on learning" learns br9
check "and has one way out still" equal "$(defaults)" '[[true,"br9",1024]]'
check "confirm" n bridge confirm br9
check "the uplink learns nothing meanwhile" equal "$(life em1 6)$(life em1 4)" 00

say "-- on the uplink again"
check "release" n bridge release br9
check "the way out" equal "$(defaults)" '[[true,"em1",1024]]'
check "the lease" near "$(life em1 4)" "$((leased - (SECONDS - at)))"
check "the uplink goes on learning" learns em1
check "its addresses are as before" equal "$(ip -6 -j addr show dev em1 | jq -S '[.[].addr_info[]? | del(.valid_life_time, .preferred_life_time)]')" "$before"

say "-- put back by the command that comes next"
check "adopt" n bridge adopt br9 --uplink em1 --force 2>/dev/null
kill -9 "$(dead_man br9)"
check "its dead-man is gone" until_true 30 no_dead_man
n version >/dev/null 2>&1
check "the way out" equal "$(defaults)" '[[true,"em1",1024]]'
check "the uplink goes on learning" learns em1
check "one way out still" equal "$(defaults)" '[[true,"em1",1024]]'
finish

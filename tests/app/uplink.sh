# What tests of adoption share, beside lib.sh (source that first): an uplink em1 that carries all that one can carry, with a
# gateway behind it in a namespace of its own, and the view of it before and after.
# shellcheck shell=bash
peer=nutshell-test-peer-$$
in_peer() { ip netns exec "$peer" "$@"; }

# Two uplinks, so that routes and rules stand in an order with a stranger's. em1 has IPv4 and IPv6 addresses, static ones and some
# with a lifetime, a label, a metric, a second of the same network; routes in three tables, with metrics, sources, several ways;
# rules that name it, and permanent neighbours.
make_uplink() {
  ip netns add "$peer"
  local i
  for i in 1 2; do
    ip link add "em$i" type veth peer name "far$i" netns "$peer"
    ip link set "em$i" up
    ip -n "$peer" link set "far$i" up
  done
  ip -n "$peer" link set lo up
  ip -n "$peer" addr add 10.9.0.1/24 dev far1
  ip -n "$peer" -6 addr add 2001:db8:9::1/64 dev far1 nodad
  ip addr add 10.9.0.2/24 brd + dev em1
  ip -6 addr add 2001:db8:9::2/64 dev em1 nodad
  ip route add default via 10.9.0.1 dev em1
  ip -6 route add default via 2001:db8:9::1 dev em1
}
make_rich_uplink() {
  make_uplink
  ip addr add 10.9.0.9/24 dev em2
  ip addr add 10.9.0.3/24 dev em1 label em1:x
  ip addr add 10.9.1.2/24 dev em1 metric 50
  ip addr add 10.9.2.2/24 dev em1 noprefixroute
  ip addr add 10.9.3.2 peer 10.9.3.1 dev em1
  ip addr add 10.9.4.2/24 dev em1 valid_lft 3000 preferred_lft 2000
  ip -6 addr add 2001:db8:9::3/64 dev em1 valid_lft 3000 preferred_lft 2000 nodad
  ip -6 addr add 2001:db8:a::2/64 dev em1 noprefixroute
  ip route change default via 10.9.0.1 dev em1 src 10.9.0.3
  ip route add 192.0.2.0/24 via 10.9.0.1 dev em1 metric 7 mtu 1400 initcwnd 20
  ip route add 192.0.2.0/24 via 10.9.0.77 dev em2 metric 7 tos 0x10
  ip route add 198.51.100.0/24 nexthop via 10.9.0.1 dev em1 weight 3 nexthop via 10.9.0.77 dev em2
  ip route add default via 10.9.0.1 dev em1 table 100
  ip route add 203.0.113.7 dev em1 scope link table 200 proto static
  ip route add 203.0.113.8 via 172.31.0.1 dev em1 onlink
  ip -6 route add 2001:db8:77::/64 via 2001:db8:9::1 dev em1 proto ra expires 2000
  ip -6 route add 2001:db8:78::/64 nexthop via 2001:db8:9::1 dev em1 weight 2 nexthop via fe80::77 dev em2
  ip -6 route add default via 2001:db8:9::1 dev em1 table 100 metric 30
  ip rule add iif em1 table 100 pref 1000
  ip rule add oif em2 table 100 pref 1000
  ip rule add oif em1 from 10.9.0.0/24 fwmark 7/0xf table 200 pref 1000
  ip rule add iif em1 ipproto tcp dport 22 table main pref 1001 suppress_prefixlength 0
  ip -6 rule add iif em1 table 100 pref 1000
  ip neigh add 10.9.0.77 lladdr 02:00:00:00:00:77 dev em1 nud permanent
  ip -6 neigh add 2001:db8:9::77 lladdr 02:00:00:00:00:77 dev em1 nud permanent router
}
# IPv6 is ready when no address is on trial any more.
ip_is_ready() { ! ip -6 addr show tentative | grep -q inet6 && ip -6 addr show dev em1 scope link | grep -q inet6; }

# The network as the kernel shows it, without indexes, lifetimes and counters. Of neighbours that were learnt: who they are.
view() {
  local what
  for what in addr 'route show table all' rule '-6 route show table all' '-6 rule'; do
    say "== $what"
    # shellcheck disable=SC2086  # words
    ip -j -d $what 2>/dev/null | jq -S -c '.[] | del(.ifindex, .link_index, .expires, .linkinfo)
      | if .addr_info then {ifname, flags, promiscuity, allmulti, mtu, master, address, ifalias, addr_info: (.addr_info | map(del(.valid_life_time, .preferred_life_time)))} else . end'
  done
  say "== neigh"
  ip -j -d neigh | jq -S -c '.[] | select(.state | index("PERMANENT")) | [.dev, .dst, .lladdr, .router]' | sort
}
# as_before FILE: the view is what it was when FILE was written.
as_before() { diff "$1" <(view); }
# Neighbours that were learnt: others may join them at any time.
learnt() { ip -j neigh show dev em1 | jq -S -c '.[] | select(.lladdr) | [.dst, .lladdr, .router]' | sort; }
none_forgotten() { [[ -z $(comm -23 <(say "$1") <(learnt)) ]] || { comm -23 <(say "$1") <(learnt); return 1; }; }
drop_uplink() { ip netns del "$peer" 2>/dev/null; ip link del em1 2>/dev/null; ip link del em2 2>/dev/null; }

note_state() { jq -r .state "$root/state/adoptions/$1.json" 2>/dev/null; }
is_restored() { [[ $(note_state "$1") == restored ]]; }
# The pid of the dead-man that holds the adoption of a bridge.
dead_man() { head -1 "$root/state/adoptions/$1.deadman"; }
no_dead_man() { local p; for p in /proc/[0-9]*; do [[ $(cat "$p/comm" 2>/dev/null) == nutshell-dead && $(readlink "$p/ns/net" 2>/dev/null) == "$(readlink /proc/self/ns/net)" ]] && return 1; done; return 0; }
# Those that a test left behind are in its namespace.
end_dead_men() { local p; for p in /proc/[0-9]*; do [[ $(cat "$p/comm" 2>/dev/null) == nutshell-dead && $(readlink "$p/ns/net" 2>/dev/null) == "$(readlink /proc/self/ns/net)" ]] && kill -9 "${p#/proc/}" 2>/dev/null; done; }

#!/usr/bin/env bash
# Bridges on a host with hardware: its virtio NIC carries the only route, and is adopted with a TCP connection open through
# it; command and dead-man are killed, and the boot-time unit's command puts all back. Bonds, VLANs and VLAN filtering, which
# not every kernel has.
# limit: 900
source ./lib.sh

modprobe -a bonding 8021q macvlan 2>/dev/null
nics=()
for each in /sys/class/net/*; do [[ $(readlink "$each/device/driver" 2>/dev/null) != *virtio_net ]] || nics+=("${each##*/}"); done
must "two virtio NICs on one wire" test "${#nics[@]}" -ge 2
em=${nics[0]} far=${nics[1]}
desk() { ip netns exec nest-desk "$@"; }
dead_men() { local p; for p in /proc/[0-9]*; do [[ $({ cat "$p/comm"; } 2>/dev/null) != nutshell-dead ]] || say "${p#/proc/}"; done; }
end_dead_men() { local p; for p in $(dead_men); do kill -9 "$p"; done; }
no_dead_man() { [[ -z $(dead_men) ]]; }
put_away() {
  local each
  end_dead_men
  for each in br5 br9 bond7 "$em.5" mv7; do ip link del "$each" 2>/dev/null; done
  ip netns del nest-desk
  ip addr flush dev "$em"
  ip link set "$em" nomaster down
  until_true 30 test -e "/sys/class/net/$far" # it comes back from the namespace a little later
  ip link set "$far" down
  modprobe -r bonding macvlan 8021q 2>/dev/null
}
on_exit put_away
ip netns add nest-desk
ip link set "$far" netns nest-desk
desk ip link set lo up
desk ip link set "$far" up
desk ip addr add 10.9.0.1/24 dev "$far"
desk ip -6 addr add 2001:db8:9::1/64 dev "$far" nodad
wire_up() {
  ip link set "$em" up
  ip addr add 10.9.0.2/24 dev "$em" && ip route add default via 10.9.0.1 dev "$em"
  ip -6 addr add 2001:db8:9::2/64 dev "$em" nodad && ip -6 route add default via 2001:db8:9::1 dev "$em"
  ip route add default via 10.9.0.1 dev "$em" table 100
  ip rule add iif "$em" table 100 pref 1000
}
wire_up
is_ready() { ! ip -6 addr show tentative | grep -q inet6; }
must "the desk answers over the wire" until_true 20 desk ping -q -c 1 -W 1 10.9.0.2
until_true 20 is_ready
# Addresses, routes of every table, rules; no indexes, lifetimes and counters.
view() {
  local what
  for what in addr 'route show table all' '-6 route show table all' rule '-6 rule'; do
    say "== $what"
    # shellcheck disable=SC2086  # words
    ip -j -d $what | jq -S -c '.[] | del(.ifindex, .link_index, .expires, .stats64, .linkinfo, .group, .qdisc)
      | if .addr_info then .addr_info |= map(del(.valid_life_time, .preferred_life_time)) else . end'
  done
}
as_before() { view >"$scratch/now"; diff "$scratch/before" "$scratch/now"; }
view >"$scratch/before"

# gap COMMAND...: the longest silence in milliseconds on a TCP connection from the desk while COMMAND runs; fails if it died.
gap() {
  local sender receiver status=0
  { while printf 'x\n'; do sleep 0.03; done; } 2>/dev/null | socat -u - TCP-LISTEN:5004,bind=10.9.0.2,reuseaddr,nodelay 2>/dev/null & sender=$!
  # shellcheck disable=SC2016  # the inner shell's own words
  desk bash -c 'socat -u TCP:10.9.0.2:5004,retry=50,interval=0.1 - | while read -r _; do echo "$EPOCHREALTIME"; done' >"$scratch/times" 2>/dev/null & receiver=$!
  until_true 30 test -s "$scratch/times" || return 1
  sleep 1
  "$@" >&2 || status=$?
  local lines=0
  lines=$(wc -l <"$scratch/times")
  grows() { (($(wc -l <"$scratch/times") > lines + 20)); }
  until_true 20 grows || status=1
  kill "$sender" 2>/dev/null
  kill "$receiver" 2>/dev/null
  wait "$sender" "$receiver" 2>/dev/null
  awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { printf "%d\n", most * 1000 }' "$scratch/times"
  return "$status"
}

note "the only route, adopted"
idle=$(gap true)
say "    at rest the connection is silent for $idle ms at most: the processors are emulated"
lasted=$(gap n bridge adopt br9 --uplink "$em" --timeout 120)
check "adopted with a connection open" equal "$?" 0
say "    silent for $lasted ms"
check "silent for less than a second" test "$lasted" -lt $((1000 + idle))
check "the bridge has the addresses" matches "$(ip -br addr show br9)" '10\.9\.0\.2/24.*2001:db8:9::2/64'
check "both gateways are watched" equal "$(jq -r '.asked[]' "$root/state/adoptions/br9.json" | sort | xargs)" "arp 10.9.0.1 nd 2001:db8:9::1"
check "confirmed" n bridge confirm br9
lasted=$(gap n bridge release br9)
check "released with a connection open" equal "$?" 0
check "silent for less than a second" test "$lasted" -lt $((1000 + idle))
check "all is as before" as_before

note "the command and its dead-man are killed; the boot-time unit's command comes"
state_is() { [[ $(jq -r .state "$root/state/adoptions/br9.json" 2>/dev/null) == @($1) ]]; }
for delay in 0 0.1 0.2 0.4 0.8; do
  n bridge release br9 2>/dev/null # the note of the one before
  "$NUTSHELL_BIN" --quiet --root "$root" bridge adopt br9 --uplink "$em" --timeout 300 >/dev/null 2>&1 & command=$!
  for ((i = 0; i < 1000; i++)); do ! state_is 'begun|waiting' || break; sleep 0.01; done
  sleep "$delay"
  read -r man <"$root/state/adoptions/br9.deadman"
  kill -9 "$command" "$man" 2>/dev/null
  { wait "$command"; } 2>/dev/null
  check "after $delay s: nobody is left" until_true 30 no_dead_man
  check "after $delay s: it is under way" state_is 'begun|waiting'
  "$NUTSHELL_BIN" --quiet --root "$root" bridge ls >/dev/null 2>&1
  check "after $delay s: the unit's command puts it back" state_is restored
  check "after $delay s: all is as before" as_before
done
n bridge release br9 2>/dev/null
check "the wire is alive" desk ping -q -c 1 -W 2 10.9.0.2

note "it is left alone by whoever it is not for"
check "the gateway goes" n bridge adopt br9 --uplink "$em" --timeout 300
desk ip link set "$far" down
check "put back when it is silent" until_true 40 state_is restored
desk ip link set "$far" up
check "all is as before" until_true 30 as_before
check "the note is cleared" n bridge release br9
refuse 1 'neither systemd-networkd nor ifupdown nor NetworkManager' n bridge adopt br9 --uplink "$em" --persist

note "STP, when it is asked for, does not cut the host off"
lasted=$(gap n bridge adopt br9 --uplink "$em" --stp on --timeout 120)
check "silent for less than a second" test "$lasted" -lt $((1000 + idle))
check "it is on" equal "$(json bridge ls | jq -c '.bridges[0].stp')" true
sleep 8
check "and nobody put it back" equal "$(jq -r .state "$root/state/adoptions/br9.json")" waiting
check "release" n bridge release br9
check "all is as before" as_before

note "VLANs"
if ip link add link "$em" name "$em.5" type vlan id 5 2>/dev/null; then
  desk ip link add link "$far" name far.5 type vlan id 5
  desk ip link set far.5 up
  desk ip addr add 10.5.0.1/24 dev far.5
  ip link set "$em.5" up
  ip addr add 10.5.0.2/24 dev "$em.5"
  check "the VLAN is alive" desk ping -q -c 1 -W 2 10.5.0.2
  check "its link below is adopted" n bridge adopt br9 --uplink "$em"
  check "and it lives on" desk ping -q -c 1 -W 2 10.5.0.2
  check "release" n bridge release br9
  check "a VLAN is adopted" n bridge adopt br9 --uplink "$em.5"
  check "it has the address" matches "$(ip -br addr show br9)" '10\.5\.0\.2/24'
  check "and answers" desk ping -q -c 1 -W 2 10.5.0.2
  check "release" n bridge release br9
  ip link del "$em.5"
  desk ip link del far.5
else
  fail "this kernel has no VLANs"
fi
check "a bridge that filters VLANs" n bridge create br5 --vlan-filtering
check "filters them" equal "$(ip -j -d link show br5 | jq '.[0].linkinfo.info_data.vlan_filtering')" 1
check "ls says so" equal "$(json bridge ls | jq -c '.bridges[] | select(.name == "br5") | .vlan_filtering')" true
check "it adopts" n bridge adopt br5 --uplink "$em"
check "and the wire is alive" desk ping -q -c 1 -W 2 10.9.0.2
check "release" n bridge release br5
check "rm" n bridge rm br5
check "all is as before" as_before

note "macvlans and bonds"
if ip link add link "$em" name mv7 type macvlan 2>/dev/null; then
  refuse 4 "$em has the macvlan mv7 on it" n bridge adopt br9 --uplink "$em"
  ip link del mv7
else
  say "skipped: no macvlan"
fi
must "a bond" ip link add bond7 type bond
ip rule del pref 1000
ip addr flush dev "$em"
ip link set "$em" down
must "with a member" ip link set "$em" master bond7
ip link set bond7 up
refuse 4 "$em is a member of the bond bond7; name bond7 as the uplink" n bridge adopt br9 --uplink "$em"
ip addr add 10.9.0.2/24 dev bond7
ip route add default via 10.9.0.1 dev bond7
check "the bond is alive" until_true 20 desk ping -q -c 1 -W 1 10.9.0.2
check "and is adopted" n bridge adopt br9 --uplink bond7
check "it answers as the bridge" desk ping -q -c 1 -W 2 10.9.0.2
check "release" n bridge release br9
check "it answers as the bond" desk ping -q -c 1 -W 2 10.9.0.2
check "no bridge is left" equal "$(ip -br link show type bridge)" ""
finish

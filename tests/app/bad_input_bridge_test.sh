#!/usr/bin/env bash
# Bridges and adoptions that cannot be: one sentence, the right exit code, and nothing changed.
. "$(dirname "$0")/refusals.sh"
. "$here/uplink.sh"
trap 'end_dead_men; drop_uplink; cleanup' EXIT
make_uplink
check "IPv6 is ready" until_true 30 ip_is_ready
n create keep --memory 64M --nic user >/dev/null # there is a registry
before=$(traces)
view >"$scratch/before"

say "-- names and values"
bad 3 "a-name-of-sixteen can be no interface's name \(at most 15 bytes\)" bridge create a-name-of-sixteen
bad 3 "can be no interface's name" bridge create ../br5
bad 3 "can be no interface's name" bridge create 'br 5'
bad 3 "can be no interface's name" bridge create ''
bad 2 'wants BRIDGE' bridge create
bad 2 'wants one of: .*adopt' bridge
bad 2 "has no 'mend'" bridge mend br5
for address in 10.0.0.1 10.0.0.0/24 10.0.0.255/24 10.0.0.1/33 10.0.0.1/ 224.0.0.1/4 127.0.0.5/8 0.0.0.0/0 x ff02::1/64 ::/64 2001:db8::1/129; do
  bad 3 'is no address of a host' bridge create br5 --address "$address"
done
bad 3 '10\.80\.0\.1/24 is named twice' bridge create br5 --address 10.80.0.1/24 --address 10.80.0.1/24
bad 3 'neither on nor off' bridge create br5 --stp yes
bad 3 '1 is no number from 2 to 30' bridge create br5 --stp on --forward-delay 1
bad 3 'is no number from 1 to 10' bridge create br5 --hello 0
bad 3 'is no number from 6 to 40' bridge create br5 --max-age 5
bad 3 'is no number from 576 to 65521' bridge create br5 --mtu 12
bad 3 'is no number from 576 to 65521' bridge create br5 --mtu 1500x
bad 4 'there is a veth em1 already' bridge create em1
bad 4 'there is a link lo already' bridge create lo
bad 4 'overlaps what is there: em1 has 10\.9\.0\.2/24' bridge create br5 --address 10.9.0.77/25
bad 4 'overlaps what is there: em1 has 2001:db8:9::2/64' bridge create br5 --address 2001:db8::1/32
ip route add 10.66.0.0/16 via 10.9.0.1 table 77
bad 4 'overlaps what is there: 10\.66\.0\.0/16 table 77 is routed over em1' bridge create br5 --address 10.66.3.1/24
ip route del 10.66.0.0/16 table 77
bad 6 'there is no bridge br5' bridge rm br5
bad 6 'there is no bridge br5' bridge repair br5
bad 6 'em1 is no bridge' bridge repair em1

say "-- uplinks that cannot be"
bad 2 'wants --uplink' bridge adopt br9
bad 6 'there is no link em9' bridge adopt br9 --uplink em9
bad 3 "can be no interface's name" bridge adopt br9 --uplink ../em1
bad 3 'is the bridge itself' bridge adopt br9 --uplink br9
bad 3 'is no number from 5 to 3600' bridge adopt br9 --uplink em1 --timeout 1
bad 4 'lo is the loopback' bridge adopt br9 --uplink lo
bad 4 'em1 is there already, and no bridge but a veth' bridge adopt em1 --uplink em2
ip link set em2 down
bad 4 'em2 is down; set it up' bridge adopt br9 --uplink em2
ip link set em2 up
ip link add br7 type bridge
before=$(traces)
bad 4 'bridge br7 is there already and is not nutshell' bridge adopt br7 --uplink em1
bad 4 'br7 is a bridge itself' bridge adopt br9 --uplink br7
ip link set em2 master br7
bad 4 'em2 is a port of the bridge br7 already' bridge adopt br9 --uplink em2
ip link del br7
before=$(traces)
ip tuntap add dev tun7 mode tun
before=$(traces)
bad 4 'tun7 is no Ethernet link' bridge adopt br9 --uplink tun7
ip link del tun7
if ip link add link em2 name mv7 type macvlan 2>/dev/null; then
  before=$(traces)
  bad 4 'em2 has the macvlan mv7 on it' bridge adopt br9 --uplink em2
  ip link set mv7 alias nutshell:default/ciab:0
  bad 4 'em2 has the macvlan mv7 of the machine default/ciab on it' bridge adopt br9 --uplink em2
  ip link del mv7
else
  say "skipped: this kernel has no macvlan"
fi
if ip link add bond7 type bond 2>/dev/null; then
  ip link set em2 down && ip link set em2 master bond7
  before=$(traces)
  bad 4 'em2 is a member of the bond bond7; name bond7 as the uplink' bridge adopt br9 --uplink em2
  ip link del bond7 && ip link set em2 up
else
  say "skipped: this kernel has no bonds"
fi
if ip nexthop add id 7 via 10.9.0.1 dev em1 2>/dev/null; then
  ip route add 192.0.2.0/24 nhid 7
  before=$(traces)
  bad 4 'em1 is used by the nexthop object 7' bridge adopt br9 --uplink em1
  ip route del 192.0.2.0/24
  ip nexthop del id 7
else
  say "skipped: no nexthop objects"
fi
before=$(traces)
mount -t tmpfs none /sys/class/net
mkdir -p /sys/class/net/em1/wireless
bad 4 'em1 is wireless' bridge adopt br9 --uplink em1
umount /sys/class/net

say "-- whoever manages it"
ip addr add 10.9.4.2/24 dev em1 valid_lft 3000 preferred_lft 2000
bad 4 'its address 10\.9\.4\.2 has a lifetime.*the lease would go on being renewed on the uplink' bridge adopt br9 --uplink em1
ip addr del 10.9.4.2/24 dev em1
cat >"$scratch/udhcpc" <<<$'#!/bin/sh\nsleep 60'
chmod +x "$scratch/udhcpc"
"$scratch/udhcpc" -i em1 & client=$!
until_true 30 grep -qsz em1 "/proc/$client/cmdline"
bad 4 "udhcpc \(pid $client\) renews its address" bridge adopt br9 --uplink em1
{ kill "$client" && wait "$client"; } 2>/dev/null
check "the uplink is as it was" as_before "$scratch/before"

say "-- confirm and release, for nothing"
bad 6 'br9 has adopted nothing' bridge confirm br9
bad 6 'br9 has adopted nothing' bridge release br9

say "-- two at once"
"$nutshell_bin" --quiet --root "$root" bridge adopt br9 --uplink em1 2>"$scratch/err.1" & one=$!
"$nutshell_bin" --quiet --root "$root" bridge adopt br8 --uplink em1 2>"$scratch/err.2" & two=$!
wait $one; codes=$?
wait $two; codes="$codes $?"
check "one of two is done" matches "$codes" '^(0 4|4 0)$'
check "the other is told why" matches "$(cat "$scratch"/err.?)" 'waits for its .nutshell bridge confirm|is a port of the bridge|is at work on it'
bridge=br9
[[ $codes == "0 4" ]] || bridge=br8
before=$(traces)
bad 4 'waits for its .nutshell bridge confirm' bridge adopt br6 --uplink em2
bad 4 'em1 is a port of the bridge' bridge adopt br6 --uplink em1
check "confirm" n bridge confirm $bridge
until_true 30 no_dead_man
before=$(traces)
bad 4 'is confirmed already' bridge confirm $bridge
bad 4 "$bridge has the addresses of em1 already" bridge adopt $bridge --uplink em2
bad 4 'give them back first' bridge rm $bridge
check "release" n bridge release $bridge
check "the uplink is as it was" as_before "$scratch/before"
check "an isolated bridge" n bridge create br5 --isolated
before=$(traces)
bad 4 'br5 is isolated' bridge adopt br5 --uplink em1
check "rm" n bridge rm br5

say "-- names that mean something to others"
before=$(traces)
for name in 'q*' 'a"b' '!em1' 'em[1-9]' '.x' 'em1"drop;#' 'x;y' '%n'; do
  bad 3 'no name for a bridge of ours|can be no interface.s name' bridge create "$name"
  bad 3 'no name for a bridge of ours|can be no interface.s name' bridge adopt "$name" --uplink em1
done
check "others' bridges of such names are used" ip link add 'q*' type bridge
check "and listed" matches "$(n bridge ls)" '^q\* +no'
ip link del 'q*'

say "-- a note that cannot be read"
mkdir -p "$root/state/adoptions"
printf '{"version":1' >"$root/state/adoptions/br9.json"
before=$(traces)
for what in confirm release; do bad 1 'adoptions/br9\.json: .*put it right' bridge "$what" br9; done
rm "$root/state/adoptions/br9.json"

say "-- the uplink vanishes in the middle"
before=$(traces)
library=$build_dir/tests/faults/nutshell_kill_netlink.so
for at in 9 15 21; do
  { NUTSHELL_VANISH="ip link del em1" NUTSHELL_KILL_AT=$at LD_PRELOAD=$library ASAN_OPTIONS=verify_asan_link_order=0 n bridge adopt br9 --uplink em1 2>"$scratch/err"; } 2>/dev/null
  code=$?
  check "moment $at: it fails, and leaves something to do" equal "$code" 5
  check "moment $at: and says so in one sentence" matches "$(cat "$scratch/err")" '^nutshell: br9: .*(em1|No such device|no such device)'
  check "moment $at: no bridge is left" bash -c "! ip link show br9 2>/dev/null"
  until_true 30 no_dead_man
  drop_uplink
  ip link del em2 2>/dev/null
  refuse 5 'the link em1 is not there.*10\.9\.0\.2/24' nutshell bridge release br9
  make_uplink
  ip addr del 10.9.0.2/24 dev em1
  check "moment $at: release does the rest when it is back" n bridge release br9
  check "moment $at: with its address and its way out" equal "$(ip -j route show default | jq -r '.[0] | "\(.dev) \(.gateway)"') $(ip -j addr show em1 | jq -r '.[0].addr_info[] | select(.family == "inet") | .local')" "em1 10.9.0.1 10.9.0.2"
done

say "-- an ordinary user"
as_user
before=$(traces)
bad 1 'bridge create needs root' bridge create br5
bad 1 'bridge adopt needs root' bridge adopt br9 --uplink em1
bad 1 'bridge confirm needs root' bridge confirm br9
check "ls is for everyone" n bridge ls
finish

#!/usr/bin/env bash
# Bridges of ours: made with all that one can ask for, listed with those of others, kept over a restart in the host's own
# configuration, and removed; others' bridges and files are left alone. /etc and /run are this test's own.
. "$(dirname "$0")/lib.sh"
. "$here/uplink.sh"
trap 'end_dead_men; drop_uplink; cleanup' EXIT

bridge_of() { json bridge ls | jq -c --arg name "$1" '.bridges[] | select(.name == $name)'; }
link_of() { ip -j -d link show "$1" | jq -c '.[0]'; }

say "-- as asked"
check "create" n bridge create br5 --address 10.75.200.1/24 --address 2001:db8:5::1/64 --mtu 1400 --forward-delay 9 --hello 2 --max-age 12 --stp off
mac=$(link_of br5 | jq -r .address)
check "addresses" matches "$(ip -br addr show br5)" '10\.75\.200\.1/24.*2001:db8:5::1/64'
check "MTU" equal "$(link_of br5 | jq .mtu)" 1400
ip link add narrow mtu 1000 type veth peer name other && ip link set narrow master br5
check "holds against a narrow port" equal "$(link_of br5 | jq .mtu)" 1400
ip link del narrow
check "the timers of the book" equal "$(link_of br5 | jq -c '.linkinfo.info_data | [.stp_state, .forward_delay, .hello_time, .max_age]')" '[0,900,200,1200]'
check "its mark" matches "$(link_of br5 | jq -r .ifalias)" '^nutshell:bridge:br5:[0-9a-f]{4}$'
check "up" test "$(link_of br5 | jq -r '.flags | index("UP") != null')" = true
check "ls has it" equal "$(bridge_of br5 | jq -c '[.ours, .mac, .mtu, .stp, .forward_delay, .hello, .max_age, .isolated, .adoption, .ports, .addresses[0]]')" "[true,\"$mac\",1400,false,9,2,12,false,null,[],\"10.75.200.1/24\"]"
check "ls for people" matches "$(n bridge ls)" 'br5 +yes +10\.75\.200\.1/24, 2001:db8:5::1/64 +- +off'
refuse 4 'bridge br5 is there already' nutshell bridge create br5
check "STP" n bridge create br6 --stp on --forward-delay 9
check "is on" equal "$(bridge_of br6 | jq -c '[.stp, .forward_delay]')" '[true,9]'
check "isolated" n bridge create br7 --isolated --address 10.75.201.1/24
check "the host forwards nothing from it" equal "$(cat /proc/sys/net/ipv4/conf/br7/forwarding 2>/dev/null)$(cat /proc/sys/net/ipv6/conf/br7/forwarding 2>/dev/null)" 00
check "ls says so" equal "$(bridge_of br7 | jq .isolated)" true

say "-- its MAC stays when a machine starts and stops"
n launch m --memory 64M --nested off --accel tcg --nic bridge=br5 >/dev/null
tap=$(json show m | jq -r '.nics[0].tap')
check "the same MAC" equal "$(link_of br5 | jq -r .address)" "$mac"
check "ls names the machine" equal "$(bridge_of br5 | jq -r '.ports[0] | "\(.machine) \(.name)"')" "m $tap"
refuse 4 "still has ports: m \\($tap\\)" nutshell bridge rm br5
n rm m --force
check "the same MAC still" equal "$(link_of br5 | jq -r .address)" "$mac"
for bridge in br5 br6 br7; do check "rm $bridge" n bridge rm $bridge; done
check "nothing is left of them" equal "$(ip -br link show type bridge)$(find "$root/state/bridges" -name '*.json')" ""

say "-- one that is not ours"
ip link add br8 address 02:00:00:00:00:08 type bridge
ip link set br8 alias nutshell:bridge:br8:0000
check "ls has it" equal "$(bridge_of br8 | jq .ours)" false
settings() { ip -j -d link show br8 | jq -c '.[0] | [.flags, .mtu, .address, .ifalias, .linkinfo.info_data.stp_state, .linkinfo.info_data.forward_delay]'; }
before=$(settings)
refuse 4 'br8 is not nutshell.s' nutshell bridge rm br8
refuse 4 'a bridge br8 already, which is not nutshell' nutshell bridge create br8
check "it is used" n launch m --memory 64M --nested off --accel tcg --nic bridge=br8 >/dev/null
n rm m --force
check "and not changed" equal "$(settings)" "$before"
ip link del br8

say "-- cut short while it was made"
mkdir -p "$root/state/bridges"
printf '{"mac": "02:00:00:00:00:05"}' >"$root/state/bridges/br5.json"
ip link add br5 address 02:00:00:00:00:05 type bridge
check "create brings it to its end" n bridge create br5
check "with its mark" matches "$(link_of br5 | jq -r .ifalias)" '^nutshell:bridge:br5:'
check "rm" n bridge rm br5

say "-- a dry run"
check "create" matches "$(n --dry-run bridge create br5 --address 10.75.200.1/24)" 'make the bridge br5 with the MAC 02:.*address 10.75.200.1/24'
check "does nothing" bash -c "! ip link show br5 2>/dev/null"

# /etc and /run as each kind of host has them.
for folder in /etc/systemd /run/systemd; do mkdir -p $folder; mount -t tmpfs none $folder; done
mkdir -p /etc/systemd/network /run/systemd/netif/links "$scratch/etc-network" "$scratch/nm" "$scratch/bin"
export PATH=$scratch/bin:$PATH
mount -t tmpfs none /run -o size=1m 2>/dev/null || fail "no /run of our own"
mkdir -p /run/systemd/netif/links /run/netns
make_uplink
networkd=/etc/systemd/network/05-nutshell-br9

say "-- systemd-networkd"
touch /run/systemd/netif/state
said=$(nutshell bridge create br5 --address 10.75.200.1/24 --stp on --forward-delay 9 --persist 2>&1) || fail "create: $said"
check "shown" matches "$said" '05-nutshell-br5\.netdev:'
check "that it comes back" matches "$said" 'comes back when this host restarts'
check "netdev" equal "$(grep -v '^#' /etc/systemd/network/05-nutshell-br5.netdev | xargs)" "[NetDev] Name=br5 Kind=bridge MACAddress=$(link_of br5 | jq -r .address) [Bridge] STP=yes ForwardDelaySec=9"
check "network" matches "$(cat /etc/systemd/network/05-nutshell-br5.network)" 'Address=10\.75\.200\.1/24'
check "readable by networkd" equal "$(stat -c %a /etc/systemd/network/05-nutshell-br5.network)" 644
check "rm takes them away" n bridge rm br5
check "all of them" equal "$(ls /etc/systemd/network)" ""
echo '# mine' >"$networkd.network"
refuse 4 "$networkd.network: is there already, and not nutshell's" nutshell bridge adopt br9 --uplink em1 --persist
check "nothing was changed" equal "$(ip -br link show type bridge)$(cat $networkd.network)" "# mine"
rm "$networkd.network"
said=$(nutshell bridge adopt br9 --uplink em1 --persist 2>&1) || fail "adopt: $said"
check "shown first" matches "$said" '05-nutshell-br9-uplink\.network:'
check "not said to be gone" bash -c '! grep -q "gone when this host restarts" <<<"$1"' _ "$said"
check "not written before the confirm" equal "$(ls /etc/systemd/network)" ""
check "confirm" n bridge confirm br9
check "the uplink is a port" equal "$(grep -v '^#' $networkd-uplink.network | xargs)" "[Match] Name=em1 [Network] Bridge=br9 LinkLocalAddressing=no"
check "the bridge has the addresses" equal "$(grep -c -E '^Address=(10.9.0.2/24|2001:db8:9::2/64)$' $networkd.network)" 2
check "and the routes" equal "$(grep -E '^(Destination|Gateway)=' $networkd.network | xargs)" "Destination=0.0.0.0/0 Gateway=10.9.0.1 Destination=::/0 Gateway=2001:db8:9::1"
check "release" n bridge release br9
check "takes them away" equal "$(ls /etc/systemd/network)" ""
check "adopt again" n bridge adopt br9 --uplink em1 --persist --timeout 5
check "put back" until_true 30 is_restored br9
check "nothing was written" equal "$(ls /etc/systemd/network)" ""
# A confirm and the power cut short in the middle of it.
check "adopt again" n bridge adopt br9 --uplink em1 --persist
kill -9 "$(dead_man br9)"
until_true 30 no_dead_man
printf '# Written by nutshell for its bridge br9, and removed with it.\n[NetDev]\n' >"$networkd.netdev"
sed -i 's/"boot_id": "[^"]*"/"boot_id": "another"/' "$root/state/adoptions/br9.json"
check "the next boot" matches "$(nutshell ls 2>&1)" 'ended when this host restarted'
check "finds no half of it" equal "$(ls /etc/systemd/network)" ""
ip link del br9
drop_uplink
make_uplink
# What is written of a bridge that was there is its own affair.
check "create" n bridge create br9 --address 10.75.200.1/24 --max-age 12 --persist
cp -r /etc/systemd/network "$scratch/written"
for persist in "" --persist; do
  # shellcheck disable=SC2086  # one word or none
  check "adopt $persist" n bridge adopt br9 --uplink em1 $persist
  check "confirm" n bridge confirm br9
  if [[ -n $persist ]]; then
    check "with its own settings" equal "$(grep -c -x MaxAgeSec=12 $networkd.netdev)" 1
    check "and the uplink" test -e "$networkd-uplink.network"
  fi
  check "release" n bridge release br9
  check "what was written before is there again" diff -r /etc/systemd/network "$scratch/written"
done
check "rm" n bridge rm br9
check "takes it away" equal "$(ls /etc/systemd/network)" ""
# What the files leave out is said.
ip rule add iif em1 table 100 pref 1000
ip route add 198.51.100.0/24 nexthop via 10.9.0.1 dev em1 weight 3 nexthop via 10.9.0.77 dev em1
ip neigh add 10.9.0.77 lladdr 02:00:00:00:00:77 dev em1 nud permanent
said=$(nutshell bridge adopt br9 --uplink em1 --persist 2>&1) || fail "adopt: $said"
check "what is left out is named" matches "$said" 'not part of it, write it by hand: the route 198\.51\.100\.0/24 via .*, the rule 1000 iif br9, the neighbour 10\.9\.0\.77'
check "release" n bridge release br9
ip rule del pref 1000
ip route del 198.51.100.0/24
ip neigh del 10.9.0.77 dev em1
echo 'ADMIN_STATE=configured' >"/run/systemd/netif/links/$(cat /sys/class/net/em1/ifindex 2>/dev/null || ip -j link show em1 | jq '.[0].ifindex')"
refuse 4 'em1: systemd-networkd manages it, and it may put the addresses back' nutshell bridge adopt br9 --uplink em1
check "its configuration is printed instead" matches "$(n bridge adopt br9 --uplink em1 2>/dev/null)" 'Bridge=br9'
check "by force" n bridge adopt br9 --uplink em1 --force
check "release" n bridge release br9
rm -r /run/systemd/netif

say "-- ifupdown"
mkdir -p /etc/network 2>/dev/null && mount -t tmpfs none /etc/network || fail "no /etc/network of our own"
printf 'auto lo\niface lo inet loopback\n' >/etc/network/interfaces
printf '#!/bin/sh\n' >"$scratch/bin/ifup"
chmod +x "$scratch/bin/ifup"
said=$(nutshell bridge create br5 --address 10.75.200.1/24 --persist 2>&1) || fail "create: $said"
check "says what is missing" matches "$said" 'apt install bridge-utils'
check "says that nobody reads it" matches "$said" 'source /etc/network/interfaces.d'
check "stanza" equal "$(grep -v '^#' /etc/network/interfaces.d/nutshell-br5 | xargs)" "auto br5 iface br5 inet static address 10.75.200.1/24 hwaddress ether $(link_of br5 | jq -r .address) bridge_ports none bridge_stp off bridge_fd 0"
check "rm" n bridge rm br5
check "takes it away" test ! -e /etc/network/interfaces.d/nutshell-br5
check "adopt" n bridge adopt br9 --uplink em1 --persist
check "confirm" n bridge confirm br9
check "the uplink's stanza" matches "$(cat /etc/network/interfaces.d/nutshell-br9)" 'iface em1 inet manual'
check "the way out" matches "$(cat /etc/network/interfaces.d/nutshell-br9)" 'up ip route add default via 10\.9\.0\.1'
check "release" n bridge release br9
check "takes it away" test ! -e /etc/network/interfaces.d/nutshell-br9
printf 'iface em1 inet static\n    address 10.9.0.2/24\n' >>/etc/network/interfaces
refuse 4 'ifupdown manages it \(/etc/network/interfaces\)' nutshell bridge adopt br9 --uplink em1
rm /etc/network/interfaces

say "-- NetworkManager"
mkdir -p /run/NetworkManager/devices
said=$(nutshell bridge create br5 --address 10.75.200.1/24 --persist 2>&1) || fail "create: $said"
check "its commands are printed" matches "$said" 'nmcli connection add type bridge con-name nutshell-br5 .*ipv4\.addresses 10\.75\.200\.1/24'
check "rm" n bridge rm br5
printf '[device]\nmanaged=true\n' >"/run/NetworkManager/devices/$(ip -j link show em1 | jq '.[0].ifindex')"
refuse 4 'em1: NetworkManager manages it' nutshell bridge adopt br9 --uplink em1
check "its commands are printed instead" matches "$(n bridge adopt br9 --uplink em1 2>/dev/null)" 'type bridge-slave .*ifname em1 master br9'
check "as JSON" matches "$(json bridge adopt br9 --uplink em1 2>/dev/null | jq -r '.native.commands[0]')" 'ipv4.gateway 10.9.0.1'
rm -r /run/NetworkManager

say "-- nobody in charge"
refuse 1 'neither systemd-networkd nor ifupdown nor NetworkManager' nutshell bridge create br5 --persist
check "nothing is there" equal "$(ip -br link show type bridge)" ""
finish

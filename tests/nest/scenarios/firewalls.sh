#!/usr/bin/env bash
# ufw and firewalld themselves, on a host that shows them bridged packets. Packets stop, path and doctor name why, the line that
# they print is run, packets arrive; and what these two do to their rules leaves ours alone.
# limit: 900
source ./lib.sh
source ./net.sh

if [[ $NEST_PLACE != lab ]]; then
  say "skipped: ufw and firewalld would write this host's files"
  finish
fi
modprobe -a br_netfilter
sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
started=()
# firewalld before the bus that it is on: it takes its rules away when it is told to end.
stop_firewalld() {
  local each
  for each in "${started[@]}"; do { kill "$each" && wait "$each"; } 2>/dev/null; done
  started=()
}
put_away() {
  stop_firewalld
  ufw --force reset >/dev/null 2>&1
  rm -rf /etc/firewalld/zones/* /run/firewalld /run/dbus /etc/ufw
  cp -a "$scratch/ufw" /etc/ufw
  nft list table inet firewalld >/dev/null 2>&1 && nft delete table inet firewalld
  for each in ip ip6; do nft flush ruleset "$each"; done
}
on_exit put_away
cp -a /etc/ufw "$scratch/ufw"
ip link add br0 type bridge && on_exit ip link del br0
ip addr add 10.9.0.254/24 dev br0
ip link set br0 up
desk_link em1 10.9.0.1/24
ip link set em1 master br0
desk_link wan 192.0.2.2/24
ip addr add 192.0.2.1/24 dev wan
ip route add default via 192.0.2.2
net_initrd "$scratch/initrd"
whole=$(nft -j list ruleset)
set_stage
must "a machine on a bridge and on a managed network" net_boot na 'net.eth0=10.9.0.2/24 net.dhcp=eth1' --nic bridge=br0,ip=10.9.0.2 \
  --nic network=nutshell0 --publish 8080:80
bridged() { from_desk 10.9.0.2 80; }
gets_out() { [[ $(guest 10.9.0.2 'ping -c 2 -W 2 192.0.2.2 >/dev/null && echo out') == out ]]; }
managed=$(json show na | jq -r ".nics[1].bridge")
check "before all, the desk gets in" bridged
check "and the machine gets out" gets_out

ufw --force enable >/dev/null
scene "ufw, on a bridge" 0 br0 "ufw's ip filter FORWARD" bridged 'filter br0'
ufw --force disable >/dev/null
for each in ip ip6; do nft flush ruleset "$each"; done

note "firewalld itself"
mkdir -p /run/dbus
dbus-uuidgen --ensure
dbus-daemon --system --nofork --nopidfile 2>/dev/null &
started=("$!" "${started[@]}")
until_true 30 test -S /run/dbus/system_bus_socket
firewalld --nofork --nopid >/dev/null 2>"$scratch/firewalld" &
started=("$!" "${started[@]}")
firewalld_runs() { firewall-cmd --state >/dev/null 2>&1 && nft list chain inet firewalld filter_FORWARD >/dev/null 2>&1; }
must "firewalld runs" until_true 60 firewalld_runs
scene "firewalld, on a bridge" 0 br0 "firewalld's inet firewalld filter_(IN|FWD)_public" bridged 'filter br0'
scene "firewalld, on a managed network" 1 "$managed" "firewalld's inet firewalld filter_(IN|FWD)_public" gets_out "filter $managed"
check "its reloads left our rules alone" from_desk 192.0.2.1 8080
theirs=$(rules)
n rm na --force
check "and ours leave its rules as they are" equal "$(rules)" "$theirs"
stop_firewalld
check "with the last machine all is as before" equal "$(nft -j list ruleset)" "$whole"
finish

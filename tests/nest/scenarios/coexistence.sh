#!/usr/bin/env bash
# Rules of iptables on a host that shows it bridged packets: Docker's, and a policy alone. Packets stop, path and doctor name why,
# the line that they print is run, packets arrive. And a published port and a public address there.
# limit: 900
source ./lib.sh
source ./net.sh

modprobe -a br_netfilter
sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
rp_filter=$(cat /proc/sys/net/ipv4/conf/all/rp_filter)
sysctl -qw net.ipv4.conf.all.rp_filter=0
put_away() {
  sysctl -qw net.ipv4.conf.all.rp_filter="$rp_filter"
  for each in ip ip6; do nft flush ruleset "$each"; done
}
on_exit put_away
ip link add br0 type bridge && on_exit ip link del br0
ip addr add 10.9.0.254/24 dev br0
ip link set br0 up
desk_link em1 10.9.0.1/24
ip link set em1 master br0
desk_link wan 192.0.2.2/24
ip addr add 192.0.2.1/24 dev wan
desk ip route add default via 192.0.2.1
ip route add default via 192.0.2.2
desk sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan.rp_filter=0
sysctl -qw net.ipv4.conf.wan.rp_filter=0
net_initrd "$scratch/initrd"
cat >"$scratch/nutshell.toml" <<'END'
[[pool]]
name = "public"
kind = "ipv4"
range = "192.0.2.16-192.0.2.31"
END
nutshell() { "$NUTSHELL_BIN" --root "$root" --config "$scratch/nutshell.toml" "$@"; }
whole=$(nft -j list ruleset)
set_stage

net_boot na 'net.eth0=10.9.0.2/24 net.dhcp=eth1' --cloud shop --nic bridge=br0,ip=10.9.0.2 \
  --nic network=nutshell0 --publish 8080:80 &
first=$!
until_true 20 test -d /sys/class/net/nutshell0
net_boot nb 'net.dhcp=eth0' --cloud lab --nic network=nutshell0 &
second=$!
must "a machine on a bridge and on a managed network" wait "$first"
must "one of another cloud on that network" wait "$second"
na=$(json show na | jq -r '.nics[1].ip') nb=$(json show nb | jq -r '.nics[0].ip') managed=$(json show na | jq -r '.nics[1].bridge')
must "a public address" n address allocate 192.0.2.20 --cloud shop
must "leads to it" n address associate 192.0.2.20 shop/na

bridged() { from_desk 10.9.0.2 80; }
published() { from_desk 192.0.2.1 8080; }
public() { from_desk 192.0.2.20 81; }
gets_out() { [[ $(guest "$nb" 'ping -c 2 -W 2 192.0.2.2 >/dev/null && echo out') == out ]]; }
for each in 0 1; do
  note "a published port and a public address, bridge-nf-call-iptables $each"
  sysctl -qw net.bridge.bridge-nf-call-iptables=$each
  check "the desk reaches the port" published
  check "and the public address" public
  check "another cloud's machine, from the same bridge, the port" from_guest "$nb" 192.0.2.1 8080
  check "and the public address" from_guest "$nb" 192.0.2.20 81
  check "but not the machine itself" not from_guest "$nb" "$na" 82
  check "and gets out" gets_out
done

docker_rules() { # what a Docker daemon (27 and later) makes
  iptables -P FORWARD DROP
  for each in DOCKER-USER DOCKER-FORWARD DOCKER-CT; do iptables -N "$each"; done
  iptables -A FORWARD -j DOCKER-USER
  iptables -A FORWARD -j DOCKER-FORWARD
  iptables -A DOCKER-FORWARD -j DOCKER-CT
  iptables -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
  iptables -A DOCKER-FORWARD -i docker0 -j ACCEPT
}
open_again() {
  iptables -P FORWARD ACCEPT
  iptables -F
  iptables -X
}
docker_rules
scene "Docker, on a bridge" 0 br0 "foreign filter.*Docker's ip filter FORWARD, whose policy is drop.*DOCKER-USER" bridged 'filter br0'
scene "Docker, on a managed network" 1 "$managed" "Docker's ip filter FORWARD, whose policy is drop.*DOCKER-USER" published "filter $managed"
check "the public address, too" public
note "a machine comes and goes beside them"
theirs=$(rules)
n kill lab/nb
n start lab/nb
n group create front --cloud lab
n group rm front --cloud lab
check "their rules are as they were" equal "$(rules)" "$theirs"
open_again
iptables -P FORWARD DROP
scene "a policy of iptables, on a bridge" 0 br0 'ip filter FORWARD, whose policy is drop' bridged 'filter br0'
check "nor does doctor" equal "$(in_doctor 'filter br0')" ''
open_again
for each in ip ip6; do nft flush ruleset "$each"; done

for each in shop/na lab/nb; do n rm "$each" --force; done
n address release 192.0.2.20
check "with the last machine all is as before" equal "$(nft -j list ruleset)" "$whole"
finish

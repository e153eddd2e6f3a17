#!/usr/bin/env bash
# What --persist writes, read by the real systemd-networkd after a "restart" (new links, nothing of the kernel's left): the bridge
# is there again with all that it had. And an uplink that networkd really manages is refused; its own way is printed, and works.
. "$(dirname "$0")/lib.sh"
. "$here/uplink.sh"
networkd=/lib/systemd/systemd-networkd
[[ -x $networkd ]] || { say "skipped: there is no $networkd"; exit 0; }
daemon=''
stop_networkd() { [[ -z $daemon ]] || { kill "$daemon" && wait "$daemon"; } 2>/dev/null; daemon=''; }
trap 'stop_networkd; end_dead_men; drop_uplink; cleanup' EXIT

# /etc and /run of its own, and a /sys that shows the links of this namespace; read-only, so that networkd waits for no udev.
for folder in /etc/systemd /run; do mkdir -p $folder && mount -t tmpfs none $folder; done
mkdir -p /etc/systemd/network /run/netns /run/systemd/netif
touch /run/systemd/netif/state # it runs here
mount -t sysfs -o ro none /sys
start_networkd() {
  rm -rf /run/systemd/netif
  install -d -o systemd-network -g systemd-network /run/systemd/netif{,/links,/leases,/lldp}
  SYSTEMD_LOG_TARGET=console "$networkd" >"$scratch/networkd.log" 2>&1 & daemon=$!
}
# restart: the links are new, as after a reboot, with what hardware keeps.
restart() {
  stop_networkd
  for each in br9 br5; do ip link del $each 2>/dev/null; done
  drop_uplink
  ip route flush table 100
  ip netns add "$peer"
  ip link add em1 address "$mac" type veth peer name far1 netns "$peer"
  ip -n "$peer" link set far1 up
  ip -n "$peer" addr add 10.9.0.1/24 dev far1
  ip -n "$peer" -6 addr add 2001:db8:9::1/64 dev far1 nodad
  sed -i 's/"boot_id": "[^"]*"/"boot_id": "another"/' "$root"/state/adoptions/*.json 2>/dev/null
  start_networkd
}
has_way_out() { ping -q -c 1 -W 1 10.9.0.1 >/dev/null 2>&1; }
addresses() { ip -j addr show "$1" | jq -r '[.[].addr_info[]? | select(.scope == "global") | "\(.local)\(if .address then " peer \(.address)" else "" end)/\(.prefixlen)"] | sort | join(" ")'; }
routes() { for v in 4 6; do ip -$v -j route show table all dev "$1" | jq -r '.[] | select(.protocol != "kernel" and .type != "multicast") | "\(.dst) \(.gateway) \(.metric) \(.table)"'; done | sort | xargs; }

make_uplink
mac=$(ip -j link show em1 | jq -r '.[0].address')
ip addr add 10.9.3.2 peer 10.9.3.1 dev em1
ip addr add 10.9.2.2/24 dev em1 noprefixroute
ip route add 192.0.2.0/24 via 10.9.0.1 dev em1 metric 7
ip route add default via 10.9.0.1 dev em1 table 100
check "IPv6 is ready" until_true 30 ip_is_ready

say "-- an adoption"
check "adopt" n bridge adopt br9 --uplink em1 --persist
check "confirm" n bridge confirm br9
had=$(addresses br9) ways=$(routes br9)
restart
check "the host is there again" until_true 20 has_way_out
check "over the bridge" equal "$(ip -j link show em1 | jq -r '.[0].master')" br9
check "with its MAC" equal "$(ip -j link show br9 | jq -r '.[0].address')" "$mac"
check "its addresses" equal "$(addresses br9)" "$had"
check "its routes" equal "$(routes br9)" "$ways"
check "no more than that" equal "$(addresses em1)$(ip route show 10.9.2.0/24)" ""
check "ls knows whose it is" equal "$(json bridge ls | jq -c '.bridges[0].adoption | [.uplink, .state, .persist]')" '["em1","confirmed",true]'
stop_networkd
check "release" n bridge release br9
check "the uplink has it all" equal "$(addresses em1)" "$had"
check "the bridge is gone" bash -c '! ip link show br9 2>/dev/null'
check "and so are the files" equal "$(ls /etc/systemd/network)" ""

say "-- a bridge of its own"
check "create" n bridge create br5 --address 10.75.200.1/24 --stp on --forward-delay 9 --mtu 1400 --persist
own=$(ip -j link show br5 | jq -r '.[0].address')
restart
is_back() { [[ $(addresses br5) == 10.75.200.1/24 ]]; }
check "is there again" until_true 20 is_back
check "as it was" equal "$(ip -j -d link show br5 | jq -c '.[0] | [.address, .mtu, .linkinfo.info_data.stp_state, .linkinfo.info_data.forward_delay]')" "[\"$own\",1400,1,900]"
check "and ours, though nobody marked it" equal "$(json bridge ls | jq '.bridges[0].ours')" true
stop_networkd
check "rm" n bridge rm br5
check "takes the files away" equal "$(ls /etc/systemd/network)" ""

say "-- an uplink that networkd manages"
printf '[Match]\nName=em1\n[Network]\nAddress=10.9.0.2/24\nGateway=10.9.0.1\n' >/etc/systemd/network/10-em1.network
restart
check "it sets it up" until_true 20 has_way_out
is_configured() { grep -q ADMIN_STATE=configur "/run/systemd/netif/links/$(cat /sys/class/net/em1/ifindex)"; }
check "and says so" until_true 30 is_configured
refuse 4 'em1: systemd-networkd manages it' nutshell bridge adopt br9 --uplink em1
json bridge adopt br9 --uplink em1 >"$scratch/answer" 2>/dev/null
jq -c '.native.files[]' "$scratch/answer" | while read -r file; do jq -r .text <<<"$file" >"$(jq -r .path <<<"$file")"; done
restart
check "what is printed instead works" until_true 20 has_way_out
check "over the bridge" equal "$(ip -j link show em1 | jq -r '.[0].master') $(addresses br9)" "br9 10.9.0.2/24"
finish

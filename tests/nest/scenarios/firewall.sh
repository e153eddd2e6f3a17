#!/usr/bin/env bash
# Security groups, clouds and anti-spoofing on a plain bridge, where the kernel tracks connections in the family bridge: from a
# desk behind the uplink and from port to port, with the kernel showing bridged packets to iptables and without.
# limit: 900
source ./lib.sh
source ./net.sh

modprobe -a br_netfilter
raw=${NEST_RAW_FRAME:-$(dirname "$NUTSHELL_BIN")/raw_frame}
web=10.9.0.2 db=10.9.0.3 alien=10.9.0.4
servers=()
put_away() {
  kill "${servers[@]}" 2>/dev/null
  sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
  nft delete table inet stranger
  nft delete table bridge stranger
}
ip link add br0 type bridge && on_exit ip link del br0
ip addr add 10.9.0.254/24 dev br0
ip link set br0 up
desk_link em1 10.9.0.1/24
ip link set em1 master br0
desk socat TCP4-LISTEN:7777,fork,reuseaddr SYSTEM:'echo desk-here' &
servers+=("$!")
nft -f - <<'END'
table inet stranger { comment "nutshell:ffff"; chain forward { type filter hook forward priority 10; policy accept; }; }
table bridge stranger { chain forward { type filter hook forward priority 10; policy accept; ct state established accept; }; }
END
on_exit put_away
theirs=$(strangers) whole=$(nft -j list ruleset)
net_initrd "$scratch/initrd" "$raw"
set_stage

boot() { local name=$1 address=$2; shift 2; net_boot "$name" "net.eth0=$address/24" --nic "bridge=br0,ip=$address" "$@"; }
pings() { [[ $(guest "$1" "ping -c 2 -W 1 $2 >/dev/null && echo reached || echo lost") == reached ]]; }
desk_pings() { desk ping -q -c 2 -i 0.3 -W 1 "$1" >/dev/null; }
group() { n group "$1" front --cloud shop --protocol tcp --port 80 "${@:2}"; }

must "a group" n group create front --cloud shop
must "another" n group create back --cloud shop
boot web $web --cloud shop --group front &
first=$!
boot db $db --cloud shop --group back &
second=$!
boot alien $alien --cloud lab &
third=$!
must "a machine in it, on a plain bridge" wait "$first"
must "another of its cloud" wait "$second"
must "one of another cloud" wait "$third"
check "its rules know connections" matches "$(nft list table bridge nutshell)" 'ct direction reply ct state established accept'

for bridged in 0 1; do
  sysctl -qw net.bridge.bridge-nf-call-iptables=$bridged net.bridge.bridge-nf-call-ip6tables=$bridged
  note "groups, bridge-nf-call-iptables $bridged"
  check "the desk does not get in" not from_desk $web 80
  check "nor another machine" not from_guest "$db" $web 80
  check "what it asks of the desk is answered" equal "$(guest "$web" 'nc -w 3 10.9.0.1 7777 </dev/null')" desk-here
  check "and what it pings" pings $web 10.9.0.1
  group authorize --from 10.9.0.1/32
  check "the desk is let in" from_desk $web 80
  check "to that port alone" not from_desk $web 81
  check "and nobody else" not from_guest "$db" $web 80

  # A connection that is open: what the desk says comes back, until the rule is gone.
  rm -f "$scratch/to" && mkfifo "$scratch/to"
  desk timeout 90 socat - TCP4:$web:80 <"$scratch/to" >"$scratch/from" 2>/dev/null &
  servers+=("$!")
  exec 7>"$scratch/to"
  trap '' PIPE
  said() { echo "$1" >&7 || return 1; until_true "${2:-5}" grep -q "^$1$" "$scratch/from"; }
  check "its connection is open" said first
  group revoke --from 10.9.0.1/32
  check "it ends when the rule is revoked" not said second 3
  check "and no other begins" not from_desk $web 80
  exec 7>&-

  group authorize --from-group back
  check "a group as the source" from_guest "$db" $web 80
  check "is not the desk" not from_desk $web 80
  guest "$db" 'killall tail; rm -f /to /from; touch /to; (tail -f /to | nc 10.9.0.2 80) </dev/null >/from 2>/dev/null & echo first >>/to; sleep 2' >/dev/null
  check "a connection from port to port" equal "$(guest "$db" 'cat /from')" first
  group revoke --from-group back
  guest "$db" 'echo second >>/to; sleep 2' >/dev/null
  check "ends when the rule is revoked" equal "$(guest "$db" 'cat /from')" first

  note "clouds, bridge-nf-call-iptables $bridged"
  n group authorize back --cloud shop --protocol icmp
  check "machines of one cloud see each other" pings $web $db
  check "so does the desk" desk_pings $db
  check "another cloud does not" not pings $alien $db
  check "nor is it seen" not pings $web $alien
  check "though the desk sees it" desk_pings $alien
  n group revoke back --cloud shop --protocol icmp
done

note 'anti-spoofing'
mac_hex() { json show "$1" | jq -r '.nics[0].mac' | tr -d :; }
# shellcheck disable=SC2086  # the numbers one by one
hex() { printf '%02x' ${1//./ }; }
everyone=ffffffffffff pad=000000000000000000000000000000000000
mac=$(mac_hex alien) other=$(mac_hex db) own=$(hex $alien) victim=$(hex $db) asked=$(hex 10.9.0.1)
half=$(printf '%012x' $((16#$mac ^ 16#020000000000)))
mine=fe80000000000000${half:0:6}fffe${half:6:6} forged=fe80000000000000505400fffe009999
arp() { echo "$everyone${1}08060001080006040001${2}${3}000000000000${4}$pad"; } # from, sender MAC, sender IP, asked for
udp() { # from, source, ports; the header with its checksum
  local text=4500001c0001000040110000${2}ffffffff total=0 i
  for ((i = 0; i < ${#text}; i += 4)); do total=$((total + 16#${text:i:4})); done
  while ((total > 65535)); do total=$(((total & 65535) + (total >> 16))); done
  printf '%s%s08004500001c000100004011%04x%sffffffff%s00080000\n' "$everyone" "$1" $((65535 - total)) "$2" "$3"
}
advert() { echo "333300000001${1}86dd6000000000203aff${2}ff0200000000000000000000000000018800000020000000${3}0201${1}"; } # from, source, target
# what FRAME: it is sent from inside the guest; what the desk saw of it.
what() {
  desk "$raw" listen em1 8 >"$scratch/heard" &
  local listener=$! sent
  until_true 30 grep -q listening "$scratch/heard"
  sent=$(guest "$alien" "raw_frame send eth0 $1")
  until_true 1 grep -qi "$1" "$scratch/heard" || true
  kill "$listener" 2>/dev/null
  wait "$listener" 2>/dev/null
  [[ $sent == *'sent 1'* ]] || { say "not sent: $sent"; return; }
  if grep -qi "$1" "$scratch/heard"; then say arrives; else say held; fi
}
arrives() { equal "$(what "$1")" arrives; }
held() { equal "$(what "$1")" held; }
for bridged in 0 1; do
  sysctl -qw net.bridge.bridge-nf-call-iptables=$bridged net.bridge.bridge-nf-call-ip6tables=$bridged
  note "with bridge-nf-call-iptables $bridged"
  check "its ARP arrives" arrives "$(arp "$mac" "$mac" "$own" "$asked")"
  check "its IP" arrives "$(udp "$mac" "$own" 00350035)"
  check "its request for an address" arrives "$(udp "$mac" 00000000 00440043)"
  check "its neighbour advertisement" arrives "$(advert "$mac" "$mine" "$mine")"
  check "a forged MAC does not" held "$(arp "$other" "$other" "$own" "$asked")"
  check "a forged ARP sender" held "$(arp "$mac" "$other" "$own" "$asked")"
  check "a gratuitous ARP for another's address" held "$(arp "$mac" "$mac" "$victim" "$victim")"
  check "a forged IP" held "$(udp "$mac" "$victim" 00350035)"
  check "a neighbour advertisement for another" held "$(advert "$mac" "$mine" "$forged")"
  check "a VLAN tag" held "$everyone${mac}8100000508060001080006040001${mac}${own}000000000000${asked}$pad"
done

note 'nothing of others is touched'
check "their rules are as they were" equal "$(strangers)" "$theirs"
kill -9 "$(pid_of shop/web)"
crashed() { [[ $(state_of "$1") == crashed ]]; }
until_true 20 crashed shop/web
n ls >/dev/null
check "after a crash its rules are gone" equal "$(nft list ruleset | grep -c shop/web)" 0
n kill shop/db
check "and after kill" equal "$(nft list ruleset | grep -c shop/db)" 0
for each in shop/web shop/db lab/alien; do n rm "$each" --force; done
check "with the last machine all is as before" equal "$(nft -j list ruleset)" "$whole"
finish

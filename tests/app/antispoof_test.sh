#!/usr/bin/env bash
# What a hostile guest sends, from inside it and past its stack: forged MAC, ARP, IP, neighbour advertisements, VLAN tags. None arrives on the
# wire; honest frames do. And two clouds on one bridge do not see each other.
. "$(dirname "$0")/lib.sh"

# The guest with a program that sends frames as they are.
raw=$(find "$build_dir" -name raw_frame -type f -perm -u+x | head -n 1)
mkdir -p "$scratch/extra/bin"
cp "$raw" "$scratch/extra/bin/raw_frame"
(cd "$scratch/extra" && echo ./bin/raw_frame | cpio -o -H newc --quiet | gzip -1) | cat "$guest/initrd" - >"$scratch/initrd"

wire=nutshell-wire-${scratch##*.}
ip netns add "$wire"
trap 'ip netns del "$wire"; cleanup' EXIT
ip link add br0 type bridge
ip addr add 10.9.0.1/24 dev br0
ip link set br0 up
ip link add uplink type veth peer name eth0 netns "$wire"
ip link set uplink master br0 up
ip netns exec "$wire" ip link set eth0 up
nft -f - <<'END'
table bridge nutshell-like { comment "nutshell:ffff"; chain forward { type filter hook forward priority 0; policy accept; }; }
END
strangers() { nft -j list ruleset | jq -c '[.nftables[] | select((.table // .chain // .rule // .set // .map // .element // {}) | ((.table // .name) == "nutshell") | not)]'; }
before=$(nft -j list ruleset)

launch() {
  local name=$1 address=$2
  shift 2
  n launch "$name" --memory 128M --nested off --accel tcg --vnc off --kernel "$guest/vmlinuz" --initrd "$scratch/initrd" \
    --append "console=ttyS0 quiet nutshell.dhcp=off" "$@" --wait 'serial=nutshell-guest: up' --timeout 90 >/dev/null
  settle_guest "$name" "$address"
}
settle_guest() { guest "$1" "ip addr add $2/24 dev eth0; ip link set eth0 up; sleep 2" >/dev/null; }
mac_hex() { json show "$1" | jq -r '.nics[0].mac' | tr -d :; }
hex() { printf '%02x' ${1//./ }; }
# sum HEX: the checksum of an IPv4 header.
sum() {
  local text=$1 total=0 i
  for ((i = 0; i < ${#text}; i += 4)); do total=$((total + 16#${text:i:4})); done
  while ((total > 65535)); do total=$(((total & 65535) + (total >> 16))); done
  printf '%04x' $((65535 - total))
}
everyone=ffffffffffff pad=000000000000000000000000000000000000
arp() { echo "$everyone${1}0806$(arp_body "$1" "$2" "$3" "$4")"; } # from, sender MAC, sender IP, asked for
arp_body() { echo "0001080006040001${2}${3}000000000000${4}$pad"; }
udp() { # from, source, ports
  local head=4500001c000100004011
  echo "$everyone${1}0800$head$(sum "${head}0000${2}ffffffff")${2}ffffffff${3}00080000"
}
advert() { echo "333300000001${1}86dd6000000000203aff${2}ff0200000000000000000000000000018800000020000000${3}0201${1}"; } # from, source, target
# what NAME FRAME: the frame is sent from inside the guest; what the wire saw of it.
what() {
  ip netns exec "$wire" "$raw" listen eth0 8 >"$scratch/heard" &
  local listener=$!
  until_true 30 grep -q listening "$scratch/heard"
  guest "$1" "raw_frame send eth0 $2" >"$scratch/sent"
  until_true 1 grep -qi "$2" "$scratch/heard" || true
  kill "$listener" 2>/dev/null
  wait "$listener" 2>/dev/null
  grep -q 'sent 1' "$scratch/sent" || { echo "not sent: $(cat "$scratch/sent")"; return; }
  if grep -qi "$2" "$scratch/heard"; then echo arrives; else echo held; fi
}
arrives() { equal "$(what "$1" "$2")" arrives; }
held() { equal "$(what "$1" "$2")" held; }

check "a machine with an address on a bridge" launch one 10.9.0.2 --cloud shop --nic bridge=br0,ip=10.9.0.2,also=10.9.7.0/28
check "another of its cloud" launch two 10.9.0.3 --cloud shop --nic bridge=br0,ip=10.9.0.3
check "one of another cloud" launch alien 10.9.0.4 --cloud lab --nic bridge=br0,ip=10.9.0.4
mac=$(mac_hex one) other=$(mac_hex two)
own=$(hex 10.9.0.2) victim=$(hex 10.9.0.3) host=$(hex 10.9.0.1)
half=$(printf '%012x' $((16#$mac ^ 16#020000000000)))
half=${half:0:6}fffe${half:6:6}
local_address=fe80000000000000$half forged_address=fe80000000000000505400fffe009999

honest_and_forged() {
  check "$1: its ARP arrives" arrives one "$(arp "$mac" "$mac" "$own" "$host")"
  check "$1: so does a probe for an address" arrives one "$(arp "$mac" "$mac" 00000000 "$own")"
  check "$1: its IP" arrives one "$(udp "$mac" "$own" 00350035)"
  check "$1: its request for an address" arrives one "$(udp "$mac" 00000000 00440043)"
  check "$1: its neighbour advertisement" arrives one "$(advert "$mac" "$local_address" "$local_address")"
  check "$1: an address that it may also use" arrives one "$(udp "$mac" "$(hex 10.9.7.5)" 00350035)"
  check "$1: a forged MAC does not" held one "$(arp "$other" "$other" "$own" "$host")"
  check "$1: a forged ARP sender" held one "$(arp "$mac" "$other" "$own" "$host")"
  check "$1: a gratuitous ARP for another's address" held one "$(arp "$mac" "$mac" "$victim" "$victim")"
  check "$1: a forged IP" held one "$(udp "$mac" "$victim" 00350035)"
  check "$1: one beyond those it may also use" held one "$(udp "$mac" "$(hex 10.9.7.16)" 00350035)"
  check "$1: an answer of a DHCP server" held one "$(udp "$mac" "$own" 00430044)"
  check "$1: a neighbour advertisement for another" held one "$(advert "$mac" "$local_address" "$forged_address")"
  check "$1: one from another" held one "$(advert "$mac" "$forged_address" "$local_address")"
  check "$1: a router advertisement" held one "333300000001${mac}86dd6000000000103aff${local_address}ff02000000000000000000000000000186000000400007080000000000000000"
  check "$1: a VLAN tag" held one "$everyone${mac}810000050806$(arp_body "$mac" "$mac" "$own" "$host")"
  check "$1: two of them" held one "$everyone${mac}88a8000581000006""0806$(arp_body "$mac" "$mac" "$own" "$host")"
  check "$1: another protocol" held one "$everyone${mac}88b5$pad$pad$pad"
}
honest_and_forged "at first"

say "-- frames that no rule sees"
tap_of() { json show "$1" | jq -r '.nics[0].tap'; }
port_of() { bridge -j fdb show br br0 | jq -r --arg mac "$1" '[.[] | select(.mac == $mac and (.master // "") == "br0") | .ifname] | unique | join(" ")'; }
with_colons() { sed 's/../&:/g; s/:$//' <<<"$1"; }
check "a bridge knows from the start behind which tap a machine is" equal "$(port_of "$(with_colons "$other")")" "$(tap_of two)"
guest one "raw_frame send eth0 0180c200000e${other}88cc$pad$pad" >"$scratch/sent"
check "one says by LLDP that it is the other" grep -q 'sent 1' "$scratch/sent"
check "and the bridge does not believe it" equal "$(port_of "$(with_colons "$other")")" "$(tap_of two)"
check "the other hears as before" arrives two "$(arp "$other" "$other" "$victim" "$host")"
ip link set br0 type bridge stp_state 1 forward_delay 200
port_state() { bridge -j link show dev "$(tap_of one)" | jq -r '.[0].state'; }
forwards() { [[ $(port_state) == forwarding ]]; }
check "with STP on its port forwards" until_true 30 forwards
guest one "raw_frame send eth0 0180c2000000${mac}0026424203000000000000005254000000010000000000005254000000018001000014000200""0f00$pad" >"$scratch/sent"
check "one claims to be the root of the tree" grep -q 'sent 1' "$scratch/sent"
sleep 1
check "and is not" equal "$(ip -j -d link show br0 | jq -r '.[0].linkinfo.info_data | .root_id == .bridge_id')" true
check "its port is shut" equal "$(port_state)" disabled
check "path says why" matches "$(json path one | jq -r '.paths[0].broken.why')" 'spoke STP'
sh -c "$(json path one | jq -r '.paths[0].broken.cure')"
check "and its cure opens it" until_true 30 forwards
ip link set br0 type bridge stp_state 0
check "a neighbour solicitation in its own name before it has it" arrives one "3333ff$(cut -c7-12 <<<"$mac")${mac}86dd6000000000183aff00000000000000000000000000000000ff0200000000000000000001ff$(cut -c7-12 <<<"$mac")8700000000000000$local_address"
check "and none in another's" held one "3333ff999901${mac}86dd6000000000183aff00000000000000000000000000000000ff0200000000000000000001ff9999018700000000000000$forged_address"
reaches() { guest "$1" "ping -c 1 -W 2 $2 >/dev/null && echo reached || echo lost"; }
for bridged in 0 1; do
  sysctl -qw net.bridge.bridge-nf-call-iptables=$bridged net.bridge.bridge-nf-call-ip6tables=$bridged
  say "-- clouds, bridge-nf-call-iptables $bridged"
  check "machines of one cloud see each other" equal "$(reaches one 10.9.0.3)" reached
  check "and the host" equal "$(reaches one 10.9.0.1)" reached
  check "those of another cloud not" equal "$(reaches one 10.9.0.4)" lost
  check "nor the other way" equal "$(reaches alien 10.9.0.2)" lost
  sysctl -qw net.ipv4.ip_forward=1
  guest alien 'ip route replace 10.9.0.2/32 via 10.9.0.1' >/dev/null
  guest one 'ip route replace 10.9.0.4/32 via 10.9.0.1' >/dev/null
  check "nor round by the host, where it forwards" equal "$(reaches alien 10.9.0.2)" lost
  check "in neither direction" equal "$(reaches one 10.9.0.4)" lost
  guest alien 'ip route del 10.9.0.2/32' >/dev/null
  guest one 'ip route del 10.9.0.4/32' >/dev/null
  sysctl -qw net.ipv4.ip_forward=0
done
check "what was held is counted by tap" matches "$(nft list set bridge nutshell forged)" "\"$(json show one | jq -r '.nics[0].tap')\" counter packets [1-9]"
check "the rules carry the machine's mark" matches "$(nft list table bridge nutshell)" 'comment "nutshell:shop/one:0"'

say "-- an address that passes on"
n kill shop/one
check "what it had is gone" equal "$(nft list table bridge nutshell | grep -c shop/one)" 0
n rm shop/one
check "the next has it" launch heir 10.9.0.2 --cloud shop --nic bridge=br0,ip=10.9.0.2
check "its ARP arrives" arrives heir "$(arp "$(mac_hex heir)" "$(mac_hex heir)" "$own" "$host")"
check "the MAC of the one before does not" held heir "$(arp "$mac" "$mac" "$own" "$host")"
say "-- after a restart, and after somebody took the rules away"
n restart shop/two --timeout 5 >/dev/null 2>&1 || { n kill shop/two; n start shop/two >/dev/null; }
n wait shop/two 'serial=nutshell-guest: up' --timeout 90 >/dev/null
settle_guest two 10.9.0.3
check "its ARP arrives" arrives two "$(arp "$other" "$other" "$victim" "$host")"
check "a forged one does not" held two "$(arp "$other" "$other" "$own" "$host")"
nft flush map bridge nutshell guarded
check "without its rules it arrives" arrives two "$(arp "$other" "$other" "$own" "$host")"
check "gc puts them back, and says so" matches "$(n gc)" 'put back the firewall rules of shop/two'
check "a forged one is held again" held two "$(arp "$other" "$other" "$own" "$host")"
check "gc finds nothing more" matches "$(n gc)" 'nothing was left'
nft delete table bridge nutshell
check "where the table is gone, the next that looks says so" matches "$(nutshell ls 2>&1)" 'the nftables table bridge nutshell is gone; it is put right'
check "and it is there again" held two "$(arp "$other" "$other" "$own" "$host")"
check "strangers' rules are as they were" equal "$(strangers | jq -c 'map(del(.metainfo))')" "$(jq -c '.nftables | map(del(.metainfo))' <<<"$before")"

say "-- a crash"
kill -9 "$(pid_of two)"
gone() { [[ $(state_of two) == crashed* ]]; }
until_true 20 gone
n ls >/dev/null
check "the next that looks takes its rules back" equal "$(nft list table bridge nutshell | grep -c shop/two)" 0
for name in heir alien; do n rm "$name" --force; done
check "with the last machine the table is gone" equal "$(nft -j list ruleset)" "$before"
n rm shop/two
check "and nothing is left" matches "$(n gc)" 'nothing was left'
finish

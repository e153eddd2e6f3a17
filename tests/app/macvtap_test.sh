#!/usr/bin/env bash
# A guest on a macvtap link is reached from the other end of the uplink; and the link, which no kernel takes back when QEMU
# dies, goes with the machine however that ends.
. "$(dirname "$0")/lib.sh"

peer=nutshell-test-mv-$$
ip netns add "$peer"
trap 'cleanup; ip netns del "$peer" 2>/dev/null' EXIT
for i in 1 2 3; do
  ip link add "em$i" type veth peer name "far$i" netns "$peer"
  ip link set "em$i" up
  ip -n "$peer" link set "far$i" up
done
ip -n "$peer" addr add 10.9.0.1/24 dev far1
in_peer() { ip netns exec "$peer" "$@" >/dev/null; }
boot() { local name=$1; shift; n launch "$name" --memory 128M --nested off --accel tcg --kernel "$guest/vmlinuz" --initrd "$guest/initrd" --append "console=ttyS0 quiet nutshell.dhcp=off" "$@" --wait 'serial=nutshell-guest: up ' --timeout 90 >/dev/null; }
give() { type_to "$1" "ip addr add $2/24 dev eth0; ip link set eth0 up; echo has-\$((1000+$3))"; until_true 30 grep -qa "^has-$((1000 + $3))" "$root/log/$(uuid_of "$1")/1.serial"; }
link_of() { json show "$1" | jq -r '.nics[0].tap'; }
macvtaps() { ip -d -o link show type macvtap 2>/dev/null | wc -l; }
quiet() { "$@" >/dev/null; }
bare() { local name=$1; shift; n "${verb:-launch}" "$name" --memory 64M --nested off --accel tcg "$@" >/dev/null; }
field() { ip -d -j link show "$1" | jq -r "$2"; }

check "a machine on a macvtap link, with two queues" boot one --cpus 2 --nic macvtap=em1,queues=2,mtu=1400
link=$(link_of one)
check "the link has the guest's MAC" equal "$(field "$link" '.[0].address')" "$(json show one | jq -r '.nics[0].mac')"
check "the mode, the MTU and our mark" equal "$(field "$link" '.[0] | "\(.linkinfo.info_data.mode) \(.mtu) \(.ifalias) \(.link)"')" "bridge 1400 nutshell:default/one:0 em1"
check "the host has no address on it" equal "$(ip -o addr show dev "$link")" ""
check "the guest has its address" give one 10.9.0.7 1
check "and answers, from the other end of the uplink" in_peer ping -q -c 3 -i 0.2 -W 2 10.9.0.7
check "as large as the MTU, too" in_peer ping -q -c 2 -i 0.2 -W 2 -M do -s 1372 10.9.0.7
check "the line hands over a descriptor for each queue" matches "$(n command one)" '"type":"tap","id":"net0","fds":"[0-9]+:[0-9]+".*"host_mtu":1400,"mq":true,"vectors":6'
if [[ ! -e /dev/vhost-net ]]; then check "without vhost, where the host has none" matches "$(n command one | grep -c vhost)" '^0$'; fi
check "show says it" matches "$(n show one)" "macvtap on em1 \(bridge\)  link $link"
check "and in JSON" equal "$(json show one | jq -c '.nics[0] | [.kind, .uplink, .mode, .bridge, .queues]')" '["macvtap","em1","bridge",null,2]'
check "ls too" equal "$(json ls | jq -r '.machines[0].nics[0].tap')" "$link"
check "who knows the link" matches "$(n who "$link")" 'one'
check "path: the uplink, then the link, unbroken" equal "$(json path one | jq -c '.paths[0] | [[.devices[] | [.name, .role]], .broken]')" "[[[\"em1\",\"uplink\"],[\"$link\",\"macvtap\"]],null]"
ip link set em1 down
check "path names the uplink that is down" equal "$(json path one | jq -r '.paths[0].broken.device')" em1
ip link set em1 up
check "a second one on the same uplink" boot two --nic macvtap=em1
check "with its address" give two 10.9.0.8 2
check "the two are neighbours" in_peer ping -q -c 2 -i 0.2 -W 2 10.9.0.8
type_to two 'ping -c 2 10.9.0.7 >/dev/null && echo neigh-$((1+1))bours'
check "directly, in bridge mode" until_true 20 grep -qa '^neigh-2bours' "$root/log/$(uuid_of two)/1.serial"

check "a stop takes the link along" n stop two --force
check "it is gone" equal "$(macvtaps)" 1
check "it starts again" n start two
check "with a link again" equal "$(macvtaps)" 2
kill -9 "$(pid_of two)"
until_true 30 equal "$(state_of two)" crashed >/dev/null
check "a crash is collected by whoever looks" matches "$(n ls 2>/dev/null)" 'two +crashed'
check "and the link is gone" equal "$(macvtaps)" 1
check "set --drop-nic leaves none" quiet n set two --drop-nic 0
check "set gives it one" n set two --nic macvtap=em1,mode=private
check "which is private" equal "$(n start two >/dev/null; field "$(link_of two)" '.[0].linkinfo.info_data.mode')" private
n rm two --force
n rm one --force
check "rm leaves no link" equal "$(macvtaps)" 0

# IPv6 needs 1280 bytes: a link with less has no setting of it.
check "a link with an MTU below 1280" bare small --nic macvtap=em1,mtu=1000
check "has it" equal "$(field "$(link_of small)" '.[0].mtu')" 1000
check "and no address of the host" equal "$(ip -o addr show dev "$(link_of small)")" ""
n rm small --force
check "which goes with it" equal "$(macvtaps)" 0

# A registry that is lost while the machine runs finds its link again.
bare kept --nic macvtap=em1
link=$(link_of kept)
rm -f "$root"/state/registry.db*
check "recover finds the link by its mark" quiet n recover
check "under its name" equal "$(link_of kept)" "$link"
n rm kept --force
check "and rm takes it away" equal "$(macvtaps)" 0

# What a lost registry's machine left, gc takes away by mark and MAC, and only that.
bare lost --nic macvtap=em1
link=$(link_of lost)
kill -9 "$(pid_of lost)"
rm -f "$root"/state/registry.db*
n recover >/dev/null
ip link add link em1 name stranger address 52:54:00:99:99:99 type macvtap mode bridge
ip link set stranger alias nutshell:default/other:0
check "doctor sees the link" matches "$(json doctor)" "the macvtap link $link"
check "gc takes it" quiet n gc
check "and leaves a stranger's" equal "$(ip -o link show type macvtap | awk '{print $2}')" 'stranger@em1:'
ip link del stranger
check "the machine starts again" n start lost
n rm lost --force

# A launch that fails after the link was made leaves none, and neither does one that is killed.
refuse 1 '.' bare broken --nic macvtap=em1 -- -device no-such-device
check "a failed launch leaves no link" equal "$(macvtaps)" 0
check "and no machine" equal "$(json ls | jq '.machines | length')" 0
killer=$build_dir/tests/faults/nutshell_kill_at.so
if [[ -e $killer ]]; then
  for ((at = 1; at <= 60; at++)); do
    { ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 LD_PRELOAD=$killer NUTSHELL_KILL_AT=$at "$nutshell_bin" --quiet --root "$root" launch killed --memory 64M --nested off --accel tcg --nic macvtap=em1 >/dev/null 2>&1; } 2>/dev/null && break
    n ls >/dev/null 2>&1
    if [[ $(state_of killed 2>/dev/null) == running ]]; then want=1; else want=0; fi
    [[ $(macvtaps) -eq $want ]] || { fail "killed at $at: $(macvtaps) links, not $want"; break; }
    n rm killed --force >/dev/null 2>&1
  done
  check "killed at each row of the journal, $((at - 1)) times, and nothing left" test "$at" -gt 8
  n rm killed --force >/dev/null 2>&1
  check "no link at all" equal "$(macvtaps)" 0
fi

# A link that looks like ours and is not.
bare mine --nic macvtap=em2
link=$(link_of mine)
n stop mine --force
ip link add link em3 name "$link" type macvtap mode bridge
n start mine
check "a stranger's link of that name is passed over" equal "$(ip -d -o link show "$link" | grep -c nutshell)" 0
n rm mine --force
check "and left alone" quiet ip link show "$link"
ip link del "$link"

# passthru has an uplink for itself.
bare alone --nic macvtap=em2,mode=passthru
check "passthru" equal "$(field "$(link_of alone)" '.[0].linkinfo.info_data.mode')" passthru
refuse 4 'em2' bare other --nic macvtap=em2
n rm alone --force
bare other --nic macvtap=em2
refuse 3 'mode=passthru needs em2 for itself, and nt[0-9a-f-]+ of the machine default/other is on it' bare third --nic macvtap=em2,mode=passthru
refuse 4 'em2 has the macvtap' n bridge adopt br9 --uplink em2 --dry-run
n rm other --force

by_hand=$(verb=create bare hand --cpus 2 --nic macvtap=em1,queues=2,mac=52:54:00:12:34:61; n command hand --by-hand)
say "$by_hand"
check "by hand: the commands, and the descriptors of the shell" matches "$by_hand" 'fds=3:4.* 3<>/dev/tap\$\(cat /sys/class/net/hand-0/ifindex\) 4<>/dev/tap'
mount -t sysfs sysfs /sys  # a test's namespace shows another's; in /dev the node may be another's, too
eval "$(head -n -1 <<<"$by_hand")"
check "they make the link" equal "$(field hand-0 '.[0].address')" 52:54:00:12:34:61
if [[ $(stat -c '%Hr:%Lr' "/dev/tap$(cat /sys/class/net/hand-0/ifindex)" 2>/dev/null) == "$(cat /sys/class/net/hand-0/macvtap/tap*/dev)" ]]; then
  bash -c "exec $(tail -n 1 <<<"$by_hand")" >"$scratch/by-hand.log" 2>&1 </dev/null &
  pid=$!
  sleep 2
  check "and the line runs" kill -0 "$pid"
  kill "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  check "without a complaint" equal "$(grep -Ev 'terminating on signal|VNC server running' "$scratch/by-hand.log")" ""
fi
ip link del hand-0
check "explain says it" matches "$(n explain hand)" 'a macvtap link on em1 \(bridge mode\)'
n rm hand

ip link add br0 type bridge
ip link set br0 up
ip link set em3 master br0
refuse 3 'em3 belongs to br0, which has its frames; use bridge=br0' bare x --nic macvtap=em3
refuse 3 'br0 is a bridge; use bridge=br0' bare x --nic macvtap=br0
refuse 3 'lo has no Ethernet address' bare x --nic macvtap=lo
refuse 3 'em9 does not exist' bare x --nic macvtap=em9
ip link set em2 down
refuse 3 'em2 is down; `ip link set em2 up`' bare x --nic macvtap=em2
refuse 3 'mtu=9000 is more than em1 carries \(1500\)' bare x --nic macvtap=em1,mtu=9000
refuse 3 'use bridge, private, vepa or passthru' bare x --nic macvtap=em1,mode=source
refuse 3 'mode= is for macvtap= alone' bare x --nic bridge=br0,mode=vepa
refuse 3 'the bridge br0 does not keep VLANs apart; `ip link set br0 type bridge vlan_filtering 1`' bare x --nic bridge=br0,vlan=100
refuse 3 'the bridge br0 does not keep VLANs apart' bare x --nic bridge=br0,trunk=100-110
refuse 3 'vlan= and trunk= need bridge=' bare x --nic user,vlan=100
refuse 3 'vlan= and trunk= need bridge=' bare x --nic network=nutshell0,trunk=100
refuse 3 'trunk=.100-4095. is not possible' bare x --nic bridge=br0,trunk=100-4095
check "nothing was made for any of them" equal "$(json ls | jq '.machines | length') $(macvtaps)" "0 0"
finish

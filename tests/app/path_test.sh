#!/usr/bin/env bash
# path: the host's devices between the outside and a machine, their counters, and the one that is broken, found by breaking each.
. "$(dirname "$0")/lib.sh"

bare() { local name=$1; shift; n launch "$name" --memory 64M --nested off --accel tcg --vnc off "$@" >/dev/null; }
path() { json path "$@"; }
broken() { path ciab | jq -r '.paths[0].broken.device'; }
why() { path ciab | jq -r '.paths[0].broken.why'; }
sees() { [[ $(broken) == "$1" ]]; }

ip link add br0 type bridge
ip link set br0 up
ip netns add "nutshell-path-$$"
ip link add em1 type veth peer name eth0 netns "nutshell-path-$$"
ip link set em1 master br0 up
ip -n "nutshell-path-$$" addr add 192.168.60.9/24 dev eth0
ip -n "nutshell-path-$$" link set eth0 up

check "a machine that is not started" n create ciab --memory 256M --nested off --accel tcg --vnc off --kernel "$guest/vmlinuz" --initrd "$guest/initrd" --append "console=ttyS0 quiet nutshell.dhcp=off" --nic bridge=br0 >/dev/null
check "has no tap" sees tap
check "and path says why" matches "$(why)" 'does not run'
n start ciab --wait serial='nutshell-guest#' --timeout 60 >/dev/null
tap=$(json show ciab | jq -r '.nics[0].tap')
check "the devices in order" equal "$(path ciab | jq -r '[.paths[0].devices[] | .role + " " + .name] | join(", ")')" "uplink em1, bridge br0, tap $tap"
check "nothing is broken" until_true 30 sees null

# The counters are the kernel's, and rise by what goes through.
counted() { path ciab | jq -r --arg name "$1" ".paths[0].devices[] | select(.name == \$name) | .$2.bytes"; }
type_to ciab 'ip addr add 192.168.60.2/24 dev eth0; ip link set eth0 up'
answers() { ip netns exec "nutshell-path-$$" ping -q -c 1 -W 1 192.168.60.2 >/dev/null; }
check "the guest answers through it" until_true 20 answers
em1=$(counted em1 received) br0=$(counted br0 received) out=$(counted "$tap" sent) back=$(counted "$tap" received)
check "100 pings of 1,000 bytes" ip netns exec "nutshell-path-$$" ping -q -c 100 -i 0.01 -s 1000 192.168.60.2 >/dev/null
for each in "em1 $(($(counted em1 received) - em1))" "tap-sent $(($(counted "$tap" sent) - out))" "tap-received $(($(counted "$tap" received) - back))"; do
  check "rises by 100 packets of 1,042 bytes and little more: $each" test "${each#* }" -ge 104200 -a "${each#* }" -lt 130000
done
rose=$(($(counted br0 received) - br0))
check "the bridge forwarded them both ways: $rose" test "$rose" -ge 208400 -a "$rose" -lt 260000

# Each link in turn.
ip link set em1 down
check "the uplink is down" sees em1
ip link set em1 up
ip -n "nutshell-path-$$" link set eth0 down
check "the uplink has no carrier" sees em1
check "and that is what it says" matches "$(why)" 'carrier'
ip -n "nutshell-path-$$" link set eth0 up
check "it is whole again" until_true 30 sees null
ip link set br0 down
check "the bridge is down" sees br0
ip link set br0 up
check "it is whole again" until_true 30 sees null
ip link set "$tap" down
check "the tap is down" sees "$tap"
ip link set "$tap" up
ip link set "$tap" nomaster
check "the tap is no port" sees "$tap"
ip link set "$tap" master br0
ip link set em1 nomaster
check "no uplink" sees br0
check "and says so" matches "$(why)" 'no uplink'
ip link set em1 master br0
check "it is whole again" until_true 30 sees null
check "as text, too" matches "$(nutshell path ciab)" 'nothing of it is found broken'
ip link del br0
check "the bridge is gone" sees br0

# Forms.
n rm ciab --force
bare user --nic user
check "user mode has no devices" equal "$(path user | jq -c '.paths[0].devices')" '[]'
check "and says so" matches "$(nutshell path user)" 'user-mode networking'
bare none --nic none
check "no NIC at all" matches "$(nutshell path none)" 'has no NIC'
bare managed --nic network=nutshell0
check "a managed network needs no uplink" equal "$(path managed | jq -r '[.paths[0].devices[].role] | join(" ")') $(path managed | jq -r '.paths[0].broken')" 'bridge tap null'
refuse 6 'no machine nobody' nutshell path nobody
refuse 2 'NAME' nutshell path
for each in user none managed; do n rm "$each" --force; done
ip netns del "nutshell-path-$$"
finish

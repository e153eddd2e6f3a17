#!/usr/bin/env bash
# NICs with an MTU and with several queues: what the guest sees of them, and what the bridge of somebody else does not notice.
. "$(dirname "$0")/lib.sh"

boot() { local name=$1; shift; quick "$name" "$@" --wait 'serial=nutshell-guest: eth0 [0-9.]+/' --timeout 90 >/dev/null; }
quiet() { "$@" >/dev/null; }
mtu_of() { ip -j link show "$1" | jq '.[0].mtu'; }
tap_of() { json show "$1" | jq -r ".nics[$2].tap"; }

ip link add br0 type bridge
ip link set br0 up
check "two queues, two processors, and an MTU of its own" boot two --cpus 2 --nic network=nutshell0,queues=2,mtu=1300 --nic bridge=br0,mtu=1280,queues=4
check "the guest has both pairs of queues" equal "$(guest two 'cd /sys/class/net/eth0/queues; echo *')" 'rx-0 rx-1 tx-0 tx-1'
check "and the MTU, from the card and by DHCP" matches "$(tr -d '\r' <"$root/log/$(uuid_of two)/1.serial" | grep -a 'nutshell-guest: eth0')" 'mtu 1300$'
check "on a bridge, too" equal "$(guest two 'cat /sys/class/net/eth1/mtu')" 1280
check "the tap has it where the bridge is ours" equal "$(mtu_of "$(tap_of two 0)") $(mtu_of nutshell0)" "1300 1500"
check "a bridge of somebody else keeps its own" equal "$(mtu_of br0) $(mtu_of "$(tap_of two 1)")" "1500 1500"
check "the tap has two queues" matches "$(ip -d link show "$(tap_of two 0)")" 'multi_queue.*numqueues 2'
check "packets go both ways" quiet ping -q -c 3 -i 0.2 -W 2 "$(ip_of two)"
check "as large as the MTU, too" quiet ping -q -c 2 -i 0.2 -W 2 -M do -s 1272 "$(ip_of two)"
check "show says it" equal "$(json show two | jq -c '[.nics[] | [.mtu, .queues]]')" '[[1300,2],[1280,4]]'
check "the line says it" matches "$(n command two)" '"fds":"[0-9]+:[0-9]+".*"host_mtu":1300,"mq":true,"vectors":6'
check "by hand, too" matches "$(n command two --by-hand)" 'host_mtu=1300'
n rm two --force
check "no tap is left" equal "$(ip -br link | awk '{print $1}' | xargs)" 'lo br0'

ip link set br0 mtu 1400
refuse 3 'mtu=1401 is more than the bridge br0 carries \(1400\)' n create x --nic bridge=br0,mtu=1401
check "what the bridge carries is fine" quiet n create x --memory 64M --accel tcg --nested off --nic bridge=br0,mtu=1400
ip link set br0 mtu 1200
refuse 4 'mtu=1400 is more than the bridge br0 carries \(1200\)' n start x
check "it is undone" equal "$(json show x | jq -r .state)" defined
n network create small --mtu 1000
refuse 3 'mtu=1001 is more than the network small carries \(1000\)' n create y --nic network=small,mtu=1001
refuse 3 'mtu=1501 is more than the network nutshell0 carries \(1500\)' n create y --nic network=nutshell0,mtu=1501
refuse 3 'mtu=.0. is not possible; write a number from 576 to 65521' n create y --nic mtu=0
refuse 3 'queues=.17. is not possible; write a number from 1 to 16' n create y --nic queues=17
refuse 3 'queues= is for model=virtio alone' n create y --nic queues=2,model=e1000
refuse 3 'mtu= is for model=virtio alone' n create y --nic mtu=1400,model=rtl8139
refuse 3 'queues= needs bridge=, network= or macvtap=' n create y --nic user,queues=2
refuse 3 'queues=.two. is not' n create y --nic queues=two
finish

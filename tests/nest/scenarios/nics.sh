#!/usr/bin/env bash
# What a build machine's kernel may lack: VLANs on a bridge that keeps them apart, as untagged ports and as a trunk; vhost with
# several queues; a macvtap link with both.
# limit: 900
source ./lib.sh

modprobe -a 8021q macvtap
answers() { ask "$1" "ping -c 2 -W 2 $2 >/dev/null && echo ping-\$((40+2))-$3-yes || echo ping-\$((40+2))-$3-no" "ping-42-$3-(yes|no)" 30 >/dev/null && serial_of "$1" | grep -aq "^ping-42-$3-yes"; }
silent() { ! answers "$@"; }
give() { local name=$1; shift; ask "$name" "$*; echo given-\$((40+2))" 'given-42' 30 >/dev/null; }
tap_of() { json show "$1" | jq -r '.nics[0].tap'; }
# vlans_of TAP: its VLANs one by one, those for frames without a tag with a star.
vlans_of() { bridge -j vlan show dev "$1" | jq -r '[.[0].vlans[] | (if (.flags // [] | sort | join(" ")) == "Egress Untagged PVID" then "*" elif (.flags // []) == [] then "" else "?" end) as $how | range(.vlan; (.vlanEnd // .vlan) + 1) | "\(.)\($how)"] | join(" ")'; }
tagged='100 101 102 103 104 105 106 107 108 109 110 200'
held() { ls -l "/proc/$(pid_of "$1")/fd" | grep -c "$2"; }
quiet() { "$@" >/dev/null; }

must "a bridge that keeps VLANs apart" n bridge create br0 --vlan-filtering --address 10.9.99.1/24
on_exit n bridge rm br0
check "the kernel says so" equal "$(ip -j -d link show br0 | jq '.[0].linkinfo.info_data.vlan_filtering')" 1
check "and bridge ls" equal "$(json bridge ls | jq '.bridges[] | select(.name == "br0") | .vlan_filtering')" true
ip link add plain type bridge && on_exit ip link del plain
ip netns add desk && on_exit ip netns del desk
ip link add em1 type veth peer name em1 netns desk && on_exit ip link del em1
ip link set em1 up && ip -n desk link set em1 up && ip -n desk addr add 10.9.5.1/24 dev em1
# What the trunk's guest needs to take tags off: the module, in an archive behind its initrd.
mkdir -p "$scratch/more/vlan"
modprobe --show-depends 8021q | awk '{ print $2 }' >"$scratch/modules"
number=10
while read -r module; do cp "$module" "$scratch/more/vlan/$((number++)).ko"; done <"$scratch/modules"
cat >"$scratch/more/vlan/up" <<'END'
for module in /vlan/*.ko; do busybox insmod "$module"; done
ip link set eth0 up
ip addr add 10.9.0.9/24 dev eth0
for v in 100 105 200 201; do
  busybox vconfig add eth0 "$v"
  ip link set "eth0.$v" up
  ip addr add "10.9.$v.4/24" dev "eth0.$v"
done
END
{ cat "$images/guest-initrd"; (cd "$scratch/more" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1); } >"$scratch/trunk-initrd"
set_stage

refuse 3 'the bridge plain does not keep VLANs apart; .ip link set plain type bridge vlan_filtering 1.' n create x --nic bridge=plain,vlan=100
refuse 3 'the bridge plain does not keep VLANs apart' n create x --nic bridge=plain,trunk=100-110
check "nothing was made" equal "$(json ls | jq '.machines | length')" 0

note 'four machines'
must "one in VLAN 100, with two queues" small a1 --cpus 2 --nic bridge=br0,vlan=100,queues=2 --wait 'serial=nutshell-guest: up ' --timeout 300
must "another" small a2 --nic bridge=br0,vlan=100 --wait 'serial=nutshell-guest: up ' --timeout 300
must "one in VLAN 200" small b --nic bridge=br0,vlan=200 --wait 'serial=nutshell-guest: up ' --timeout 300
must "a trunk" quiet n launch t --memory 128M --nested off --kernel "$images/vmlinuz" --initrd "$scratch/trunk-initrd" \
  --append 'console=ttyS0 quiet nutshell.dhcp=off' --nic bridge=br0,trunk=100-110+200 --wait 'serial=nutshell-guest: up ' --timeout 300
check "a port of VLAN 100: untagged, and nothing else" equal "$(vlans_of "$(tap_of a1)")" '100*'
check "the trunk: tagged, without a VLAN for frames that have no tag" equal "$(vlans_of "$(tap_of t)")" "$tagged"
check "addresses" give a1 'ip addr add 10.9.0.1/24 dev eth0; ip link set eth0 up'
check "the same subnet" give a2 'ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up'
check "in VLAN 200, too" give b 'ip addr add 10.9.0.3/24 dev eth0; ip addr add 10.9.200.3/24 dev eth0; ip link set eth0 up'
check "the trunk has a device for each VLAN" give t 'sh /vlan/up'
check "within VLAN 100 packets pass" answers a1 10.9.0.2 1
check "between 100 and 200 none does" silent a1 10.9.0.3 2
check "nor the other way" silent b 10.9.0.1 3
check "without a tag the trunk reaches nobody" silent t 10.9.0.1 4
check "with the tag 200 it reaches VLAN 200" answers t 10.9.200.3 5
check "frames with that tag are what it saw" ask t 'echo seen-$(cat /sys/class/net/eth0.200/statistics/rx_packets)' 'seen-[1-9]' 20
check "and none with another" ask t 'echo others-$(cat /sys/class/net/eth0.105/statistics/rx_packets)' 'others-0' 20
bridge vlan add dev br0 vid 105 self
bridge vlan add dev br0 vid 201 self
for v in 105 201; do ip link add link br0 name "br0.$v" type vlan id "$v"; ip addr add "10.9.$v.1/24" dev "br0.$v"; ip link set "br0.$v" up; done
check "the host in VLAN 105 reaches the trunk" quiet ping -q -c 2 -i 0.3 -W 3 10.9.105.4 -w 10
check "in VLAN 201, which the trunk does not have, it does not" not quiet ping -q -c 2 -i 0.3 -W 2 10.9.201.4
ip link del br0.105
ip link del br0.201

note 'vhost'
check "vhost for each queue" matches "$(n command a1)" '"fds":"[0-9]+:[0-9]+","vhost":true,"vhostfds":"[0-9]+:[0-9]+"'
check "and for one" matches "$(n command a2)" '"fd":"[0-9]+","vhost":true,"vhostfd":"[0-9]+"'
check "QEMU holds two of /dev/vhost-net" equal "$(held a1 vhost-net)" 2
check "and one" equal "$(held a2 vhost-net)" 1
check "the kernel moves the packets" quiet pgrep "vhost-$(pid_of a1)"

note 'repair'
tap=$(tap_of a1)
doctor_says() { json doctor | jq -r '.checks[] | select(.name == "bridge br0") | .detail'; }
check "doctor has nothing against br0" equal "$(doctor_says)" ''
bridge vlan del dev "$tap" vid 100
bridge vlan add dev "$tap" vid 1 pvid untagged
check "doctor sees other VLANs on a port" matches "$(doctor_says)" "$tap of the machine a1 has the VLANs 1 without a tag, not 100 without a tag; run .nutshell bridge repair br0."
check "repair puts them back" n bridge repair br0
check "they are as they were" equal "$(vlans_of "$tap")" '100*'
ip link set "$(tap_of t)" nomaster
check "a trunk that was taken off comes back" n bridge repair br0
check "with its VLANs" equal "$(vlans_of "$(tap_of t)")" "$tagged"
check "and reaches VLAN 200 again" answers t 10.9.200.3 6
ip link set br0 type bridge vlan_filtering 0
check "doctor sees a bridge that mixes them" matches "$(doctor_says)" 'this bridge does not keep them apart'
ip link set br0 type bridge vlan_filtering 1
n rm t --force
n rm b --force

note 'set'
check "set moves a machine to another VLAN" n stop a2 --force
check "its NIC is given anew" n set a2 --drop-nic 0
check "in VLAN 7, with a trunk" n set a2 --nic bridge=br0,vlan=7,trunk=8+9
check "it starts" quiet n start a2
check "there" equal "$(vlans_of "$(tap_of a2)")" '7* 8 9'
n rm a2 --force
n rm a1 --force

note 'macvtap'
must "a machine on a macvtap link, with two queues" small m --cpus 2 --nic macvtap=em1,queues=2 --wait 'serial=nutshell-guest: up ' --timeout 300
check "by vhost" matches "$(n command m)" '"fds":"[0-9]+:[0-9]+","vhost":true,"vhostfds":"[0-9]+:[0-9]+"'
check "its address" give m 'ip addr add 10.9.5.2/24 dev eth0; ip link set eth0 up'
check "the desk reaches it" quiet ip netns exec desk ping -q -c 2 -i 0.3 -W 3 10.9.5.2
kill -9 "$(pid_of m)"
until_true 20 equal "$(state_of m)" crashed >/dev/null
n ls >/dev/null
check "a crash leaves no link" equal "$(ip -o link show type macvtap | wc -l)" 0
n rm m --force
finish

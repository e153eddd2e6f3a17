#!/usr/bin/env bash
# The blog, whole: a cloud-in-a-box in a virtual machine on a logical volume, installed from a CD that nobody takes out, with
# an instance inside it under nested KVM, reached from another host over the seven hops. The one NAT is in the cloud.
# limit: 600
source ./lib.sh

# The physical network: the desk is another host on it, joined to the uplink em1, which br0 has as the host's own address.
make_physical_network() {
  ip netns add desk && on_exit ip netns del desk || return 1
  ip link add em1 type veth peer name em1 netns desk || return 1
  ip link add br0 type bridge && on_exit ip link del br0 || return 1
  on_exit ip link del em1
  ip link set em1 master br0 && ip link set em1 up && ip addr add 10.101.1.3/16 dev br0 && ip link set br0 up &&
    ip -n desk addr add 10.101.0.1/16 dev em1 && ip -n desk link set em1 up && ip -n desk link set lo up
}
desk() { ip netns exec desk busybox "$@"; }
fetch() { desk timeout 20 busybox wget -q -O - "http://$1/${2:-}"; }
says() { serial_of ciab | grep -aoP -- "$1" | tail -n 1; }
said() { serial_of ciab | grep -aEq -- "$1"; }

check "a volume group on the second disk" make_vg
on_exit drop_vg
check "br0 over the uplink em1, and the desk at its other end" make_physical_network
check "the host has no NAT" equal "$(nft list ruleset | grep -Ec 'nat|masquerade')" 0
check "doctor finds a KVM that runs guests" equal "$(json doctor | jq -r '.checks[] | select(.name == "kvm") | .state')" ok
check "and nests" equal "$(json doctor | jq -r '.checks[] | select(.name == "nested") | .state')" ok

note 'installs'
lvcreate -qq -y -Wy -Zy -n ciab -L 1G "$vg"
must "launch ciab until the cloud is ready" n launch ciab --disk "path=/dev/$vg/ciab" --cdrom "$images/installer.iso" --boot once=cdrom \
  --nic bridge=br0 --nested on --memory 640M --wait 'serial=cloud: ready .*' --timeout 500
note 'is ready'
serial_of ciab | grep -a '^cloud: \|^instance: '
check "installed once, from the CD" equal "$(serial_of ciab | grep -ac '^cloud: installed')" 1
check "and up from the disk" said '^cloud: up from=disk '
check "nobody took the CD out" said '^cloud: kvm_amd nested=1 cds=1'
check "the installer had its answers on its command line" said 'installer up, .*cloud.address=10.101.7.1/16.* cloud.gateway=.* cloud.dns=.* cloud.public=.* cloud.private=10.101.7.128/25'

note 'three storeys'
line=$(json command ciab | jq -r '.argv | join(" ")')
check "by KVM" matches "$line" '-accel kvm'
check "with nesting" matches "$line" '-cpu qemu64,\+(svm|vmx)'
check "QEMU says that KVM is enabled" equal "$(json qmp ciab query-kvm | jq -c '.. | objects | select(has("enabled")) | .enabled')" true
check "the cloud machine's processor says KVM" said '^cloud: up .* leaf=KVMKVMKVM hypervisor=KVM'
check "kvm_amd nests in the cloud machine" said '^cloud: kvm_amd nested=1'
check "the instance's QEMU says that KVM is enabled" said '^cloud: instance query-kvm .*"enabled":true'
check "the instance's processor says KVM" said '^instance: up leaf=KVMKVMKVM hypervisor=KVM'
if [[ $NEST_PLACE == lab ]]; then # whose own CPUs are emulated: the very same look must say so
  check "an emulated processor is told from that" equal "$(busybox sh ./leaf)" TCGTCGTCGTCG
fi
check "the cloud's bridge has the instance's tap alone" said '^cloud: ready .* bridge=vnet0$'

note 'seven hops'
public=$(says '^cloud: ready public=\K[0-9.]+')
tap=$(json show ciab | jq -r '.nics[0].tap')
host_counters() { local each; for each in em1 br0 "$tap"; do echo "host-$each $(cat "/sys/class/net/$each/statistics/rx_bytes") $(cat "/sys/class/net/$each/statistics/tx_bytes")"; done; }
all_counters() { host_counters; fetch 10.101.7.1 cgi-bin/counters | sed 's/^/cloud-/'; fetch "$public" cgi-bin/counters | sed 's/^/instance-/'; }
sum=$(fetch "$public" sum)
check "the instance answers at $public" matches "$sum" '^[0-9a-f]{64}$'
check "it sees the desk's own address" equal "$(fetch "$public" cgi-bin/peer)" 10.101.0.1
all_counters >"$scratch/before"
n path ciab --json >"$scratch/path-before" || true
check "one MiB comes over TCP, whole" equal "$(fetch "$public" blob | sha256sum | cut -d' ' -f1)" "$sum"
all_counters >"$scratch/after"
n path ciab --json >"$scratch/path-after" || true
# rose DEVICE COLUMN: its counter rose by the file, and not by two of them.
rose() {
  local a b
  a=$(awk -v d="$1" -v c="$2" '$1 == d { print $c }' "$scratch/before")
  b=$(awk -v d="$1" -v c="$2" '$1 == d { print $c }' "$scratch/after")
  say "   $1 rose by $((b - a))"
  ((b - a >= 1048576 && b - a < 1300000))
}
check "1 the host's uplink sent it" rose host-em1 3
check "2 through br0" rose host-br0 2
check "3 from the tap" rose "host-$tap" 2
check "4 which the machine's eth0 sent to" rose cloud-eth0 3
check "5 from its br0" rose cloud-br0 2
check "6 and its tap" rose cloud-vnet0 2
check "7 which the instance's eth0 sent to" rose instance-eth0 3
cat "$scratch/before" "$scratch/after" "$scratch/path-before"

n kill ciab; n rm ciab
finish

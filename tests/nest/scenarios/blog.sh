#!/usr/bin/env bash
# The blog, whole: a cloud-in-a-box in a virtual machine on a logical volume, installed from a CD that nobody takes out, with
# an instance inside it under nested KVM, reached from another host over the seven hops. The one NAT is in the cloud.
# limit: 900
source ./lib.sh

# The physical network: the desk is another host on it, joined to the uplink em1, which br0 has as the host's own address.
make_physical_network() {
  ip netns add desk && on_exit ip netns del desk || return 1
  ip link add em1 type veth peer name em1 netns desk || return 1
  ip link add br0 type bridge && on_exit ip link del br0 || return 1
  on_exit ip link del em1
  ip link set em1 master br0 && ip link set em1 up && ip addr add 10.101.1.3/16 dev br0 && ip link set br0 up && ip route add default via 10.101.0.1 &&
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
finds_kvm() { json doctor | jq -e '[.checks[] | select(.name == "kvm" or .name == "nested") | .state] == ["ok", "ok"]' >/dev/null; }
must "doctor finds a KVM that runs guests, and nests" until_true 60 finds_kvm
# What br0 forwards, the kernel counts at its ports alone; a rule of the bridge family counts it there.
nft -f - <<<'table bridge nest { chain forward { type filter hook forward priority 0; meta ibrname "br0" meta obrname "br0" counter; }; }'
on_exit nft delete table bridge nest
set_stage

note 'installs'
follow '^(cloud|instance): '
must "launch ciab until the cloud is ready" n launch ciab --disk "1G,vg=$vg" --cdrom "$images/installer.iso" --boot once=cdrom \
  --nic bridge=br0 --nested on --memory 640M --wait 'serial=cloud: (ready|failed|not installed)' --timeout 700
follow_no_more
note 'is ready'
must "the cloud is ready" until_true 5 said '^cloud: ready '
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
  check "an emulated processor is told from that" equal "$(. ./leaf; echo "$leaf")" TCGTCGTCGTCG
fi
check "the cloud's bridge has the instance's tap alone" said '^cloud: ready .* bridge=vnet0$'

note 'seven hops'
public=$(says '^cloud: ready public=\K[0-9.]+')
tap=$(json show ciab | jq -r '.nics[0].tap')
hops="em1 br0 $tap"
forwarded() { nft -j list table bridge nest | jq '[.. | objects | .counter? // empty | objects | .bytes] | add'; }
path_of() { json path ciab | jq -r '.paths[0].devices[] | "path-\(.name) \(.received.bytes) \(.sent.bytes)"'; }
counters() {
  local each
  for each in em1 "$tap"; do echo "host-$each $(cat "/sys/class/net/$each/statistics/rx_bytes") $(cat "/sys/class/net/$each/statistics/tx_bytes")"; done
  echo "host-br0 $(forwarded)"
  path_of
  fetch 10.101.7.1 cgi-bin/counters | sed 's/^/cloud-/'
  fetch "$public" cgi-bin/counters | sed 's/^/instance-/'
}
# rose DEVICE COLUMN: its counter rose by the file, and by little more.
rose() {
  local a b
  a=$(awk -v d="$1" -v c="$2" '$1 == d { print $c }' "$scratch/counted")
  b=$(awk -v d="$1" -v c="$2" '$1 == d { print $c }' "$scratch/counted-after")
  say "   $1 rose by $((b - a))"
  ((b - a >= 1048576 && b - a < 1200000))
}
sum=$(fetch "$public" sum)
must "the instance answers at $public, a public address" matches "$sum" '^[0-9a-f]{64}$'
check "it sees the desk's own address" equal "$(fetch "$public" cgi-bin/peer | tr -d '[]' | sed 's/^::ffff://')" 10.101.0.1
check "path has the host's part, in order" equal "$(path_of | sed 's/^path-//; s/ .*//' | xargs)" "$hops"
check "of which nothing is broken" equal "$(json path ciab | jq -c '.paths[0].broken')" null
counters >"$scratch/counted"
check "one MiB comes over TCP, whole" equal "$(fetch "$public" blob | sha256sum | cut -d' ' -f1)" "$sum"
counters >"$scratch/counted-after"
check "1 the host's uplink sent it" rose host-em1 3
check "  as path says" rose path-em1 3
check "2 br0 forwarded it" rose host-br0 2
check "  as path says" rose path-br0 3
check "3 the tap brought it" rose "host-$tap" 2
check "  as path says" rose "path-$tap" 2
check "4 the machine's eth0 sent it" rose cloud-eth0 3
check "5 its br0 brought it" rose cloud-br0 2
check "6 from its tap" rose cloud-vnet0 2
check "7 the instance's eth0 sent it" rose instance-eth0 3

note 'each link in turn'
answers() { [[ $(desk timeout 3 busybox wget -q -O - "http://$public/sum") == "$sum" ]]; }
broken() { json path ciab | jq -r '.paths[0].broken.device'; }
for each in $hops; do
  ip link set "$each" down
  check "$each is down: nothing comes" not answers
  check "and path names it" equal "$(broken)" "$each"
  ip link set "$each" up
  [[ $each != br0 ]] || ip route add default via 10.101.0.1 # which went with br0
  check "up again: the instance answers" until_true 30 answers
done
ip link set "$tap" nomaster
check "the tap is no port of br0: path names it" equal "$(broken)" "$tap"
ip link set "$tap" master br0
ip link set em1 nomaster
check "br0 has no uplink: path names it" equal "$(broken)" br0
ip link set em1 master br0
check "as before: the instance answers" until_true 30 answers
check "and path finds nothing broken" equal "$(broken)" null

note 'the end'
lv=$(json show ciab | jq -r '.disks[0].path')
check "the power button ends the cloud" n stop ciab --timeout 60
check "its volume is not active any more" equal "$(lvs --noheadings -o lv_active "${lv#/dev/}" | xargs)" ''
check "rm takes the volume along" n rm ciab
finish

#!/usr/bin/env bash
# The blog, whole, from examples/ciab and `answers` alone: a cloud-in-a-box in a virtual machine on a logical volume, installed
# from a CD that nobody takes out, with an instance inside it under nested KVM, reached from another host over the seven hops.
# The installer is told what `answers` says, and nothing else. The one NAT is in the cloud.
# limit: 1300
source ./lib.sh
# The answers name the host's own name server: this host's file is laid over with one, for this scenario alone.
if [[ -z ${NEST_OWN_MOUNTS:-} ]]; then rm -rf "$scratch"; NEST_OWN_MOUNTS=1 exec unshare --mount --propagation private -- bash "$0"; fi
[[ -e /etc/resolv.conf ]] || : >/etc/resolv.conf
echo 'nameserver 10.101.0.1' >"$scratch/resolv.conf"
mount --bind "$scratch/resolv.conf" "$(readlink -f /etc/resolv.conf)" || exit 1

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
says() { serial_of ciab/box | grep -aoP -- "$1" | tail -n 1; }
said() { serial_of ciab/box | grep -aEq -- "$1"; }

check "a volume group on the second disk" make_vg
on_exit drop_vg
check "br0 over the uplink em1, and the desk at its other end" make_physical_network
mkdir -p "$scratch/desk/cgi-bin"
printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\necho "$REMOTE_ADDR"\n' >"$scratch/desk/cgi-bin/peer"
chmod 755 "$scratch/desk/cgi-bin/peer"
ip netns exec desk busybox httpd -f -p 80 -h "$scratch/desk" & server=$!
on_exit kill "$server"
check "the host has no NAT" equal "$(nft list ruleset | grep -Ec 'nat|masquerade')" 0
finds_kvm() { json doctor | jq -e '[.checks[] | select(.name == "kvm" or .name == "nested") | .state] == ["ok", "ok"]' >/dev/null; }
must "doctor finds a KVM that runs guests, and nests" until_true 60 finds_kvm
# What br0 forwards, the kernel counts at its ports alone; a rule of the bridge family counts it there.
nft -f - <<<'table bridge nest { chain forward { type filter hook forward priority 0; meta ibrname "br0" meta obrname "br0" counter; }; }'
on_exit nft delete table bridge nest
set_stage

note 'a file, and its plan'
# As they are, beside the ISO; in the host's configuration, the line with the volume group counts.
for examples in ./examples ../../examples; do [[ ! -d $examples ]] || break; done
mkdir -p "$root/etc"
cp -r "$examples/ciab" "$scratch/ciab" && ln -s "$images/installer.iso" "$scratch/ciab/silvereye.iso"
sed "s/^#vg = .*/vg = \"$vg\"/" "$scratch/ciab/nutshell.toml" >"$root/etc/nutshell.toml"
file=$scratch/ciab/cloud.toml
plan=$(n plan "$file")
check "a plan has its disk" matches "$plan" '^\+ machine box: .*, disk 100G, address 10\.101\.7\.1,'
check "which will be a device, and no file" matches "$plan" '"driver":"host_device","node-name":"disk0'
check "a plan makes nothing" equal "$(lvs --noheadings "$vg")$(json status | jq -c .clouds)" '[]'

note 'installs'
follow '^(cloud|instance): '
must "up" n up "$file"
check "a volume of 100 GiB" equal "$(lvs --noheadings --units g --nosuffix -o lv_size "$vg" | xargs)" 100.00
# What the installer asks, in its order, is typed from what a program reads.
answers=$(n answers ciab --format env; n answers ciab --format eucalyptus)
say "$answers" | grep -E '^(VNET|MACHINE_BOX|PUBLIC|PRIVATE)' | sed 's/^/   /'
told=$(eval "$answers"; printf '%s\n' "$MACHINE_BOX_ADDRESS" "$MACHINE_BOX_NETMASK" "$MACHINE_BOX_GATEWAY" "${VNET_DNS%% *}" "$VNET_PUBLICIPS" "$VNET_SUBNET" "$VNET_NETMASK")
must "the installer asks" n wait ciab/box 'serial=cloud: asks for the address' --timeout 300
must "and is answered" ask ciab/box "$told" 'cloud: asks no more' 200
must "it installs, and the cloud comes up until it is ready" n wait ciab/box 'serial=cloud: (ready|failed|not installed)' --timeout 900
follow_no_more
note 'is ready'
must "the cloud is ready" until_true 30 said '^cloud: ready '
check "installed once, from the CD" equal "$(serial_of ciab/box | grep -ac '^cloud: installed')" 1
check "and up from the disk" said '^cloud: up from=disk '
check "nobody took the CD out" said '^cloud: kvm_amd nested=1 cds=1'
check "the installer was told each answer as the file and the host have it" equal "$(serial_of ciab/box | sed -n 's/^cloud: was told //p' | xargs)" \
  "address=10.101.7.1 netmask=255.255.0.0 gateway=10.101.0.1 dns=10.101.0.1 public=10.101.7.20-10.101.7.51 private=172.20.0.0 private_netmask=255.255.248.0"
check "up again does nothing" matches "$(n up "$file")" 'nothing was to be done$'

note 'three storeys'
line=$(json command ciab/box | jq -r '.argv | join(" ")')
check "by KVM" matches "$line" '-accel kvm'
check "with nesting" matches "$line" '-cpu qemu64,\+(svm|vmx)'
check "QEMU says that KVM is enabled" equal "$(json qmp ciab/box query-kvm | jq -c '.. | objects | select(has("enabled")) | .enabled')" true
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
tap=$(json show ciab/box | jq -r '.nics[0].tap')
hops="em1 br0 $tap"
forwarded() { nft -j list table bridge nest | jq '[.. | objects | .counter? // empty | objects | .bytes] | add'; }
path_of() { json path ciab/box | jq -r '.paths[0].devices[] | "path-\(.name) \(.received.bytes) \(.sent.bytes)"'; }
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
check "it has the first address of the cloud's public range" equal "$public" 10.101.7.20
must "the instance answers at $public, a public address" matches "$sum" '^[0-9a-f]{64}$'
check "it sees the desk's own address" equal "$(fetch "$public" cgi-bin/peer | tr -d '[]' | sed 's/^::ffff://')" 10.101.0.1
check "it reaches the desk by itself, which sees that public address" equal "$(fetch "$public" 'cgi-bin/out?10.101.0.1' | tr -d '[]' | sed 's/^::ffff://')" "$public"
check "path has the host's part, in order" equal "$(path_of | sed 's/^path-//; s/ .*//' | xargs)" "$hops"
check "of which nothing is broken" equal "$(json path ciab/box | jq -c '.paths[0].broken')" null
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
broken() { json path ciab/box | jq -r '.paths[0].broken.device'; }
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
lv=$(json show ciab/box | jq -r '.disks[0].path')
check "down presses the power button" n down ciab --timeout 60
check "its volume is not active any more" equal "$(lvs --noheadings -o lv_active "${lv#/dev/}" | xargs)" ''
check "--purge takes the volume along" n down ciab --purge
check "and gives the ranges back" equal "$(json lease ls | jq '[.leases[] | select(.foreign == null)] | length') $(json status | jq -c .clouds)" '0 []'
finish

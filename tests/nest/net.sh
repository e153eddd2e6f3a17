# shellcheck shell=bash disable=SC2154  # what the one who sources it has set
# Sourced by the scenarios about packets, after lib.sh: a guest that is there for its network alone, and a desk in a namespace.
# The guest boots at once, has the addresses that its kernel command line says (net.NIC=ADDRESS/PREFIX, net.dhcp=NIC), echoes
# what comes to the ports 80, 81 and 82, and runs what comes to port 23: so a word to it takes no serial line.

# net_initrd FILE PROGRAM...: that guest, with programs of the host's.
net_initrd() {
  local file=$1 tree=$scratch/net-guest
  shift
  mkdir -p "$tree/bin"
  cat >"$tree/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin
busybox mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /tmp
exec </dev/ttyS0 >/dev/ttyS0 2>&1
modprobe -a virtio_pci virtio_net
ip link set lo up
echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
for each in $(cat /proc/cmdline); do
  case "$each" in
    net.eth*=*) name=${each#net.}; name=${name%%=*}; ip addr add "${each#*=}" dev "$name"; ip link set "$name" up ;;
    net.dhcp=*) modprobe af_packet 2>/dev/null; udhcpc -q -n -t 30 -T 1 -i "${each#*=}" -s /bin/udhcpc.script ;;
  esac
done
for port in 80 81 82; do nc -ll -p "$port" -e cat & done
nc -ll -p 23 -e sh 2>/dev/null &
echo 'net-guest: up'
while :; do sleep 3600; done
INIT
  chmod 755 "$tree/init"
  [[ $# -eq 0 ]] || cp "$@" "$tree/bin/"
  { cat "$images/guest-initrd"; (cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1); } >"$file"
}

# net_boot NAME WORDS OPTION...: that guest, with those words for it.
net_boot() {
  local name=$1 its=$2
  shift 2
  n launch "$name" --memory 128M --nested off --vnc off --kernel "$images/vmlinuz" --initrd "$scratch/initrd" \
    --append "console=ttyS0 quiet $its" "$@" --wait 'serial=net-guest: up' --timeout 300 >/dev/null
}

# guest ADDRESS COMMAND: what it prints there. What it leaves running must let go of all three streams.
guest() { printf '%s\n' "$2" | timeout 40 socat -t 30 - "TCP4:$1:23,connect-timeout=5" 2>/dev/null; }

desk() { ip netns exec desk "$@"; }
# desk_link LINK ADDRESS: a namespace behind LINK, with that address.
desk_link() {
  [[ -e /run/netns/desk ]] || { ip netns add desk; on_exit ip netns del desk; desk ip link set lo up; }
  ip link add "$1" type veth peer name "$1" netns desk
  on_exit ip link del "$1"
  ip link set "$1" up
  desk ip addr add "$2" dev "$1"
  desk ip link set "$1" up
}

# What comes back of a line that goes to a port: from the desk, and from a guest.
from_desk() { [[ $(echo hello | desk timeout 4 socat -t 2 - "TCP4:$1:$2,connect-timeout=2" 2>/dev/null) == hello ]]; }
from_guest() { [[ $(guest "$1" "echo hello | nc -w 2 $2 $3 2>/dev/null") == hello ]]; }

# All rules but ours.
strangers() {
  nft -j list ruleset | jq -c '[.nftables[] | select(.metainfo == null)
    | select((.table // .chain // .rule // .set // .map // .element) as $of | ($of.table // $of.name) != "nutshell")]'
}

# Rules as they are, without what is counted.
rules() { strangers | jq -c 'walk(if type == "object" and has("packets") and has("bytes") then del(.packets, .bytes) else . end)'; }
broken() { json path na | jq -r ".paths[$1].broken"; }
whole_path() { [[ $(broken "$1") == null ]]; }
in_doctor() { nutshell --json doctor 2>/dev/null | jq -r --arg name "$1" '[.checks[] | select(.name == $name) | .cure] | join("\n")'; }
# scene WHAT NIC DEVICE PATTERN TRAFFIC DOCTOR: TRAFFIC fails; path names DEVICE and says PATTERN, as does that check of doctor;
# the line that both print cures it.
scene() {
  local what=$1 nic=$2 device=$3 pattern=$4 traffic=$5 doctor=$6 found cure before
  note "$what"
  before=$(rules)
  check "nothing arrives" not "$traffic"
  found=$(broken "$nic")
  check "path names the device" equal "$(jq -r .device <<<"$found")" "$device"
  check "and the cause" matches "$(jq -r .why <<<"$found")" "$pattern"
  cure=$(jq -r .cure <<<"$found")
  check "doctor prints the same cure" equal "$(in_doctor "$doctor" | sort -u)" "$cure"
  check "looking has changed nothing of theirs" equal "$(rules)" "$before"
  check "the cure can be run: $cure" bash -c "{ $cure; } >/dev/null"
  check "something arrives" until_true 30 "$traffic"
  check "path finds nothing" until_true 30 whole_path "$nic"
}

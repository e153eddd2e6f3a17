#!/usr/bin/env bash
# The example clouds, as they lie in examples/, each from its plan to nothing left, with guests that boot and are reached over the
# network. Only the installer of the blog is another one: the tests' own ISOs have its name. No file is changed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"

# A copy of the examples, so that ISOs can lie where they are looked for.
examples=$scratch/examples
mkdir -p "$scratch/build"
cp -r "$source_dir/examples" "$scratch"
ln -s "$guest" "$scratch/build/guest"

# The office is a network on which the host's br0 is, and the world is where the host's default route leads to.
office=nutshell-office-${scratch##*.} world=nutshell-world-${scratch##*.} dhcp=
in_office() { ip netns exec "$office" "$@"; }
in_world() { ip netns exec "$world" "$@"; }
leave() {
  [[ -z $dhcp ]] || kill "$dhcp"
  ip netns del "$office"
  ip netns del "$world"
  cleanup
}
trap leave EXIT
ip netns add "$office"
ip netns add "$world"
ip link add br0 type bridge
ip link add em1 type veth peer name lan netns "$office"
ip link set em1 master br0
ip addr add 10.101.1.3/16 dev br0
in_office ip addr add 10.101.0.1/16 dev lan
ip link add em2 type veth peer name wan netns "$world"
ip addr add 192.0.2.1/24 dev em2
in_world ip addr add 192.0.2.2/24 dev wan
for each in br0 em1 em2; do ip link set "$each" up; done
in_office ip link set lan up
in_world ip link set lo up
in_world ip link set wan up
in_world ip route add 198.51.100.0/26 via 192.0.2.1
ip route add default via 192.0.2.2

# enter FOLDER: the host's configuration is that example's, or none.
enter() {
  say "-- $1"
  folder=$examples/$1
  mkdir -p "$root/etc"
  rm -f "$config"
  [[ ! -e $folder/nutshell.toml ]] || cp "$folder/nutshell.toml" "$config"
}
# planned FILE COUNT: a plan has so many lines, and leaves nothing behind.
planned() {
  local plan
  plan=$(json plan "$1") || return
  equal "$(jq '[.machines[] | select(.argv | length > 20)] | length' <<<"$plan") $(json status | jq '.clouds | length')" "$2 0"
}
# comes_up FILE [OPTION]: without the words on what that is.
comes_up() { n up "$@" >/dev/null; }
# up_again FILE: has nothing to do.
up_again() { matches "$(n up "$1")" 'nothing was to be done$'; }
all_run() { equal "$(json status "$1" | jq -c '[.machines[].state] | unique')" '["running"]'; }
gone() { equal "$(json status | jq '.clouds | length') $(json ls | jq '.machines | length') $(json network ls | jq '[.networks[] | select(.name != "nutshell0")] | length') $(our_processes)" '0 0 0 '; }
serial() { n wait "$1" "serial=$2" --timeout "${3:-180}"; }
# serves NAME PORT...: the guest answers there from now on.
serves() { guest "$1" "$(for port in "${@:2}"; do printf '(nc -ll -p %s -e cat &) ; ' "$port"; done)sleep 1" >/dev/null; }
# echoes COMMAND... ADDRESS PORT: what is sent there comes back.
echoes() { [[ $(echo hello | "${@:1:$#-2}" socat -t 2 - "TCP4:${*: -2:1}:${*: -1},connect-timeout=3" 2>/dev/null) == hello ]]; }
sees() { [[ $(guest "$1" "ping -c 1 -W 2 $2 >/dev/null && echo seen") == *seen* ]]; } # sees NAME ADDRESS: from inside a guest
pings() { "${@:1:$#-1}" ping -c 1 -W 3 -q "${*: -1}" >/dev/null; } # pings [WHERE] ADDRESS
not() { ! "$@"; }
# lend_addresses: the office's DHCP server gives each machine on br0 what `answers` says, as whoever installs would type it.
lend_addresses() {
  local hosts
  hosts=$(json answers "$1" | jq -r '.machines[].nics[] | select(.on == "bridge br0") | "--dhcp-host=\(.mac),\(.address)"')
  [[ -z $dhcp ]] || { kill "$dhcp"; wait "$dhcp"; }
  # shellcheck disable=SC2086  # one word for each machine
  ip netns exec "$office" dnsmasq --conf-file=/dev/null --keep-in-foreground --port=0 --interface=lan --dhcp-range=10.101.0.0,static,255.255.0.0 \
    --dhcp-leasefile="$scratch/office.leases" --pid-file= --user=root $hosts >/dev/null 2>&1 &
  dhcp=$!
}

enter zero-config
before=$(traces)
check 'a host without nutshell.toml' test ! -e "$config"
check 'plans it' planned "$folder/cloud.toml" 3
check 'up, web first, until it says its address' comes_up "$folder/cloud.toml"
check 'all run' all_run demo
check 'up again does nothing' up_again "$folder/cloud.toml"
check 'the workers have a tag' equal "$(json ls --tag role=worker | jq -c '[.machines[].name]')" '["worker1","worker2"]'
check 'answers know the address' equal "$(json answers demo web | jq -r '.machines[0].nics[0].address')" "$(ip_of demo/web)"
serial demo/web nutshell-guest# && serial demo/worker1 'eth0 [0-9.]+' && serial demo/worker1 nutshell-guest#
serves demo/web 80
check 'this host reaches web' pings "$(ip_of demo/web)"
check 'a worker reaches it by its name' sees demo/worker1 web
check 'the world reaches it by the published port' echoes in_world 192.0.2.1 8080
check 'a worker reaches the world' sees demo/worker1 192.0.2.2
check 'down, orderly, and all is given back' n down demo --purge
check 'nothing is left' gone
check 'indeed' equal "$(traces | grep -v '^\./state/clouds')" "$before" # where the cloud's lock stays

enter routed-public
check 'a plan' planned "$folder/cloud.toml" 2
check 'up' comes_up "$folder/cloud.toml"
check 'all run' all_run shop
check 'up again does nothing' up_again "$folder/cloud.toml"
range=$(json answers shop | jq -r '.public_ranges[] | "\(.first)-\(.last)"')
check 'its range is one subnet of the pool' equal "$range" 198.51.100.0-198.51.100.15
check 'and the network' equal "$(json network ls | jq -r '.networks[] | select(.name == "shop-street") | "\(.subnet) \(.mode)"')" '198.51.100.0/28 routed'
address=$(ip_of shop/web1)
check 'a machine has an address of it' matches "$address" '^198\.51\.100\.([2-9]|1[0-4])$'
serial shop/web1 "eth0 $address" && serial shop/web1 nutshell-guest#
serves shop/web1 22 80 81
check 'the world reaches it there' until_true 30 pings in_world "$address"
check 'on port 80' echoes in_world "$address" 80
check 'on port 22 who is the desk' echoes in_world "$address" 22
check 'not on port 81' not echoes in_world "$address" 81
in_world ip addr add 203.0.113.1/32 dev lo
ip route add 203.0.113.1 via 192.0.2.2
from_elsewhere() { [[ $(echo hello | in_world socat -t 2 - "TCP4:$address:$1,bind=203.0.113.1,connect-timeout=3" 2>/dev/null) == hello ]]; }
check 'from elsewhere on port 80' from_elsewhere 80
check 'not on port 22' not from_elsewhere 22
in_world socat TCP4-LISTEN:7777,fork,reuseaddr 'SYSTEM:echo $SOCAT_PEERADDR' >/dev/null 2>&1 & listener=$!
check 'it is seen by its own address' until_true 30 eval '[[ $(guest shop/web1 "nc -w 3 192.0.2.2 7777 </dev/null") == "$address" ]]'
kill "$listener"
check 'down' n down shop --purge
check 'nothing is left' gone

enter two-clouds
check 'a plan' planned "$folder/red.toml" 3
n up "$folder/red.toml" >/dev/null & red=$!
n up "$folder/blue.toml" >/dev/null & blue=$!
check 'red comes up' wait "$red"
check 'and at the same time blue' wait "$blue"
check 'all of red run' all_run red
check 'all of blue run' all_run blue
check 'up again does nothing' up_again "$folder/red.toml"
check 'nor with blue' up_again "$folder/blue.toml"
check 'their public ranges are eight addresses each' equal "$(for each in red blue; do public_of "$each"; done | sort | xargs)" '203.0.113.16-203.0.113.23 203.0.113.24-203.0.113.31'
check 'their private subnets are two' equal "$(for each in red blue; do private_of "$each"; done | sort | xargs)" '10.80.0.0/24 10.80.1.0/24'
for each in red/front red/node1 red/node2 blue/front blue/node1 blue/node2; do serial "$each" 'eth0 10\.80' && serial "$each" nutshell-guest#; done
for each in red blue; do
  other=blue
  [[ $each == red ]] || other=red
  check "a node of $each reaches its front" sees "$each/node1" "$(ip_of "$each/front")"
  check "by its name" sees "$each/node1" front
  check "and the other node" sees "$each/node1" "$(ip_of "$each/node2")"
  check "and its gateway" sees "$each/node1" "$(json answers "$each" front | jq -r '.machines[0].nics[0].gateway')"
  for name in front node1 node2; do check "not $name of $other" not sees "$each/node1" "$(ip_of "$other/$name")"; done
done
pids=$(json ls --cloud blue | jq -c '[.machines[].pid]')
check 'red goes down' n down red --purge
check 'blue runs as before' equal "$(json ls --cloud blue | jq -c '[.machines[].pid]')" "$pids"
check 'a node of blue still reaches its front' sees blue/node1 front
check 'blue goes, too' n down blue --purge
check 'nothing is left' gone

enter frontend-nodes
cp "$guest/demo.iso" "$folder/silvereye.iso"
check 'a plan' planned "$folder/cloud.toml" 4
check 'defined, for its answers' comes_up "$folder/cloud.toml" --no-start
lend_addresses trio
n up "$folder/cloud.toml" >/dev/null & up=$!
check 'the frontend is started' until_true 30 eval '[[ $(state_of trio/front) == running ]]'
check 'it boots' serial trio/front nutshell-guest#
check 'from the CD' serial trio/front 'up .*from=cdrom'
check 'it has the address that answers say' serial trio/front 'eth0 10\.101\.8\.1/16'
check 'meanwhile no node runs' equal "$(json ls --tag role=node | jq -c '[.machines[].state] | unique')" '["defined"]'
serves trio/front 8443
check 'when it answers, the nodes come up' wait "$up"
check 'all run' all_run trio
check 'up again does nothing' up_again "$folder/cloud.toml"
check 'the office reaches the frontend' echoes in_office 10.101.8.1 8443
serial trio/node3 'eth0 172\.' && serial trio/node3 nutshell-guest#
check 'a node reaches the frontend' sees trio/node3 "$(json show trio/front | jq -r '.nics[1].ip')"
check 'and the world' sees trio/node3 192.0.2.2
check 'a node can run machines' serial trio/node3 'up .*flags=(svm|vmx)'
refuse 4 'quota' nutshell --dry-run launch trio/more --memory 9G --disk 1G
euca=$(n answers trio --format eucalyptus)
check 'answers name the range' matches "$euca" '^VNET_PUBLICIPS="10\.101\.8\.10-10\.101\.8\.41"$'
check 'and the cards' equal "$(grep INTERFACE <<<"$euca" | cut -d'"' -f2 | xargs)" 'eth0 eth1'
check 'down, nodes first' n down trio --purge
check 'nothing is left' gone

enter ciab
cp "$guest/installer.iso" "$folder/silvereye.iso"
check 'a plan' planned "$folder/cloud.toml" 1
check 'defined, for its answers' comes_up "$folder/cloud.toml" --no-start
answers=$(n answers ciab)
says() { check "answers say $1 $2" matches "$answers" "^$1: +$2\$"; }
says address '10\.101\.7\.1'
says netmask '255\.255\.0\.0'
says 'public IP range' '10\.101\.7\.20-10\.101\.7\.51'
says 'private subnet' '172\.20\.0\.0'
says 'private netmask' '255\.255\.248\.0'
says 'network mode' MANAGED-NOVLAN
lend_addresses ciab
check 'up' comes_up "$folder/cloud.toml"
check 'it runs' all_run ciab
check 'with a processor that can run machines' serial ciab/box 'up .*from=cdrom .*flags=(svm|vmx)'
# The tests' installer writes a system to the disk, which boots twice more and powers off.
check 'it installs, and goes on from the disk' n wait ciab/box stopped --timeout 300
check 'up starts what has powered off' comes_up "$folder/cloud.toml"
check 'it boots the disk, though the CD is in' serial ciab/box 'up .*from=disk .*boot=4'
check 'it has its address' serial ciab/box 'eth0 10\.101\.7\.1/16'
check 'the office reaches it' pings in_office 10.101.7.1
serial ciab/box nutshell-guest#
guest ciab/box 'ip addr add 10.101.7.20/32 dev eth0; ip addr add 10.101.7.60/32 dev eth0' >/dev/null
check 'and an address of the public range behind it' until_true 30 pings in_office 10.101.7.20
check 'and no other' not pings in_office 10.101.7.60
check 'down' n down ciab --purge
check 'nothing is left' gone
finish

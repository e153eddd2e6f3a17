#!/usr/bin/env bash
# What is not there to be had: a config file with mistakes, pools that are exhausted, MACs that somebody has, bridges that are
# none. A machine gets all that it wants or nothing: the other pools are as before.
. "$(dirname "$0")/refusals.sh"

machine=(--memory 64M --accel tcg --nested off)
config() { printf '%s\n' "$@" >"$scratch/nutshell.toml"; }
with=(--config "$scratch/nutshell.toml")

say "-- nutshell.toml"
bad 6 'no config file' --config "$scratch/none.toml" ls
config 'memroy = "1G"'
bad 3 'nutshell.toml:1.*memroy.*did you mean memory' "${with[@]}" ls
config 'memory = 5' ; bad 3 'nutshell.toml:1' "${with[@]}" ls
config 'memory = ' ; bad 3 'nutshell.toml:1' "${with[@]}" ls
config '' '[[pool]]' 'name = "vnc"' 'range = "9-3"'; bad 3 'nutshell.toml:4.*ends before it begins' "${with[@]}" ls
config '[[pool]]' 'name = "mac"' 'range = "01:00:00:00:00:00-01:00:00:00:00:ff"'; bad 3 'multicast' "${with[@]}" ls
config '[[pool]]' 'name = "vnc"' 'range = "0-9"' 'colour = "red"'; bad 3 'unknown key.*colour' "${with[@]}" ls
for own in tap volume port; do
  config '' '[[pool]]' "name = \"$own\"" 'kind = "ipv4"' 'range = "198.51.100.1-198.51.100.9"'; bad 3 "nutshell.toml:3.*\"$own\" is that of a pool of nutshell's own" "${with[@]}" ls
done
config 'network = "10.0.0.0"'; bad 3 'is no network' "${with[@]}" ls
config $'memory = "1G" # \x01'; bad 3 'nutshell.toml:1' "${with[@]}" ls
head -c 100000 /dev/urandom >"$scratch/nutshell.toml"; bad 3 'nutshell.toml' "${with[@]}" ls
bad 3 'no plain file' --config "$scratch" ls

say "-- bridges"
ip link add br7 type bridge
ip link add veth7 type veth peer name veth8
ip link set br7 up
before=$(traces)
bad 3 'bridge nobr does not exist; make it with' launch x --nic bridge=nobr
bad 3 'lo is no bridge; name a bridge' launch x --nic bridge=lo
bad 3 'veth7 is no bridge but a veth' launch x --nic bridge=veth7
bad 3 "can be no interface's name" launch x --nic bridge=a-name-of-sixteen
bad 3 "can be no interface's name" launch x --nic bridge=../br7
bad 3 'bridge needs a value' launch x --nic bridge=
bad 3 'no managed network' launch x --nic network=other

say "-- MACs that somebody has"
stem=$(printf '52:54:00:%02x:%02x' $((RANDOM % 256)) $((RANDOM % 256)))  # other tests' QEMUs are facts, too
taken=$stem:01
check "a machine of ours with a MAC" quiet n create ours --nic "bridge=br7,mac=$taken"
before=$(traces)
bad 4 "MAC $taken is leased to ours" launch x "${machine[@]}" --nic "bridge=br7,mac=$taken"
bad 3 'is given to NIC 0 and to NIC 1; each needs its own' launch x "${machine[@]}" --nic bridge=br7,mac=$stem:09 --nic bridge=br7,mac=$stem:09
ip link set veth7 master br7
bridge fdb add $stem:02 dev veth7 master static
bad 4 "MAC $stem:02 is held by .*veth7" launch x "${machine[@]}" --nic bridge=br7,mac=$stem:02
qemu-system-x86_64 -S -display none -nodefaults -m 16 -accel tcg -monitor none -device e1000,mac=$stem:03 >"$scratch/foreign.log" 2>&1 &
foreign=$!
until_true 30 grep -q e1000 "/proc/$foreign/cmdline"
before=$(traces)
bad 4 "MAC $stem:03 is held by .*pid $foreign" launch x "${machine[@]}" --nic bridge=br7,mac=$stem:03
kill "$foreign"; wait "$foreign" 2>/dev/null
config '[[pool]]' 'name = "mac"' "range = \"$stem:01-$stem:03\""
err=$(nutshell "${with[@]}" create x --nic bridge=br7 2>&1 >/dev/null)
check "a MAC of the forwarding table is passed over and named" matches "$err" "mac $stem:02 is passed over: .*veth7.* has it"
check "and the next given" equal "$(json show x | jq -r '.nics[0].mac')" $stem:03
before=$(traces)
bad 4 'pool mac \(.*\) has nothing left; give one back' "${with[@]}" launch y --nic bridge=br7
check "rm" n "${with[@]}" rm x
check "rm" n rm ours

say "-- three NICs, and a pool that has two left"
before=$(traces)
config '[[pool]]' 'name = "mac"' 'range = "52:54:00:bb:00:01-52:54:00:bb:00:02"'
bad 4 'pool mac \(.*\) has nothing left' "${with[@]}" launch x "${machine[@]}" --disk 1M --nic bridge=br7 --nic bridge=br7 --nic bridge=br7
config '[[pool]]' 'name = "cid"' 'range = "5000-5000"'
check "the one CID is taken" quiet n "${with[@]}" create one --nic user
before=$(traces)
pools=$(json "${with[@]}" pool ls)
bad 4 'pool cid \(.*\) has nothing left' "${with[@]}" launch x "${machine[@]}" --disk 1M --nic bridge=br7 --nic bridge=br7 --nic bridge=br7
check "the other pools are as before" equal "$(json "${with[@]}" pool ls)" "$pools"
check "rm" n "${with[@]}" rm one

say "-- a network with one address"
config 'network = "10.75.9.0/30"'
check "its one machine" quiet n "${with[@]}" create one
before=$(traces)
pools=$(json "${with[@]}" pool ls)
bad 4 'pool ipv4:nutshell0 \(10.75.9.2 to 10.75.9.2\) has nothing left|ipv4:nutshell0.*nothing left' "${with[@]}" launch two "${machine[@]}" --disk 1M
check "the other pools are as before" equal "$(json "${with[@]}" pool ls)" "$pools"
bad 3 'two: ip=192.168.1.1 is not in 10[0-9./]+, the network nutshell0; name an address of it, or leave ip= out' "${with[@]}" launch two "${machine[@]}" --nic network=nutshell0,ip=192.168.1.1
bad 4 'address 10.75.9.2 is leased to one' "${with[@]}" launch two "${machine[@]}" --nic network=nutshell0,ip=10.75.9.2
check "rm" n "${with[@]}" rm one
before=$(traces)
config '[[pool]]' 'name = "vnc"' 'range = "3-3"'
check "the one display is taken" quiet n "${with[@]}" launch one "${machine[@]}" --nic user
before=$(traces)
bad 4 'pool vnc \(:3 to :3\) has nothing left; give one back with .nutshell stop.*--vnc off' "${with[@]}" launch two "${machine[@]}" --nic bridge=br7
check "stop gives it back" n "${with[@]}" kill one
check "then it is had" quiet n "${with[@]}" launch two "${machine[@]}" --nic user
check "rm" n rm --force two
check "rm" n rm one
finish

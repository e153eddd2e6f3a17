#!/usr/bin/env bash
# An address is one address in whichever pool it lies: what one pool has given away no other gives again. Pools that are split,
# swapped or renamed under clouds, pools over subnets, addresses of NICs on bridges, and the subnet that nutshell.toml keeps.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"
cloud() { local name=$1; shift; { printf 'name = "%s"\n' "$name"; printf '%s\n' "$@"; } >"$clouds/$name.toml"; n up "$clouds/$name.toml" >/dev/null; }
cloud_file() { local name=$1; shift; { printf 'name = "%s"\n' "$name"; printf '%s\n' "$@"; } >"$clouds/$name.toml"; }
up() { nutshell up --no-start "$clouds/$1.toml"; }
quiet() { "$@" >/dev/null 2>&1; }
pools() { : >"$config"; while (($#)); do public_pool "$2" "$1"; shift 2; done; }
mkdir -p "$root/etc"
ip link add br0 type bridge
ip link set br0 up

say '-- a pool that is split under a cloud'
pools pub 203.0.113.0-203.0.113.15
check 'one' cloud a '[public]' 'count = 8'
check 'two' cloud b '[public]' 'count = 4'
n lease reserve pub 203.0.113.12-203.0.113.13 --note boss >/dev/null
pools pub 203.0.113.0-203.0.113.7 lab 203.0.113.8-203.0.113.15
cloud_file c '[public]' 'count = 4' 'pool = "lab"'
refuse 4 'c.toml:2: pool lab .* has no 4 addresses left' up c
cloud_file c '[public]' 'range = "203.0.113.8-203.0.113.9"'
refuse 4 'c.toml:2: address 203.0.113.8-203.0.113.9 is held by the cloud b; name another' up c
cloud_file c '[public]' 'range = "203.0.113.13"'
refuse 4 'c.toml:2: address 203.0.113.13 is held by a reservation by hand \(boss\); name another' up c
check 'what nobody has is given' cloud c '[public]' 'count = 2' 'pool = "lab"'
check 'and it is nobody'"'"'s' equal "$(public_of c)" '203.0.113.14-203.0.113.15'
refuse 4 'is held by a reservation by hand' nutshell launch zz --nic bridge=br0,ip=203.0.113.12
pools lab 203.0.113.0-203.0.113.7 pub 203.0.113.8-203.0.113.15
cloud_file d '[public]' 'count = 1' 'pool = "lab"'
refuse 4 'pool lab .* has nothing left' up d
check 'a range becomes smaller where its pool is no more' cloud a '[public]' 'count = 4'
check 'from its end' equal "$(public_of a)" '203.0.113.0-203.0.113.3'
sed -i '/range = "203.0.113.0-/a exclude = ["203.0.113.0-203.0.113.3"]' "$config"
check 'and where it is kept out of use' cloud a '[public]' 'range = "203.0.113.0-203.0.113.1"'
check 'by name, too' equal "$(public_of a)" '203.0.113.0-203.0.113.1'
for each in a b c; do down "$each" --purge; done
n lease release pub 203.0.113.12-203.0.113.13 >/dev/null

say '-- a pool over what is a subnet'
pools
check 'a private subnet' cloud a '[private]' 'subnet = "172.24.0.0/24"'
check 'a network' n network create lab --subnet 172.24.1.0/24
pools pub 172.24.0.0-172.24.2.255
check 'the map shows whose it is' equal "$(json pool ls | jq -r '.pools[] | select(.name == "pub").map[] | "\(.first)-\(.last) \(.kind) \(.owner)"')" '172.24.0.0-172.24.0.255 cloud a
172.24.1.0-172.24.1.255 network lab
172.24.2.0-172.24.2.255 free null'
check 'a public range is behind both' cloud b '[public]' 'count = 3'
check 'of the pool' matches "$(public_of b)" '^172\.24\.2\.'
refuse 4 '172.24.1.1 is (held by )?the network lab' nutshell address allocate 172.24.1.1
refuse 4 'address 172.24.0.9 is held by the cloud a' nutshell address allocate 172.24.0.9
check 'what is allocated is, too' matches "$(n address allocate 2>&1)" '^172\.24\.2\.'
n address release "$(json address ls | jq -r '.addresses[0].address')" >/dev/null
down a --purge
down b --purge
n network rm lab

say '-- addresses of NICs on bridges'
pools pub 198.51.100.4-198.51.100.31
check 'a range' cloud a '[public]' 'range = "198.51.100.4-198.51.100.7"'
cloud_file b "$(idle_machine m 'nics = ["bridge=br0,ip=198.51.100.5"]')"
refuse 4 'address 198.51.100.5 is held by the cloud a' up b
refuse 4 'address 198.51.100.5 is held by the cloud a' nutshell launch zz --nic bridge=br0,ip=198.51.100.5
refuse 4 'also=198.51.100.4-198.51.100.7 has addresses that are held by the cloud a' nutshell create zz --nic bridge=br0,ip=198.51.100.40,also=198.51.100.4-198.51.100.7
cloud_file b "$(idle_machine m 'nics = ["bridge=br0,ip=198.51.100.9"]')"
check 'what nobody has is given' quiet up b
cloud_file c '[public]' 'range = "198.51.100.8-198.51.100.11"'
refuse 4 'address 198.51.100.8-198.51.100.11 is held by the machine b/m' up c
check 'a range goes around it' cloud c '[public]' 'count = 4'
check 'behind it' equal "$(public_of c)" '198.51.100.10-198.51.100.13'
refuse 4 'address 198.51.100.9 is held by the machine b/m' nutshell address allocate 198.51.100.9
cloud_file a '[public]' 'range = "198.51.100.4-198.51.100.7"' "$(idle_machine m 'nics = ["bridge=br0,ip=198.51.100.4,also=198.51.100.5-198.51.100.7+198.51.100.20-198.51.100.22"]')"
check 'its own cloud may have all of it' quiet up a
check 'and does' equal "$(json show a/m | jq -r '.nics[0].ip')" 198.51.100.4
cloud_file d '[public]' 'range = "198.51.100.20"'
refuse 4 'address 198.51.100.20 is held by the machine a/m' up d
refuse 4 'address 198.51.100.20 is held by the machine a/m' nutshell create zz --nic bridge=br0,ip=198.51.100.20
check 'one of its addresses is another use of it' quiet n address allocate --cloud a 198.51.100.6
cloud_file a '[public]' 'range = "198.51.100.4-198.51.100.7"' "$(idle_machine m 'nics = ["bridge=br0,ip=198.51.100.4,also=198.51.100.5-198.51.100.7"]')" "$(idle_machine n 'nics = ["bridge=br0,ip=198.51.100.6"]')"
refuse 4 'address 198.51.100.6 is held by the cloud a' up a
n address release 198.51.100.6 >/dev/null
check 'until it goes back' quiet up a
refuse 4 'address 198.51.100.6 is held by the machine a/n' nutshell address allocate --cloud a 198.51.100.6
for each in a b c; do down "$each" --purge; done

say '-- the subnet that nutshell.toml keeps for nutshell0'
rm "$config"
kept() { printf 'network = "%s"\n' "$1" >"$config"; }
kept 10.75.0.0/24
check 'a private subnet passes it over' cloud a '[private]' 'prefix = 24'
check 'so does a network' n network create hm
check 'they are elsewhere' equal "$(private_of a) $(json network ls | jq -r '.networks[0].subnet')" '10.75.1.0/24 10.75.2.0/24'
refuse 4 'subnet 10.75.0.128/25 is held by the network nutshell0' nutshell network create mine --subnet 10.75.0.128/25
check 'nutshell0 has it' n launch first --memory 64M --accel tcg --nested off
check 'which is a lease' matches "$(n lease ls --pool subnet)" '^subnet +10\.75\.0\.0/24 +nutshell0|10.75.0.0/24.*network'
n rm first --force
in_the_way() { refuse 4 "the network nutshell0 is to be $1 .* is held by $2; choose another there" nutshell launch first --memory 64M --accel tcg --nested off; }
kept 10.75.1.0/24
in_the_way 10.75.1.0/24 'the cloud a'
n lease reserve subnet 10.75.9.0/24 --note printers >/dev/null
kept 10.75.8.0/23
in_the_way 10.75.8.0/23 'a reservation by hand .printers.'
kept 10.75.20.0/24
public_pool 10.75.20.0-10.75.20.255 pub
in_the_way 10.75.20.0/24 'the pool pub of public addresses'
down a --purge
n network rm hm
n lease release subnet 10.75.9.0/24 >/dev/null

say '-- networks of other tools'
pools pub 172.20.8.0-172.20.9.255
cp -a /etc "$scratch/etc"
mount --bind "$scratch/etc" /etc
mkdir -p /etc/libvirt/qemu/networks
printf '<network><name>default</name><bridge name="virbr0"/><ip address="172.20.8.1" netmask="255.255.255.0"/></network>\n' >/etc/libvirt/qemu/networks/default.xml
check 'an address is not one of theirs' matches "$(n address allocate 2>&1)" '172\.20\.9\.0 is'
refuse 4 "172.20.8.7 is held by libvirt's network default" nutshell address allocate 172.20.8.7
ip link add dev tun7 type bridge
ip link set tun7 up
ip route add 172.20.8.0/28 dev tun7
cloud_file e '[private]' 'subnet = "172.20.9.0/24"'
refuse 4 'subnet 172.20.9.0/24 is held by the pool pub of public addresses' up e
umount /etc

say '-- what a file names comes before what it leaves open'
pools
check 'a network that is named and a subnet that is not' cloud e '[private]' 'prefix = 24' '[[network]]' 'name = "inner"' 'subnet = "10.75.0.0/24"'
check 'both are there' equal "$(private_of e) $(json network ls | jq -r '.networks[] | select(.name == "e-inner").subnet')" '10.75.1.0/24 10.75.0.0/24'
down e --purge

say '-- what is reserved by hand'
pools
check 'a network' n network create r --mode routed --subnet 203.0.113.0/28
pools pub 203.0.113.0-203.0.113.63
refuse 4 '203.0.113.2-203.0.113.5 of pool pub is given already: the network r has it' nutshell lease reserve pub 203.0.113.2-203.0.113.5
check 'beside it' n lease reserve pub 203.0.113.16-203.0.113.17
n lease release pub 203.0.113.16-203.0.113.17
n network rm r

say '-- the way out, and what a lost machine has'
pools pub 198.51.100.64-198.51.100.79
ip addr add 198.51.100.126/25 dev br0
ip route add 203.0.113.0/24 via 198.51.100.65
refuse 4 '198.51.100.65 is held by a gateway of this host' nutshell address allocate 198.51.100.65
n create gone --memory 64M --nic bridge=br0,ip=198.51.100.66,also=198.51.100.67
rm "$root"/state/registry.db*
refuse 4 '198.51.100.66 is held by the machine gone, which the registry has lost' nutshell address allocate 198.51.100.66
refuse 4 '198.51.100.67 is held by the machine gone, which the registry has lost' nutshell address allocate 198.51.100.67 --cloud other
n recover >/dev/null
n rm gone
ip route del 203.0.113.0/24
ip addr del 198.51.100.126/25 dev br0

say '-- a pool that is not declared any more, and one that is smaller'
pools old 203.0.113.128-203.0.113.255
check 'a cloud has a part of it' cloud k '[public]' 'range = "203.0.113.130-203.0.113.133"'
pools
refuse 4 'the cloud k' nutshell network create y --mode routed --subnet 203.0.113.128/28
check 'the rest can be a network' n network create y --mode routed --subnet 203.0.113.192/28
n network rm y
down k --purge
pools pub 203.0.113.0-203.0.113.63
n lease reserve pub 203.0.113.60-203.0.113.61 && n lease reserve vnc :7 && n lease reserve subnet 10.75.9.0/24
pools pub 203.0.113.0-203.0.113.7
check 'give it back' n lease release pub 203.0.113.60-203.0.113.61
printf '[[pool]]\nname = "vnc"\nkind = "vnc"\nrange = "20-30"\n[[pool]]\nname = "subnet"\nkind = "subnet"\nrange = "10.80.0.0/16"\n' >>"$config"
check 'a display' n lease release vnc :7
check 'and a subnet' n lease release subnet 10.75.9.0/24
refuse 6 'is not leased' nutshell lease release vnc :7
finish

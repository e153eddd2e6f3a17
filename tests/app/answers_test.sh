#!/usr/bin/env bash
# What a cloud's installer will ask, answered from what the host shows: on a bridge with an uplink's address and default route, on a
# managed network, for a person, a shell, Eucalyptus and cloud-init; and seeds, which a guest reads as a disk.
. "$(dirname "$0")/lib.sh"

# A host with a bridge to its office: two networks, a gateway, and a resolver.
ip link add br0 type bridge
ip link add em1 type veth peer name far
ip link set em1 master br0
ip link set far up
ip link set em1 up
ip link set br0 up
ip addr add 10.101.7.1/24 dev br0
ip addr add 172.20.0.1/16 dev br0
ip route add default via 10.101.7.254 dev br0
resolv() { printf '%b' "$1" >"$scratch/resolv.conf"; }
resolv 'search office\nnameserver 127.0.0.53\nnameserver 10.101.1.1\nnameserver 10.101.1.2\n'
# /etc/resolv.conf may be a link; what it leads to is laid over.
mount --bind "$scratch/resolv.conf" "$(readlink -f /etc/resolv.conf)"

mkdir -p "$root/etc" "$scratch/lab"
cat >"$root/etc/nutshell.toml" <<'TOML'
[[pool]]
name = "public"
kind = "ipv4"
range = "10.101.7.16-10.101.7.63"

[[pool]]
name = "subnet"
kind = "subnet"
range = "172.31.0.0/16"
prefix = 24
TOML
ssh-keygen -q -t ed25519 -N '' -C me@desk -f "$scratch/lab/key" 2>/dev/null || {
  printf 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ0c2hlbGwtdGVzdC1rZXktMDEyMzQ1Njc4 me@desk\n' >"$scratch/lab/key.pub"
  printf -- '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n' >"$scratch/lab/key"
}
file=$scratch/lab/cloud.toml
cat >"$file" <<'TOML'
name = "ciab"

[public]
count = 16

[private]
prefix = 20

[[network]]
name = "lan"

[[machine]]
name = "front"
memory = "256M"
nested = "off"
accel = "tcg"
nics = ["bridge=br0,ip=10.101.7.2", "network=lan"]
seed = true

[[machine]]
name = "node"
count = 2
memory = "256M"
nested = "off"
accel = "tcg"
nics = ["bridge=br0"]

[answers]
addresses_per_group = 16
ssh_user = "lab"
ssh_keys = ["key.pub"]
TOML
check "up" n up "$file" --no-start

say "-- for a person"
text=$(n answers ciab)
says() { check "it says $1 $2" matches "$text" "^$1: +$2\$"; }
says 'public IP range' '10\.101\.7\.16-10\.101\.7\.31'
says 'private subnet' '172\.31\.[0-9]+\.0'
says 'private netmask' '255\.255\.240\.0'
says 'addresses per group' 16
says 'name servers' '10\.101\.1\.1 10\.101\.1\.2'
says 'host name' front
says 'host name' node2
says 'full name' front.ciab.nutshell
says address '10\.101\.7\.2'
says netmask '255\.255\.255\.0'
says gateway '10\.101\.7\.254'
says address 'by DHCP'
check "a file may be named as well" equal "$(n answers "$file")" "$text"
check "one machine alone" bash -c "! grep -q node1 <<<\"\$('$nutshell_bin' --quiet --root '$root' answers ciab front)\""
check "nothing is warned of" equal "$(nutshell answers ciab 2>&1 >/dev/null)" ''

say "-- for programs"
lan=$(n network ls --json | jq -r '.networks[] | select(.name == "ciab-lan") | .subnet')
private=$(n answers ciab --json | jq -r .private_subnet)
check "JSON" equal "$(n answers ciab --json | jq -c '[.cloud, .mode, .public_ranges, .private_prefix, .addresses_per_group, (.ssh_keys | length), (.machines | map(.name))]')" \
  '["ciab","MANAGED-NOVLAN",[{"first":"10.101.7.16","last":"10.101.7.31"}],20,16,1,["front","node1","node2"]]'
check "--format json is the same" equal "$(n answers ciab --format json)" "$(n answers ciab --json)"
# shellcheck disable=SC2016
check "a shell can source it, and has what JSON has" env -i bash -euc '
  . /dev/stdin
  [[ $CLOUD == ciab && $MACHINES == "front node1 node2" && $SSH_USER == lab && $DNS == "10.101.1.1 10.101.1.2" ]]
  [[ $PRIVATE_SUBNET == '"$private"' && $PRIVATE_NETMASK == 255.255.240.0 && $PUBLIC_IPS == 10.101.7.16-10.101.7.31 ]]
  [[ $MACHINE_FRONT_ADDRESS == 10.101.7.2 && $MACHINE_FRONT_GATEWAY == 10.101.7.254 && -z $MACHINE_NODE2_ADDRESS ]]
  [[ $MACHINE_FRONT_DNS_1 == "$MACHINE_FRONT_GATEWAY_1" && $SSH_KEYS == ssh-ed25519\ AAAA*me@desk ]]' < <(n answers ciab --format env)
check "eucalyptus.conf" equal "$(n answers ciab --format eucalyptus)" "VNET_MODE=\"MANAGED-NOVLAN\"
VNET_PUBLICIPS=\"10.101.7.16-10.101.7.31\"
VNET_SUBNET=\"$private\"
VNET_NETMASK=\"255.255.240.0\"
VNET_ADDRSPERNET=\"16\"
VNET_DNS=\"10.101.1.1\"
VNET_PUBINTERFACE=\"eth0\"
VNET_PRIVINTERFACE=\"eth0\"
VNET_BRIDGE=\"br0\""
refuse 2 'front node1 node2' n answers ciab --format cloud-init
refuse 2 'not known; use text' n answers ciab --format toml
refuse 6 'no machine nobody' n answers ciab nobody
refuse 6 'no cloud' n answers nowhere
config=$(n answers ciab front --format cloud-init --json | jq -r .network_config)
check "network-config has the address" matches "$config" '^    addresses: \["10\.101\.7\.2/24"\]$'
check "the way out, once" equal "$(grep -c 'via: ' <<<"$config")" 1
check "the name servers" matches "$config" 'addresses: \["10\.101\.1\.1","10\.101\.1\.2"\], search: \["ciab\.nutshell"\]'
if python3 -c 'import yaml' 2>/dev/null; then
  check "and is YAML" equal "$(python3 -c 'import sys, yaml
nic = yaml.safe_load(sys.stdin)["ethernets"]["nic0"]
print(nic["addresses"][0], nic["routes"][0]["via"], nic["nameservers"]["addresses"][0])' <<<"$config")" "10.101.7.2/24 10.101.7.254 10.101.1.1"
fi

say "-- seeds"
seed=$root/state/clouds/ciab/front.seed.iso
check "up has made the seed of the machine that wants one, and no other" equal "$(cd "$root/state/clouds/ciab" && echo ./*.seed.iso)" ./front.seed.iso
check "nobody else may read it" equal "$(stat -c %a "$seed")" 600
check "one written by hand" n answers ciab front --seed "$scratch/front.iso"
check "is the same, byte for byte" cmp "$seed" "$scratch/front.iso"
check "over itself it goes without asking" n answers ciab front --seed "$scratch/front.iso"
check "blkid knows it" equal "$(blkid -p -o value -s LABEL -s TYPE "$seed" | sort | paste -sd' ')" 'cidata iso9660'
if [[ -n $(type -p xorriso) ]]; then
  xorriso -osirrox on -indev "$seed" -extract / "$scratch/out" 2>/dev/null
  chmod -R u+w "$scratch/out"
  for name in user-data:user_data meta-data:meta_data network-config:network_config; do
    check "xorriso reads ${name%:*} out of it" equal "$(cat "$scratch/out/${name%:*}")" "$(n answers ciab front --format cloud-init --json | jq -r ".${name#*:}")"
  done
fi
date >"$scratch/diary"
refuse 4 'no seed of ours' n answers ciab front --seed "$scratch/diary"
check "it is as it was" test "$(wc -l <"$scratch/diary")" = 1
check "--force" n answers ciab front --seed "$scratch/diary" --force
mknod "$scratch/stick" c 1 3
refuse 3 'stick is no file' n answers ciab front --seed "$scratch/stick" --force
check "a device stays one" test -c "$scratch/stick"
ln -s diary "$scratch/link"
check "through a link" n answers ciab front --seed "$scratch/link"
check "which stays one" test -L "$scratch/link"
check "wrote it" cmp "$seed" "$scratch/diary"
refuse 2 'one machine' n answers ciab --seed "$scratch/other.iso"
check "a dry run writes nothing" nutshell --dry-run answers ciab front --seed "$scratch/other.iso"
check "indeed" test ! -e "$scratch/other.iso"

say "-- a guest that has it as a disk"
quick reader --disk "path=$scratch/front.iso,read_only=on" --wait serial=nutshell-guest# >/dev/null
got=$(guest reader "sleep 2; mkdir -p /m; mount -t iso9660 -o ro /dev/vda /m; ls /m | paste -sd, -; md5sum /m/* | cut -c1-32 | paste -sd, -")
# (It waits, as what is written while whoever typed hangs up may be in the log twice.)
check "it finds the three files, whole" equal "$got" "meta-data,network-config,user-data
$(for name in meta_data network_config user_data; do n answers ciab front --format cloud-init --json | jq -j ".$name" | md5sum | cut -c1-32; done | paste -sd, -)"
n rm reader --force

say "-- what changes, and what cannot be known"
before=$(md5sum <"$seed")
instance() { n answers ciab front --format cloud-init --json | jq -r .meta_data; }
was=$(instance)
check "up again" n up "$file" --no-start
check "leaves the seed as it is" equal "$(md5sum <"$seed")" "$before"
resolv 'nameserver 127.0.0.1\n'
check "without a resolver that others can ask this is said" matches "$(nutshell answers ciab 2>&1)" 'no name server is known'
check "up, with the machine started" n up "$file"
check "keeps the seed that knows more" equal "$(md5sum <"$seed")" "$before"
check "down" n down ciab --force --timeout 1
resolv 'nameserver 10.101.1.9\n'
check "with another resolver, up" n up "$file"
check "makes another seed" bash -c "[[ '$(md5sum <"$seed")' != '$before' ]]"
check "which is another instance" bash -c "[[ '$(instance)' != '$was' ]]"
check "down" n down ciab --force --timeout 1
ip route del default
check "without a default route this is said" matches "$(nutshell answers ciab 2>&1)" 'no gateway is known on br0'
check "and no gateway is told" matches "$(n answers ciab front 2>/dev/null)" '^gateway: +none$'
sed -i 's/^addresses_per_group.*/&\ngateway = "192.0.2.1"/' "$file"
check "a file that has changed is said" matches "$(nutshell answers ciab 2>&1)" 'says otherwise'
check "up" n up "$file" --no-start
check "a gateway outside of the network is not told, and this is said" matches "$(nutshell answers ciab 2>&1)" '192\.0\.2\.1 of \[answers\] is not in the network'
sed -i 's/^gateway.*/gateway = "10.101.7.253"/' "$file"
check "up" n up "$file" --no-start
check "one inside is" matches "$(n answers ciab front)" '^gateway: +10\.101\.7\.253$'

say "-- a seed while its machine runs"
check "up" n up "$file"
cp "$scratch/lab/key.pub" "$scratch/lab/other.pub"
sed -i 's/me@desk/me@lap/' "$scratch/lab/other.pub"
sed -i 's/"key.pub"/"other.pub"/' "$file"
check "another key: up says that the answers are others" matches "$(nutshell up "$file" 2>&1)" 'what .answers. says is changed'
check "it has the key" grep -qa 'me@lap' "$seed"
sed -i 's/me@lap/me@boat/' "$scratch/lab/other.pub"
check "another text in the same file, too" matches "$(nutshell up "$file" 2>&1)" 'the seed of ciab/front is written anew'
check "it has that" grep -qa 'me@boat' "$seed"
pid=$(pid_of ciab/front)
sed -i 's/"other.pub"/"key.pub"/' "$file"
check "back" n up "$file"
check "the machine ran all the time" equal "$(pid_of ciab/front)" "$pid"
sed -i 's/^seed = true/seed = false/' "$file"
check "without a seed" n up "$file" --restart --timeout 1
check "the file is gone" test ! -e "$seed"
check "and the disk" equal "$(json show ciab/front | jq '[.disks[] | select(.path | endswith("seed.iso"))] | length')" 0
sed -i 's/^seed = false/seed = true/' "$file"
check "with one again" n up "$file" --restart --timeout 1
check "it is there" test -s "$seed"
check "down" n down ciab --force --timeout 1

say "-- a seed that is not there, as after an up that was cut short"
rm "$seed"
refuse 6 "its seed $seed is not there; .nutshell up. with the file of its cloud makes it" nutshell start ciab/front
check "plan tells that it comes" matches "$(n plan "$file" --no-start)" '^\+ seed front: '
check "up makes it, also when there is nothing else" matches "$(n up "$file" --no-start)" '^\+ seed front: its file was not there; it is made anew$'
check "it is there" test -s "$seed"
check "and no more is to be done" matches "$(n plan "$file" --no-start)" 'nothing is to be done'
rm "$seed"
sed -i 's/256M/272M/' "$file"
check "plan of an edited file does not ask for it" matches "$(n plan "$file")" '^~ machine front: memory 256M to 272M; it is started$'
check "nor does up" n up "$file"
check "which makes it first" bash -c "test -s '$seed' && [[ $(state_of ciab/front) == running ]]"
rm "$seed"
sed -i 's/272M/256M/' "$file"
check "nor where the edit waits for a restart" matches "$(n up "$file")" '^\+ seed front'
rm "$seed"
check "and is done with one" n up "$file" --restart --timeout 1
check "it is there" test -s "$seed"
rm "$seed"
check "by hand a machine without it can be changed, too" bash -c "$(printf '%q ' "$nutshell_bin" --root "$root" kill ciab/front) && $(printf '%q ' "$nutshell_bin" --root "$root" set ciab/front --cpus 2)"
check "up" n up "$file"
check "down" n down ciab --force --timeout 1

sed -i 's/^count = 16/count = 24/' "$file"
check "up with more public addresses" n up "$file" --no-start
check "they are two leases" equal "$(json lease ls --pool public | jq '.leases | length')" 2
check "and one range" matches "$(n answers ciab)" '^public IP range: +10\.101\.7\.16-10\.101\.7\.39$'
check "in eucalyptus.conf, too" matches "$(n answers ciab --format eucalyptus)" '^VNET_PUBLICIPS="10\.101\.7\.16-10\.101\.7\.39"$'

say "-- keys"
sed -i 's/"key.pub"/"key"/' "$file"
refuse 3 'private key' n up "$file" --no-start
sed -i 's/"key"/"nothing.pub"/' "$file"
refuse 6 'nothing.pub' n up "$file" --no-start
refuse 6 'nothing.pub' n plan "$file"
sed -i 's/"nothing.pub"/"key.pub"/' "$file"
mv "$scratch/lab/key.pub" "$scratch/lab/elsewhere"
check "without the key the other answers are given" matches "$(nutshell answers ciab 2>&1)" 'there is no file .*key\.pub'
refuse 6 'key.pub' n answers ciab front --format cloud-init
rm "$file"
check "without its file the cloud still answers" matches "$(nutshell answers ciab 2>&1)" '^private netmask: +255'
check "down" n down ciab --purge
refuse 6 'no cloud' n answers ciab
check "the seed is gone with it" test ! -e "$seed"

umount "$(readlink -f /etc/resolv.conf)"
finish

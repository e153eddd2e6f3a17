#!/usr/bin/env bash
# Clouds that cannot be: each is refused with one sentence that says what, where, and what next, before anything is changed.
# What the file alone shows is in tests/golden/cloud_bad; here is what only the host or the registry shows.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"
public_pool 192.0.2.16-192.0.2.63
file=$clouds/bad.toml
cloud() { { printf 'name = "bad"\n'; cat; } >"$file"; }
m=$(idle_machine m 'nics = ["user"]')

for verb in plan up; do
  say "-- $verb"
  refuse 6 'there is no file .*none.toml' nutshell "$verb" "$clouds/none.toml"
  refuse 3 'is a directory; name the cloud.toml in it' nutshell "$verb" "$clouds"
  refuse 2 'FILE' nutshell "$verb"
  printf 'name = [' >"$file"
  refuse 3 'bad.toml:1: this is not TOML' nutshell "$verb" "$file"
  head -c 2000000 /dev/zero | tr '\0' '#' >"$file"
  refuse 1 'bad.toml' nutshell "$verb" "$file"
  printf 'name = "bad"\ncount = 3\n[[machine]]\nname = 7\ncolour = "red"\n' >"$file"
  refuse 3 'bad.toml:2: unknown key "count"' nutshell "$verb" "$file"
  check 'and the others with it' matches "$(nutshell "$verb" "$file" 2>&1)" 'bad.toml:4.*|bad.toml:5: unknown key "colour"'
  cloud <<<$'[[machine]]\nname = "a"\nafter = ["b"]\n[[machine]]\nname = "b"\nafter = ["c"]\n[[machine]]\nname = "c"\nafter = ["a"]'
  refuse 3 'a after b after c after a' nutshell "$verb" "$file"
  cloud <<<"$(idle_machine m 'count = 0')"
  refuse 3 'bad.toml:[0-9]+: .*count = 0' nutshell "$verb" "$file"
  cloud <<<"$(idle_machine m 'count = 1000000000')"
  refuse 3 'bad.toml:[0-9]+: .*count = 1000000000' nutshell "$verb" "$file"
  cloud <<<"$m"$'\n'"$m"
  refuse 3 'bad.toml:[0-9]+: .*m' nutshell "$verb" "$file"

  say '-- what the host lacks, all at once, each at its line'
  cloud <<<"$(idle_machine one 'cdrom = "/nowhere/x.iso"')"$'\n'"$(idle_machine two 'nics = ["bridge=br77"]')"$'\n'"$(idle_machine three 'groups = ["nobody"]')"$'\n'"$(idle_machine four 'disks = ["path=/nowhere/disk.img"]')"
  refuse 3 'bad.toml:7: one: there is no file /nowhere/x.iso' nutshell "$verb" "$file"
  said=$(nutshell "$verb" "$file" 2>&1)
  check 'a bridge' matches "$said" 'bad.toml:13: two: bridge br77 does not exist; .*, or leave it out of nics$'
  check 'a group' matches "$said" 'bad.toml:19: three: there is no security group nobody'
  check 'a disk' matches "$said" 'bad.toml:25: four: .*/nowhere/disk.img'
  cloud <<<"$(idle_machine m 'nics = ["network=elsewhere"]')"
  refuse 3 'bad.toml:7: m: there is no managed network elsewhere' nutshell "$verb" "$file"
  cloud <<<$'[[network]]\nname = "in"\nsubnet = "10.75.9.0/24"\n'"$(idle_machine a 'nics = ["network=in,ip=10.9.9.9"]')"$'\n'"$(idle_machine b 'nics = ["network=in,ip=10.8.8.8"]')"
  refuse 3 'bad.toml:10: bad/a: ip=10.9.9.9 is not in 10.75.9.0/24, the network bad-in; name an address of it, or leave ip= out' nutshell "$verb" "$file"
  check 'and the other with it' matches "$(nutshell "$verb" "$file" 2>&1)" 'bad.toml:16: bad/b: ip=10.8.8.8 is not in'
  cloud <<<"$(idle_machine a 'nics = ["user,mac=52:54:00:00:77:01"]')"$'\n'"$(idle_machine b 'nics = ["user"]')"
  n create holder --nic user,mac=52:54:00:00:77:01 --accel tcg --nested off >/dev/null
  refuse 4 'bad.toml:7: MAC 52:54:00:00:77:01 .*holder' nutshell "$verb" "$file"
  n rm holder >/dev/null
  cloud <<<$'[[group]]\nname = "front"\nrules = ["tcp 22 from group jump"]\n'"$m"
  refuse 3 'bad.toml:2: the group front lets in from the group jump, which the cloud bad does not have; write a ..group.. of that name' nutshell "$verb" "$file"
  cloud <<<$'[answers]\nssh_keys = ["ssh-ed25519 short"]\n'"$m"
  refuse 3 'bad.toml:3: one of ssh_keys: ' nutshell "$verb" "$file"

  cloud <<<"$(idle_machine m 'nics = ["user"]' 'publish = ["80:80"]')"
  refuse 3 'bad.toml:8: m: ports are published on a NIC on a managed network that leads out' nutshell "$verb" "$file"
  cloud <<<$'[[network]]\nname = "in"\nmode = "isolated"\n'"$(idle_machine m 'nics = ["user", "network=in"]' 'publish = ["80:80"]')"
  refuse 3 'bad.toml:11: m: ports are published on a NIC on a managed network that leads out' nutshell "$verb" "$file"

  cloud <<<"$(idle_machine m 'nics = ["user"]' 'vnc-password-file = "none"')"
  refuse 3 'bad.toml:8: m: there is no password file .*/none; make it' nutshell "$verb" "$file"

  say '-- what is waited for in vain'
  cloud <<<"$(idle_machine a 'nics = ["user"]')"$'\n'"$(idle_machine b 'count = 2' 'nics = ["user"]' 'after = ["a:serial=["]')"$'\n'"$(idle_machine c 'after = ["a:port=22"]')"
  refuse 3 'bad.toml:15: b: after: serial=\[ is no extended regular expression' nutshell "$verb" "$file"
  said=$(nutshell "$verb" "$file" 2>&1)
  check 'a port of a machine without an address' matches "$said" 'bad.toml:21: c: after: bad/a has no address that nutshell knows of, so port=22 can never be met'
  check 'each once, and without words of another command' equal "$(grep -c 'after:' <<<"$said") $(grep -c -e --wait <<<"$said")" '2 0'

  say '-- ranges'
  cloud <<<$'[public]\nrange = "198.51.100.1-198.51.100.9"'
  refuse 3 'bad.toml:[0-9]+: 198.51.100.1-198.51.100.9 is not in' nutshell "$verb" "$file"
  cloud <<<$'[public]\ncount = 49'
  refuse 4 'bad.toml:[0-9]+: .*public' nutshell "$verb" "$file"
  cloud <<<$'[public]\npool = "other"\ncount = 4'
  refuse 3 'there is no pool other of public addresses; there are: public' nutshell "$verb" "$file"
  cloud <<<$'[private]\npool = "other"\nprefix = 24'
  refuse 3 'there is no pool other of subnets; there are: subnet' nutshell "$verb" "$file"
  cloud <<<$'[public]\nrange = ["192.0.2.16-192.0.2.20", "192.0.2.20-192.0.2.30"]'
  refuse 3 'bad.toml:[0-9]+: .*overlap' nutshell "$verb" "$file"
  cloud <<<$'[private]\nsubnet = "192.0.2.0/26"'
  refuse 4 'bad.toml:[0-9]+: .*the pool public of public addresses' nutshell "$verb" "$file"
  cloud <<<$'[private]\nsubnet = "10.9.0.0/24"\n[[network]]\nname = "lab"\nsubnet = "10.9.0.128/25"'
  refuse 3 'bad.toml:[0-9]+: .*overlap' nutshell "$verb" "$file"
  ip link add d0 type dummy 2>/dev/null || ip link add d0 type bridge
  ip addr add 10.88.0.1/24 dev d0
  ip link set d0 up
  ip route add 10.89.0.0/16 dev d0
  cloud <<<$'[private]\nsubnet = "10.88.0.0/16"'
  refuse 4 'bad.toml:[0-9]+: .*10.88.0.*d0' nutshell "$verb" "$file"
  cloud <<<$'[private]\nsubnet = "10.89.7.0/24"'
  refuse 4 'bad.toml:[0-9]+: .*route 10.89.0.0/16' nutshell "$verb" "$file"
  ip link del d0
  cloud <<<$'[public]\ncount = 6\n[[network]]\nname = "out"\nmode = "routed"\nrange = "public"'
  refuse 3 'bad.toml:[0-9]+: range = "public" asks for 6 public addresses, which are no subnet; use 8 of them' nutshell "$verb" "$file"
  cloud <<<$'[[network]]\nname = "out"\nrange = "public"'
  refuse 3 'bad.toml:[0-9]+: ' nutshell "$verb" "$file"

  say '-- quotas'
  cloud <<<$'[quota]\nmachines = 2\nmemory = "128M"\n'"$(idle_machine m 'count = 3' 'nics = ["user"]')"
  refuse 4 'the cloud bad: .*3 machines.* 2' nutshell "$verb" "$file"
  check 'each that is passed' matches "$(nutshell "$verb" "$file" 2>&1)" '192M'
  cloud <<<$'[quota]\naddresses = 4\n[public]\ncount = 5'
  refuse 4 'the cloud bad: .*5.* 4' nutshell "$verb" "$file"
  check 'nothing has been made' equal "$(json status | jq '.clouds | length') $(json ls | jq '.machines | length') $(json lease ls | jq '[.leases[] | select(.foreign == null)] | length')" '0 0 0'
done

say '-- others'
printf 'name = "one"\n[public]\nrange = "192.0.2.20-192.0.2.29"\n[private]\nsubnet = "10.9.0.0/16"\n[quota]\nmachines = 1\ncpus = 1\naddresses = 11\n' >"$clouds/one.toml"
idle_machine m 'nics = ["user"]' >>"$clouds/one.toml"
check 'a cloud' n up "$clouds/one.toml" --no-start
cloud <<<$'[public]\nrange = "192.0.2.29-192.0.2.30"'
refuse 4 'bad.toml:2: .*192.0.2.20-192.0.2.29.*the cloud one' nutshell up "$file"
cloud <<<$'[private]\nsubnet = "10.9.3.0/24"'
refuse 4 'bad.toml:2: .*10.9.0.0/16.*the cloud one' nutshell up "$file"
cloud <<<$'[private]\nsubnet = "10.0.0.0/8"'
refuse 4 'bad.toml:2: .*10.9.0.0/16.*the cloud one' nutshell up "$file"
n lease reserve public 192.0.2.40-192.0.2.44 --note 'the printer'
cloud <<<$'[public]\nrange = "192.0.2.44-192.0.2.50"'
refuse 4 'bad.toml:2: .*reserved by hand \(the printer\)' nutshell up "$file"
refuse 4 'the cloud one: .*2 machines' nutshell create extra --cloud one --memory 64M --nic user
refuse 4 'the cloud one: 2 virtual CPUs are more than its quota of 1' nutshell set one/m --cpus 2
n address allocate --cloud one >/dev/null
check 'out of its own range an address is no more than it has' equal "$(json address ls | jq -r '.addresses[].pool')" public:one
n address allocate 192.0.2.60 --cloud one >/dev/null
refuse 4 'the cloud one: .*12' nutshell address allocate 192.0.2.61 --cloud one
n address release 192.0.2.60
n address release 192.0.2.20
refuse 6 'there is no cloud on; did you mean one' nutshell down on
refuse 6 'no cloud is up from' nutshell down "$file"
n create hand --cloud two --memory 64M --nic user --disk 2M >/dev/null
printf '[quota]\nmachines = 1\ndisk = "3M"\n' >>"$config"
disk=$(json volume ls | jq -r '.volumes[0].name')
refuse 4 'the cloud two: 4M of .* is more than its quota of 3M' nutshell volume resize "$disk" 4M
refuse 4 'the cloud two: 4M of .* is more than its quota of 3M' nutshell --dry-run volume resize "$disk" +2M
check 'a disk grows as far as its cloud may' n volume resize "$disk" +1M
refuse 4 'the cloud two: .*2 machines' nutshell create other --cloud two --memory 64M --nic user
printf 'name = "two"\n' >"$clouds/two.toml"
idle_machine m 'nics = ["user"]' >>"$clouds/two.toml"
refuse 4 'the cloud two: .*2 machines' nutshell up "$clouds/two.toml"
sed -i '/quota/,$d' "$config"
n up "$clouds/two.toml" --no-start
refuse 4 'has machines that were made by hand: hand' nutshell down two --purge
n rm two/hand
printf '[quota]\nmachines = 0\n' >>"$clouds/two.toml"
for verb in plan up; do
  refuse 4 'the cloud two: 1 machine is more than its quota of 0 \(.*two.toml:[0-9]+\)' nutshell "$verb" "$clouds/two.toml"
done
check 'without it the cloud goes' down two --purge
check 'and the other' down one --purge
cp "$clouds/two.toml" "$clouds/"$'esc\e[31m.toml'
sed -i '/quota/,$d' "$clouds/"$'esc\e[31m.toml'
n up "$clouds/"$'esc\e[31m.toml' --no-start >/dev/null
check 'the name of a file does nothing to a terminal' equal "$(n status | grep -c $'\e') $(n status | grep -c esc)" '0 1'
down two --purge
refuse 2 'contradict' nutshell up "$clouds/one.toml" --restart --no-start
refuse 3 'tag' nutshell create t --tag 'a b=c'
refuse 3 'there is no instance type m1.smal; did you mean m1.small' nutshell create t --type m1.smal
refuse 3 'tag' nutshell ls --tag '='
finish

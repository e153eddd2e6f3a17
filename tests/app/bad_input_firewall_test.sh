#!/usr/bin/env bash
# Ports, networks, protocols, groups and addresses that cannot be; what is taken; and an nft that is missing, hangs, fails or is too old:
# one sentence, and the rules that were there stand.
. "$(dirname "$0")/refusals.sh"

machine=(--memory 64M --accel tcg --nested off)
nft -f - <<'END'
table inet stranger { chain forward { type filter hook forward priority 10; policy accept; counter; }; }
END
printf '%s\n' '[[pool]]' 'name = "public"' 'kind = "ipv4"' 'range = "192.0.2.16-192.0.2.17"' >"$scratch/nutshell.toml"
nutshell() { "${as[@]}" "$nutshell_bin" --root "$root" --config "$scratch/nutshell.toml" "$@"; }
n ls >/dev/null
before=$(traces)

say "-- a port, a network, a protocol"
bad 3 '--publish: "80" does not say which port' launch x "${machine[@]}" --publish 80
bad 3 '--publish: "0:80" has no port from 1 to 65535' launch x "${machine[@]}" --publish 0:80
bad 3 '--publish: "80:70000" has no port' launch x "${machine[@]}" --publish 80:70000
bad 3 '--publish: "80:80/sctp" names no protocol' launch x "${machine[@]}" --publish 80:80/sctp
bad 3 '--publish: "::1:80:80" names no IPv4 address' launch x "${machine[@]}" --publish ::1:80:80
bad 3 '--publish: "127.0.0.1:80:80" names no IPv4 address' launch x "${machine[@]}" --publish 127.0.0.1:80:80
bad 3 '--publish: "80:22" and|80:22 and 192.0.2.1:80:23 are the same port' launch x "${machine[@]}" --publish 80:22 --publish 192.0.2.1:80:23
bad 3 'has no NIC on a managed network' launch x "${machine[@]}" --nic user --publish 80:80
bad 3 '198.51.100.9 is no address of this host' launch x "${machine[@]}" --publish 198.51.100.9:80:80
bad 3 'rate="fast" is no rate' launch x "${machine[@]}" --nic network=nutshell0,rate=fast
bad 3 'rate="1K" is no rate' launch x "${machine[@]}" --nic network=nutshell0,rate=1K
bad 3 'also="10.0.0.9-10.0.0.1" is no list' launch x "${machine[@]}" --nic network=nutshell0,also=10.0.0.9-10.0.0.1
bad 3 'also= lets through' launch x "${machine[@]}" --nic network=nutshell0,also=10.0.0.9,antispoof=off
bad 3 'rate= needs bridge= or network=' launch x "${machine[@]}" --nic user,rate=100M
bad 3 'antispoof="perhaps"|antispoof' launch x "${machine[@]}" --nic network=nutshell0,antispoof=perhaps

say "-- groups"
bad 6 'no security group web in the cloud default' launch x "${machine[@]}" --group web
bad 3 "can be no group's name" launch x "${machine[@]}" --group 'We b'
bad 6 'no security group web in the cloud default' group authorize web --protocol tcp
bad 6 'no security group web' group rm web
bad 6 'no security group web' group ls web
bad 3 "can be no group's name" group create 'We b'
check "a group" n group create web
check "one that a rule names" n group create db
check "the rule" n group authorize web --protocol udp --port 53 --from-group db
check "a machine in it" n create member "${machine[@]}" --group web
before=$(traces)
bad 4 'a security group web already' group create web
bad 3 '--protocol: is missing' group authorize web
bad 3 "--protocol: 'sctp' is not known" group authorize web --protocol sctp
bad 3 "--port: '0' is no port" group authorize web --protocol tcp --port 0
bad 3 "--port: '90-80' is no port" group authorize web --protocol tcp --port 90-80
bad 3 '--port: only tcp and udp have ports' group authorize web --protocol icmp --port 80
bad 3 "--from: '10.0.0.0/33' is no network" group authorize web --protocol tcp --from 10.0.0.0/33
bad 3 "--from: 'here' is no network" group authorize web --protocol tcp --from here
bad 3 '--from: 10.0.0.7/24 is an address in a network' group authorize web --protocol tcp --from 10.0.0.7/24
bad 3 '--from-group: and --from contradict' group authorize web --protocol tcp --from 10.0.0.0/24 --from-group db
bad 6 'no security group dc in the cloud default; did you mean db' group authorize web --protocol tcp --from-group dc
bad 6 'web has no rule for tcp 80 from anywhere' group revoke web --protocol tcp --port 80
bad 4 'web: member is in it' group rm web
bad 4 'db: a rule of the group web names it' group rm db
bad 3 'antispoof=off and --group contradict' launch x "${machine[@]}" --group web --nic network=nutshell0,antispoof=off
bad 3 "not in a group db" set member --drop-group db
bad 3 "does not publish 80:80" set member --drop-publish 80:80

say "-- addresses"
bad 3 "'somewhere' is no IPv4 address" address allocate somewhere
bad 3 '203.0.113.1 is in no pool' address allocate 203.0.113.1
bad 6 'no pool private of public addresses' address allocate --pool private
bad 6 'no cloud has 192.0.2.16' address associate 192.0.2.16 member
bad 6 'no cloud has 192.0.2.16' address release 192.0.2.16
check "take one" n address allocate --cloud shop
check "and the other" n address allocate 192.0.2.17
before=$(traces)
bad 4 'pool public .192.0.2.16 to 192.0.2.17. has nothing left' address allocate
bad 4 "192.0.2.17 is the cloud default's already" address allocate 192.0.2.17
bad 4 "192.0.2.16 is the cloud shop's" address associate 192.0.2.16 member
check "associate" n address associate 192.0.2.17 member
check "another machine" n create second "${machine[@]}"
before=$(traces)
bad 4 '192.0.2.17 leads to member' address associate 192.0.2.17 second
bad 4 '192.0.2.17 leads to member' address release 192.0.2.17

say "-- a bridge without connection tracking"
ip link add br0 type bridge
ip link set br0 up
before=$(traces)
if nft -c -f - 2>/dev/null <<<'table bridge x { chain c { ct state established accept; }; }'; then
  say "this kernel has it"
else
  bad 1 'nf_conntrack_bridge' launch x "${machine[@]}" --nic bridge=br0 --group web
fi

say "-- nft"
fake() { # fake FOLDER SCRIPT
  mkdir -p "$scratch/$1"
  printf '#!/bin/bash\n%s\n' "$2" >"$scratch/$1/nft"
  chmod 755 "$scratch/$1/nft"
}
plain_path=$PATH
real=$(command -v nft)
check "a machine that runs" n launch runs "${machine[@]}" --group web --publish 8080:80 --vnc off
before=$(traces)
rules=$(nft list ruleset)
fake fails 'echo "netlink: Error: cache initialization failed" >&2; exit 1'
fake hangs 'exec sleep 1000'
fake refuses 'case "$*" in *-f*) cat >/dev/null; echo "/dev/stdin:1:1-2: Error: Could not process rule: Operation not supported" >&2; exit 1;; esac; exec '"$real"' "$@"'
fake old 'case "$*" in *-f*) input=$(cat); line=$(grep -n typeof <<<"$input" | head -n 1 | cut -d: -f1); if [[ -n $line ]]; then echo "/dev/stdin:$line:22-27: Error: syntax error, unexpected string" >&2; exit 1; fi; exec '"$real"' "$@" <<<"$input";; esac; exec '"$real"' "$@"'
check "doctor says that nft fails" matches "$(PATH=$scratch/fails:$plain_path nutshell doctor)" 'nft +bad .*cache initialization failed'
check "and all else that it knows" matches "$(PATH=$scratch/fails:$plain_path nutshell doctor | tr '\n' ';')" 'qemu .*memory .*dnsmasq|qemu .*dnsmasq .*memory'
for how in fails refuses; do
  PATH=$scratch/$how:$plain_path
  bad 1 'nft' launch x "${machine[@]}" --publish 8081:80
  bad 1 'nft' launch x "${machine[@]}" --nic bridge=br0,ip=10.9.0.7
  bad 1 'nft' group authorize web --protocol tcp --port 80
  PATH=$plain_path
done
PATH=$scratch/old:$plain_path
n kill runs
before=$(traces)
bad 1 'nft is too old for `set targets6 . typeof' launch x "${machine[@]}" --nic bridge=br0,ip=10.9.0.7
PATH=$plain_path
n start runs >/dev/null
before=$(traces)
rules=$(nft list ruleset)
start=$SECONDS
PATH=$scratch/hangs:$plain_path
wrong 1 'nft .*did not end|nft.*time' group authorize web --protocol tcp --port 80
PATH=$plain_path
check "it is waited for no longer than it should" test $((SECONDS - start)) -lt 30
check "doctor has a line for an nft that hangs, too, beside its other checks" matches "$(PATH=$scratch/hangs:$plain_path nutshell doctor | tr '\n' ';')" 'qemu .*memory .*nft +bad .*did not end'
check "the rules that were there stand" equal "$(nft list ruleset)" "$rules"
check "the group is as it was" equal "$(json group ls web | jq -c '.groups[0].rules | length')" 1
n kill runs
check "and go with the machine" equal "$(nft list ruleset | grep -c nutshell)" 0
finish

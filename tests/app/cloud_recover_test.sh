#!/usr/bin/env bash
# What clouds hold, when the registry is lost and nutshell.toml says something else by then: each comes back by itself with all
# that it had, reservations by hand too. And what one cannot have beside another: addresses of a network as public ones, a
# network with addresses that are reserved, the name of another cloud's network.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"
public_pool 203.0.113.0-203.0.113.63 pub
lose() { rm -f "$root"/state/registry.db*; }
held() { json lease ls | jq -r '.leases[] | select(.foreign == null and .cloud != null and (.pool == "pub" or .pool == "subnet" or (.pool | startswith("public:")))) | "\(.cloud) \(.pool) \(.value)"' | sort; }
reserved() { json lease ls | jq -r '.leases[] | select(.foreign == null and .note != null) | "\(.pool) \(.value) \(.note)"' | sort; }
says() { local pattern=$1; shift; "$@" 2>&1 | grep -Eq -- "$pattern"; }
quiet() { "$@" >/dev/null; }

say '-- the pools have changed when the registry is made anew'
printf 'name = "a"\n[public]\ncount = 4\n' >"$clouds/a.toml"
{ printf 'name = "b"\n[public]\ncount = 4\n[private]\nsubnet = "10.75.40.0/24"\n[[network]]\nname = "i"\n'; idle_machine m 'nics = ["network=i"]' 'disks = ["16M"]'; } >"$clouds/b.toml"
check 'two clouds' quiet n up "$clouds/a.toml"
check 'the other with a machine' quiet n up "$clouds/b.toml" --no-start
check 'a public address' quiet n address allocate --cloud a
check 'what is kept by hand' quiet n lease reserve pub 203.0.113.30-203.0.113.33 --note printers
check 'a display, too' quiet n lease reserve vnc :7
had=$(held) kept=$(reserved)
check 'they hold this' equal "$(wc -l <<<"$had")" 4
printf 'exclude = ["203.0.113.2", "203.0.113.31"]\n' >>"$config"
lose
for words in ls status 'pool ls' 'ls --json'; do
  # shellcheck disable=SC2086  # words
  check "$words does not keep that to itself" says 'the registry does not know the machine b/m and 2 more; .nutshell recover. finds' nutshell $words
done
check 'with more kept out, both come back' says 'found again: cloud b' nutshell recover
check 'ls has nothing more to say on it' equal "$(nutshell ls 2>&1; nutshell pool ls 2>&1)" "$(nutshell ls 2>/dev/null; nutshell pool ls 2>/dev/null)"
check 'with all that they held' equal "$(held)" "$had"
check 'and what was reserved' equal "$(reserved)" "$kept"
check 'nothing was to be done' says 'nothing was to be done' nutshell up "$clouds/a.toml"
check 'nor for the other' says 'nothing was to be done' nutshell up "$clouds/b.toml" --no-start
sed -i 's/203.0.113.63"/203.0.113.5"/; /^exclude/d' "$config"
lose
check 'out of a pool that is narrower by now' quiet n recover
check 'it is the same' equal "$(held)" "$had"
sed -i 's/"pub"/"other"/; s/203.0.113.5"/203.0.113.63"/' "$config"
lose
check 'and out of one that has another name' quiet n recover
check 'all the same' equal "$(held)" "$had"
printf 'name = "c"\n[public]\ncount = 4\n' >"$clouds/c.toml"
check 'a third cloud' quiet n up "$clouds/c.toml"
check 'is given nothing of it' bash -c "! grep -Eqx '203.0.113.[0-7]-.*' <<<'$(public_of c)'"
down c --purge
sed -i 's/"other"/"pub"/' "$config"

say '-- one that cannot come back'
lose
printf '{' >"$root/state/clouds/a/cloud.json.broken"
cp "$root/state/clouds/a/cloud.json" "$scratch/note"
printf '{' >"$root/state/clouds/a/cloud.json"
refuse 5 'the cloud a: the note .*/clouds/a/cloud.json does not say what it is .*; mend it, or move it away' nutshell recover
check 'leaves the other alone' equal "$(private_of b) $(states b)" '10.75.40.0/24 m=defined'
cp "$scratch/note" "$root/state/clouds/a/cloud.json"
rm "$root/state/clouds/a/cloud.json.broken"
check 'and comes back when it can' says 'found again: cloud a' nutshell recover
check 'with its public address' equal "$(held)" "$had"
lose
mv "$root/state/clouds/b" "$scratch/b"
quiet n recover
mv "$scratch/b" "$root/state/clouds/b"
refuse 4 'b.toml: the registry has lost the cloud b; run .nutshell recover' nutshell up "$clouds/b.toml"
check 'which is done' quiet n recover
check 'and it is whole' says 'nothing was to be done' nutshell up "$clouds/b.toml" --no-start
n address release "$(json address ls | jq -r '.addresses[0].address')" >/dev/null
check 'what was reserved is given back' quiet n lease release pub 203.0.113.30-203.0.113.33
check 'all of it' quiet n lease release vnc :7
lose
quiet n recover
check 'and does not come back' equal "$(reserved)" ''

say '-- who has a range'
public=$(public_of b)
check 'as lease ls prints it' says 'the cloud b' n who "$public"
check 'a subnet' says 'the cloud b .10.75.40.0/24 of pool subnet' n who 10.75.40.0/24
check 'one around it' says 'the cloud b' n who 10.75.40.0-10.75.41.255
lab=$(json network ls | jq -r '.networks[] | select(.name == "b-i").subnet')
check 'a network' says 'the network b-i' n who "$lab"
refuse 6 'nobody is known to have' nutshell who 198.51.100.0-198.51.100.9

say '-- a lost registry, and then something else first'
check 'a group' n group create keep --cloud z
check 'an address' quiet n address allocate 203.0.113.50 --cloud z
check 'a reservation' quiet n lease reserve pub 203.0.113.51 --note keep
had=$(held | grep -v '^z ')
public=$(public_of a) subnet=$(private_of b)
lose
printf 'name = "s"\n[public]\nrange = "%s"\n' "$public" >"$clouds/s.toml"
refuse 4 "$public.*the cloud a, which the registry has lost" nutshell up "$clouds/s.toml"
printf 'name = "s"\n[private]\nsubnet = "%s"\n' "$subnet" >"$clouds/s.toml"
refuse 4 "$subnet.*the cloud b, which the registry has lost" nutshell up "$clouds/s.toml"
for each in 'the cloud z:203.0.113.50' 'a reservation by hand:203.0.113.51'; do
  printf 'name = "s"\n[public]\nrange = "%s"\n' "${each#*:}" >"$clouds/s.toml"
  refuse 4 "${each#*:}.*${each%:*}, which the registry has lost" nutshell up "$clouds/s.toml"
done
refuse 4 'the cloud a, which the registry has lost' nutshell lease reserve pub "$public"
refuse 4 'z/keep: the registry has lost it; .nutshell recover. finds it again' nutshell group create keep --cloud z
refuse 4 'there is a machine b/m already, which the registry has lost' nutshell create m --cloud b --memory 64M --nic none
refuse 4 'a.toml: the registry has lost the cloud a; run .nutshell recover' nutshell up "$clouds/a.toml"
printf 'name = "s"\n[public]\ncount = 1\n[private]\nprefix = 24\n' >"$clouds/s.toml"
check 'a new cloud' quiet n up "$clouds/s.toml"
check 'another address' quiet n address allocate 203.0.113.60 --cloud z
check 'another reservation' quiet n lease reserve pub 203.0.113.61
said=$(n recover)
for each in 'security group z/keep' 'public address 203.0.113.50' 'reservation 203.0.113.51 of pool pub'; do check "comes back: $each" matches "$said" "$each"; done
check 'and the clouds with all that they had' equal "$(held | grep -v '^[sz] ')" "$had"
check 'released after that' n address release 203.0.113.50
n address release 203.0.113.60; n lease release pub 203.0.113.61
check 'it does not come back' equal "$(n recover | grep -c 203.0.113)" 0
echo '{' >"$root/state/reserved.json"
refuse 5 'reserved.json: cannot be read; mend it, or move it away' nutshell recover
check 'it is left as it is' equal "$(cat "$root/state/reserved.json")" '{'
check 'what is reserved then' says 'could not be read, and is .*unreadable now' nutshell lease reserve pub 203.0.113.52
check 'does not wipe it out' equal "$(cat "$root/state/reserved.json.unreadable")" '{'
rm "$root/state/reserved.json.unreadable"
n lease release pub 203.0.113.51; n lease release pub 203.0.113.52
n group rm keep --cloud z
down s --purge

say '-- a cloud that cannot come back at once'
{ printf 'name = "d"\n[public]\ncount = 4\n[private]\nprefix = 24\n[[network]]\nname = "i"\nrange = "private"\n'; idle_machine m 'nics = ["network=i"]'; } >"$clouds/d.toml"
check 'one whose network is its private subnet' quiet n up "$clouds/d.toml" --no-start
had=$(held)
lose
mv "$root/state/clouds/d" "$scratch/d"
kept=$(jq -r '.ranges[] | select(.index != 0) | .value' "$scratch/d/cloud.json" | cut -d- -f1)
check 'a part of its range is reserved' quiet n lease reserve pub "$kept"
mv "$scratch/d" "$root/state/clouds/d"
said=$(nutshell recover 2>&1)
check 'it does not' matches "$said" 'the cloud d: address 203\.0\.113\.[0-9-]+.* is reserved by hand'
check 'nor does its machine without it' matches "$said" 'd/m: the network d-i lies in the subnet .* of the cloud d, which has to come back first'
check 'it is given back' quiet n lease release pub "$kept"
check 'then all of it comes' quiet n recover
check 'as it was' equal "$(held)" "$had"
check 'nothing is to be done' says 'nothing was to be done' nutshell up "$clouds/d.toml" --no-start
sed -E 's/"mac": *"[^"]*"/"mac": "52:54:00:99:00:01"/; s/d-i/q-i/; s/"by_hand": *false/"by_hand": true/' "$root/state/networks/d-i.json" >"$root/state/networks/q-i.json"
refuse 5 'network q-i: subnet .* is leased to the cloud d' nutshell recover
rm "$root/state/networks/q-i.json"
down d --purge

say '-- an older registry, of a cloud that has grown since'
grown() { printf 'name = "g"\n[public]\ncount = %s\n[private]\nprefix = 24\n' "$1"; for each in "${@:2}"; do idle_machine "$each" 'nics = ["user"]' 'disks = ["16M"]'; done; }
grown 4 front >"$clouds/g.toml"
check 'it comes' quiet n up "$clouds/g.toml" --no-start
mkdir "$scratch/older"
cp "$root"/state/registry.db* "$scratch/older"
grown 8 front node >"$clouds/g.toml"
check 'and grows' quiet n up "$clouds/g.toml" --no-start
had=$(held)
lose
cp "$scratch"/older/* "$root/state"
said=$(n recover)
for each in 'cloud g' g/node; do check "comes back: $each" matches "$said" "found again: $each"; done
check 'with all that it held' equal "$(held)" "$had"
check 'it is whole' says 'nothing was to be done' nutshell up "$clouds/g.toml" --no-start
check 'and nothing more is found' says 'knows every machine' nutshell recover
lose
n recover >/dev/null & one=$!
n recover >/dev/null & two=$!
check 'of two at once one finds it' wait "$one"
check 'and the other finds nothing more' wait "$two"
check 'it is there once' equal "$(held)" "$had"
down g --purge

say '-- reserved in a network that is to go'
address=${lab%.*}.77
check 'an address is kept' quiet n lease reserve ipv4:b-i "$address"
refuse 4 "b-i has $address reserved by hand.*nutshell lease release ipv4:b-i $address" nutshell down b --purge
check 'nothing was removed' equal "$(states b)" 'm=defined'
cp "$clouds/b.toml" "$scratch/b.toml"
sed -i '/^\[\[network/,/^name = "i"/d; s/nics = .*/nics = ["user"]/' "$clouds/b.toml"
refuse 4 "b-i has $address reserved by hand" nutshell up "$clouds/b.toml" --no-start
refuse 4 "b-i has $address reserved by hand" nutshell plan "$clouds/b.toml"
check 'the machine is as it was' equal "$(json show b/m | jq -r '.nics[0].network')" b-i
cp "$scratch/b.toml" "$clouds/b.toml"
check 'it is given back' quiet n lease release ipv4:b-i "$address"
down a --purge
down b --purge
check 'then all of it goes' equal "$(held)" ''

say '-- a public range that is a network'
{ printf 'name = "r"\n[public]\nrange = "203.0.113.8/29"\n[[network]]\nname = "n"\nmode = "routed"\nrange = "public"\n'; idle_machine o 'nics = ["network=n"]'; } >"$clouds/r.toml"
check 'it comes up' quiet n up "$clouds/r.toml" --no-start
refuse 4 'the network r-n.s .203.0.113.8/29., whose machines are given its addresses' nutshell address allocate 203.0.113.10 --cloud r
for last in 8 9 15; do refuse 4 'the network r-n.s' nutshell address allocate "203.0.113.$last" --cloud r; done
refuse 4 'the network r-n.s' nutshell address allocate --cloud r
other=$(json address allocate --cloud r --pool pub | jq -r .address)
check 'out of the pool beside it there are others' matches "$other" '^203.0.113.([0-7]|1[6-9]|[2-6].)$'
n address release "$other" >/dev/null
cp "$clouds/r.toml" "$scratch/r.toml"
down r --purge
sed -i '/^\[\[network/,/^range = "public"/d; s/nics = .*/nics = ["user"]/' "$clouds/r.toml"
quiet n up "$clouds/r.toml" --no-start
check 'where it is none, one is allocated' quiet n address allocate 203.0.113.11 --cloud r
cp "$scratch/r.toml" "$clouds/r.toml"
refuse 4 'r.toml:4: .*203.0.113.11 of it is allocated.*address release 203.0.113.11' nutshell up "$clouds/r.toml" --no-start
n address release 203.0.113.11 >/dev/null
down r --purge

say '-- two clouds, one name on the host'
printf 'name = "x"\n[[network]]\nname = "y-z"\n' >"$clouds/x.toml"
printf 'name = "x-y"\n[[network]]\nname = "z"\n' >"$clouds/x-y.toml"
quiet n up "$clouds/x.toml"
refuse 4 'x-y.toml:2: .*x-y-z, .* the network y-z of the cloud x' nutshell up "$clouds/x-y.toml"
down x --purge
say '-- an older registry, and then a change before recover'
check 'what the older one has' quiet n group create first --cloud o
rm -rf "$scratch/older" && mkdir "$scratch/older" && cp "$root"/state/registry.db* "$scratch/older"
check 'a group of a later day' quiet n group create second --cloud o
check 'with a rule' quiet n group authorize second --cloud o --protocol tcp --port 22
check 'a reservation' quiet n lease reserve vnc :9 --note later
rm "$root"/state/registry.db* && cp "$scratch"/older/* "$root/state"
refuse 4 'firewall.json is of a later day .* run .nutshell recover. first' nutshell group create third --cloud o
refuse 4 'second' nutshell group create second --cloud o
refuse 4 'which the registry has lost' nutshell lease reserve vnc :9
refuse 4 'reserved.json is of a later day .* run .nutshell recover. first' nutshell lease reserve vnc :8
check 'recover' quiet n recover
check 'has the groups of both' equal "$(json group ls --cloud o | jq -r '.groups[].name' | sort | xargs)" 'first second'
check 'with their rules' equal "$(json group ls --cloud o | jq -c '.groups[] | select(.name == "second") | .rules | length')" 1
check 'and the reservation' equal "$(reserved)" 'vnc :9 later'
check 'twice does no more' says 'knows every machine' nutshell recover
for each in first second; do n group rm $each --cloud o >/dev/null; done
check 'what is removed stays so' equal "$(n recover >/dev/null; json group ls --cloud o | jq -c .groups)" '[]'

say '-- a list that cannot be written'
rm -f "$root/state/firewall.json"
mkdir -p "$root/state/firewall.json/in-the-way"
fails() { ! "$@" >/dev/null 2>&1; }
check 'an address is not given' fails nutshell address allocate --cloud w
check 'nor a group made' fails nutshell group create g --cloud w
check 'nothing of it was done' equal "$(json address ls | jq -c .addresses) $(json group ls --cloud w | jq -c .groups)" '[] []'
rm -r "$root/state/firewall.json"
check 'then it can be' quiet n address allocate --cloud w
finish

#!/usr/bin/env bash
# A cloud's file that is edited: what is added comes, what is removed goes, what changes is done at once where that can be, and
# with a restart that somebody asked for where it cannot. What was changed by hand stays. Ranges grow at once; what would be
# taken away from machines that run waits. An edit that cannot be is refused before anything is lost.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"
public_pool 192.0.2.16-192.0.2.63
file=$clouds/a.toml
up() { n up "$file" "$@" >/dev/null; }
field() { json show "a/$1" | jq -r "$2"; }
pids() { json ls | jq -r '[.machines[] | "\(.name)=\(.pid)"] | join(" ")'; }

write() { # write MACHINES...: the head stays
  { printf 'name = "a"\n[public]\ncount = %s\n[private]\nprefix = %s\n[[network]]\nname = "lab"\n%s\n' "${count:-8}" "${prefix:-26}" "${more:-}"; printf '%s\n' "$@"; } >"$file"
}
front=$(idle_machine front 'nics = ["network=lab"]' 'disks = ["16M"]')
node=$(idle_machine node 'count = 2' 'nics = ["network=lab"]')
write "$front" "$node"
check 'it comes up' up
those=$(pids)

say '-- what takes nothing'
tagged=$(sed 's/^memory.*/&\ntags = { role = "front" }/' <<<"$front")
write "$tagged" "$node"
check 'a tag is put on at once' up
check 'it is there' equal "$(field front .tags.role)" front
check 'and nobody was touched' equal "$(pids)" "$those"
more=$'[[group]]\nname = "web"\nrules = ["tcp 80"]'
write "$(sed 's/^memory.*/&\ngroups = ["web"]/' <<<"$tagged")" "$node"
check 'a group comes, and a running machine is in it at once' up
check 'its chain is in the table' matches "$(nft list ruleset)" 'a/web|a-web|web'
check 'nobody was touched' equal "$(pids)" "$those"
write "$tagged" "$node"; more=
check 'and it leaves it' up
write "$tagged" "$node"
check 'and the group goes' up
check 'it is gone' equal "$(json group ls | jq '.groups | length')" 0

say '-- what takes a restart'
big=$(sed 's/64M/96M/' <<<"$tagged")
write "$big" "$node"
check 'plan says what waits' matches "$(n plan "$file")" '^! machine front: memory 64M to 96M; it runs'
said=$(nutshell up "$file" 2>/dev/null)
check 'up says so, too' matches "$said" 'the rest waits'
check 'and changes nothing' equal "$(pids) $(field front .memory)" "$those $((64 << 20))"
check 'status says that something waits' matches "$(json status a | jq -r .note)" 'wait for `up --restart`'
check 'again: it still waits' matches "$(n plan "$file")" '^! machine front'
check 'with --restart it is done' up --restart --timeout 1
check 'it has the memory, and runs' equal "$(field front '"\(.memory) \(.state)"')" "$((96 << 20)) running"
check 'the others were not touched' equal "$(pids | grep -o 'node.*')" "$(grep -o 'node.*' <<<"$those")"
check 'nothing waits any more' matches "$(n plan "$file")" 'nothing is to be done'
n kill a/front
write "$tagged" "$node"
check 'of one that does not run it is done by the next start' up
check 'so it is' equal "$(field front '"\(.memory) \(.state)"')" "$((64 << 20)) running"

say '-- by hand and by file'
n kill a/front
n set a/front --cpus 2 --tag mine=yes --disk 16M --nic user
check 'another change of the file' write "$(sed 's/64M/80M/' <<<"$tagged")" "$node"
check 'is done' up
check 'and what a hand has changed stays' equal "$(field front '"\(.cpus) \(.memory) \(.tags.mine) \(.disks | length) \(.nics | length)"')" "2 $((80 << 20)) yes 2 2"

say '-- more and fewer'
those=$(pids)
write "$(sed 's/64M/80M/' <<<"$tagged")" "$(sed 's/count = 2/count = 4/' <<<"$node")"
check 'more of a kind are added' up
check 'beside the others' equal "$(states a)" 'front=running node1=running node2=running node3=running node4=running'
check 'that were not touched' equal "$(pids | grep -oE '(front|node[12])=[0-9]+' | tr '\n' ' ')" "$(grep -oE '(front|node[12])=[0-9]+' <<<"$those" | tr '\n' ' ')"
volume=$(field front '.disks[0].path')
write "$(sed 's/64M/80M/' <<<"$tagged")" "$(sed 's/count = 2/count = 1/' <<<"$node")"
check 'plan tells who goes' equal "$(n plan "$file" | grep '^- machine' | cut -d' ' -f3 | tr '\n' ' ')" 'node2: node3: node4: '
check 'fewer' up
check 'are fewer' equal "$(states a)" 'front=running node1=running'
write "$node"
check 'who goes with a volume is told with it' matches "$(n plan "$file")" "^- machine front: it is stopped, and it is removed with its volumes: $volume"

say '-- what cannot be'
write "$(sed 's/disks = .*/disks = []/; s/64M/80M/' <<<"$tagged")" "$node"
refuse 4 'disks.*cannot be changed in place' nutshell up "$file"
write "$(sed 's/64M/80M/; s/^memory/firmware = "uefi"\nmemory/' <<<"$tagged")" "$node"
refuse 4 'firmware cannot be changed in place' nutshell up "$file"
check 'the volume is there' test -e "$volume"
n create by-hand --cloud a --memory 64M --nic user >/dev/null
write "$(idle_machine by-hand 'nics = ["user"]')"
refuse 4 'there is a machine a/by-hand already' nutshell up "$file"
check 'and nobody has gone for it' equal "$(states a)" 'by-hand=defined front=running node1=running'
write "$(sed 's/64M/80M/' <<<"$tagged")" "$(idle_machine node 'count = 1' 'nics = ["network=lab,ip=10.99.0.1"]')"
for words in plan up 'up --restart --timeout 1'; do
  # shellcheck disable=SC2086  # words
  refuse 3 'a.toml:[0-9]+: .*10.99.0.1' nutshell $words "$file"
done
say '-- what waits for a restart, and could not be done with one'
for line in 'cdrom = "no.iso"' 'kernel = "nokernel"' 'memory = "900G"' 'qemu = "/no/such"' 'nics = ["bridge=br77"]'; do
  write "$(sed 's/64M/80M/' <<<"$tagged")" "$(idle_machine node 'count = 1' "$line" | { if [[ $line == memory* ]]; then sed '/64M/d'; else cat; fi; })"
  for verb in plan up; do refuse 3 'a.toml:[0-9]+: ' nutshell $verb "$file"; done
done
check 'and nobody was stopped for what cannot be' equal "$(states a)" 'by-hand=defined front=running node1=running'
n rm a/by-hand

say '-- networks'
write "$(sed 's/64M/80M/' <<<"$tagged")" "$node"
up
more=$'mtu = 1400'
write "$(sed 's/64M/80M/' <<<"$tagged")" "$node"
check 'a network that machines run on waits' matches "$(n plan "$file")" '^! network a-lab: mtu 1500 to 1400; machines run there'
check 'with --restart it changes' up --restart --timeout 1
check 'it has' equal "$(json network ls | jq -r '.networks[0] | "\(.mtu) \(.up)"')" '1400 true'
more=$'mtu = 1400\n[[network]]\nname = "back"\nmode = "isolated"'
write "$(sed 's/64M/80M/' <<<"$tagged")" "$(sed 's/network=lab/network=lab", "network=back/' <<<"$node")"
check 'a network and NICs on it come in one edit' up --restart --timeout 1
check 'they are there' equal "$(field node1 '[.nics[].bridge] | join(" ")')" 'a-lab a-back'
more=$'mtu = 1400'
write "$(sed 's/64M/80M/' <<<"$tagged")" "$node"
check 'and go in one' up --restart --timeout 1
check 'they are gone' equal "$(json network ls | jq -r '[.networks[].name] | join(" ")') $(field node1 '.nics | length')" 'a-lab 1'

say '-- ranges'
same() { write "$(sed 's/64M/80M/' <<<"$tagged")" "$node"; }
those=$(pids)
count=16; same
check 'a range grows at once' up
check 'in one piece where it can' equal "$(public_of a)" '192.0.2.16-192.0.2.31'
check 'and nobody is touched' equal "$(pids)" "$those"
count=4; same
check 'what would be taken away waits' matches "$(n plan "$file")" '^! ranges: machines run'
check 'up leaves it' up
check 'so it is' equal "$(public_of a) $(pids)" "192.0.2.16-192.0.2.31 $those"
check 'with --restart it goes' up --restart --timeout 1
check 'from the end' equal "$(public_of a)" '192.0.2.16-192.0.2.19'
down a
prefix=25; count=12; same
check 'of a cloud that is down all is done at once' n up "$file" --no-start
check 'so it is' matches "$(public_of a) $(private_of a)" '^192.0.2.16-192.0.2.27 10.75.[0-9]+.[0-9]+/25$'
address=$(json address allocate --cloud a | jq -r .address)
check 'an address is allocated out of the own range' equal "$address" 192.0.2.16
address=$(json address allocate 192.0.2.27 --cloud a | jq -r .address)
count=4; same
refuse 4 '192.0.2.27' nutshell up "$file"
check 'a range that is in use does not shrink' equal "$(public_of a)" '192.0.2.16-192.0.2.27'
refuse 4 'has public addresses that were allocated: 192.0.2.16, 192.0.2.27' nutshell down a --purge
n address release 192.0.2.16 && n address release 192.0.2.27
check 'given back, it does' up --no-start
check 'so it has' equal "$(public_of a)" '192.0.2.16-192.0.2.19'

say '-- nutshell.toml changes under a cloud'
cp "$config" "$scratch/kept.toml"
: >"$config"
check 'a pool that is gone is no trouble for what is held of it' up --no-start
check 'so it is held' equal "$(public_of a)" '192.0.2.16-192.0.2.19'
count=5; same
refuse 6 'there is no pool of public addresses' nutshell up "$file" --no-start
cp "$scratch/kept.toml" "$config"
public_pool 203.0.113.0-203.0.113.99 second
check 'with a second pool it grows out of the one that it has' up --no-start
check 'so it does' equal "$(public_of a)" '192.0.2.16-192.0.2.20'
count=4; same; up --no-start
more=$'[quota]\nmachines = 3'; same
check 'a quota comes' up --no-start
refuse 4 'the cloud a: 4 machines are more than its quota of 3' nutshell create one-more --cloud a --memory 64M --nic user
more=; same
check 'and goes' up --no-start
check 'then there is room' n create one-more --cloud a --memory 64M --nic user
n rm a/one-more
sed 's/name = "a"/name = "other"/; s/count = 4/count = 2\npool = "second"/' "$file" >"$scratch/other.toml"
cp "$file" "$scratch/kept"; cp "$scratch/other.toml" "$file"
check 'a file that names another cloud makes another' matches "$(nutshell up "$file" --no-start 2>&1)" 'the cloud a came from this file, too, and stays'
check 'by the file the one goes that it names' down "$file" --purge
check 'and no other' equal "$(json status | jq -r '[.clouds[].name] | join(" ")')" a
refuse 4 'says the name other, and what came from it is a; name the cloud' nutshell down "$file" --purge
refuse 4 'says the name other, and what came from it is a; name the cloud' nutshell status "$file"
cp "$scratch/kept" "$file"
check 'and the first is as it was' matches "$(n up "$file" --no-start)" 'nothing was to be done'

say '-- of a cloud that others use nothing goes'
printf 'name = "host"\n[[network]]\nname = "lan"\n%s\n' "$(idle_machine m 'nics = ["network=lan"]' 'disks = ["size=1M"]')" >"$clouds/host.toml"
check 'a cloud' n up "$clouds/host.toml" --no-start
check 'a machine of another on its network' n create guest/g --memory 64M --nic network=host-lan
refuse 4 'the network host-lan of the cloud is used by guest/g; take that NIC away first' nutshell down host --purge
check 'its machine is there with its volume' equal "$(json show host/m | jq '.disks | length')" 1
n rm guest/g
check 'without that one it goes' down host --purge

say '-- what is there already'
other=$clouds/q.toml
q_file() { { printf 'name = "q"\n'; cat; } >"$other"; }
lan() { printf '[[network]]\nname = "in"\n%s\n' "${1:-}"; idle_machine m "nics = [\"network=in${2:-}\"]" "${3:-publish = [\"8080:80\", \"8081:81\"]}"; }
lan | q_file
check 'a network without a subnet' n up "$other"
those=$(pids)
subnet=$(json network ls | jq -r '.networks[] | select(.name == "q-in") | .subnet')
lan "subnet = \"$subnet\"" ',antispoof=on' $'machine = "pc"\npublish = ["8081:81", "8080:80"]' | q_file
check 'what the machines and networks have already is no change' equal "$(n plan "$other" | tail -1)" 'nothing is to be done'
check 'nor does up make one' matches "$(n up "$other")" 'nothing was to be done'
lan 'prefix = 24' | q_file
check 'nor is the size of its subnet one' matches "$(n up "$other")" 'nothing was to be done'
lan 'prefix = 25' | q_file
refuse 4 'q.toml:2: the network in cannot get another subnet' nutshell up "$other"
lan '' ',antispoof=off' | q_file
check 'what it has not is one' matches "$(n plan "$other")" '^! machine m: nics\[0\]'
check 'and nobody was touched' equal "$(pids)" "$those"

say '-- a network that others are on'
n create guest --cloud lodger --memory 64M --nic network=q-in >/dev/null
idle_machine m 'nics = ["user"]' | q_file
check 'it stays, and who is on it is named' matches "$(n up "$other" --restart --timeout 1)" \
  '^! network q-in: it is not in the file any more; lodger/guest has a NIC there; .*`nutshell set lodger/guest --drop-nic 0`'
n set lodger/guest --drop-nic 0
check 'then it goes' n up "$other"
check 'it is gone' equal "$(json network ls | jq '[.networks[] | select(.name == "q-in")] | length')" 0
n rm lodger/guest

say '-- groups'
web() { idle_machine m 'nics = ["user"]'; printf '[[group]]\nname = "web"\nrules = [%s]\n' "$1"; }
n group create web --cloud q >/dev/null
web '"tcp 22", "icmp"' | q_file
refuse 4 'q.toml:8: there is a group web in the cloud q already, which no file of a cloud has made' nutshell up "$other"
n group rm web --cloud q
check 'a new group is told with its rules' matches "$(n up "$other")" '^\+ group web: icmp, tcp 22$'
web '"tcp 80", "icmp"' | q_file
check 'a changed one with those that come and go' matches "$(n plan "$other")" '^~ group web: \+ tcp 80, - tcp 22$'
check 'a file that is moved behind a link is the same file' mv "$other" "$clouds/there.toml"
ln -s there.toml "$other"
check 'so it is taken' n up "$other"
rm "$other"

say '-- quotas'
down q --purge
sized() { idle_machine c 'nics = ["user"]' | sed "s/64M/$1/"; idle_machine b 'nics = ["user"]' | sed "s/64M/$2/"; printf '[quota]\nmemory = "%s"\n' "${3:-128M}"; }
sized 64M 64M | q_file
check 'a cloud that fills its quota' n up "$other"
sized 100M 28M | q_file
check 'plan lets move what stays within it' equal "$(n plan "$other" --restart | grep -c '^~ machine')" 2
check 'and up moves it' n up "$other" --restart --timeout 1
check 'it is moved' equal "$(json ls | jq -c '[.machines[] | select(.cloud == "q") | .memory / 1048576]')" '[28,100]'
sized 100M 28M 127M | q_file
refuse 4 'the cloud q: 128M of memory is more than its quota of 127M' nutshell up "$other"
sized 100M 28M | q_file

say '-- not all comes up'
{ sized 100M 28M | sed '/^\[quota/,$d; s/name = "b"/name = "d"/'; printf 'args = ["-no-such-option"]\n'; } | q_file
said=$(n up "$other" --timeout 1 2>/dev/null)
check 'what was done is told all the same' matches "$said" '^- machine b: it is stopped, and it is removed$'
check 'and of who did not come up, what holds' equal "$(grep -c '^+ machine d: 1 CPU.*started' <<<"$said") $(grep -c '^+ machine d: 1 CPU' <<<"$said")" '0 1'
check 'and what runs' matches "$said" '^q: 1 of its 2 machines runs$'
n pause q/c
check 'who is paused is told' matches "$(n up "$other" 2>/dev/null)" '^q: 0 of its 2 machines run, 1 is paused$'
refuse 2 'contradict' nutshell up "$other" --autostart --no-start
down q --purge

say '-- a start beside it'
{ quick_machine slow 'nics = ["user"]'; idle_machine b 'nics = ["user"]' 'after = ["slow:serial=guest|ready|login|#"]'; idle_machine late 'nics = ["user"]' 'after = ["b"]'; } | q_file
n up "$other" >/dev/null 2>"$scratch/said" & pid=$!
until_true 20 eval '[[ $(state_of q/slow 2>/dev/null) == running ]]'
check 'and another one is started by hand' n start q/b
wait "$pid"
check 'which is what up wants' equal "$? $(cat "$scratch/said")" '0 '
check 'and who comes after it runs' equal "$(states q)" 'b=running late=running slow=running'
down q --purge

say '-- a file that changes meanwhile'
count=4; write "$(quick_machine slow 'nics = ["user"]')" "$(idle_machine late 'nics = ["user"]' 'after = ["slow:serial=guest|ready|login|#"]')"
n up "$file" >/dev/null 2>"$scratch/said" & pid=$!
sleep 1
printf '# another line\n' >>"$file"
wait "$pid"
check 'ends with 4' equal "$?" 4
check 'and says so' matches "$(cat "$scratch/said")" 'was changed while `up` ran'
check 'what it had read is done' equal "$(states a)" 'late=running slow=running'
check 'all goes' down a --purge
check 'nothing is left' equal "$(json lease ls | jq -r '[.leases[] | select(.foreign == null)] | length') $(our_processes)" '0 '
finish

#!/usr/bin/env bash
# Ranges of clouds where things move: a network that is the cloud's own range is renamed and cannot slip away from it, a pool
# is renamed under clouds that hold of it, a range that is to be a network is one, what waits does not hold up what need not,
# and a quota that is lowered under what the file asks for is refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"
public_pool 203.0.113.0-203.0.113.255 pub
file=$clouds/one.toml
networks() { json network ls | jq -r '[.networks[] | "\(.name)=\(.subnet)"] | join(" ")'; }
up() { n up "$file" "$@" >/dev/null; }

say '-- a network on the private subnet'
{ printf 'name = "one"\n[private]\nsubnet = "10.99.0.0/24"\n[[network]]\nname = "inner"\nrange = "private"\n'; idle_machine m 'nics = ["network=inner"]'; } >"$file"
check 'up' up
check 'it has the subnet' equal "$(networks)" 'one-inner=10.99.0.0/24'
sed -i 's/"inner"/"outer"/; s/network=inner/network=outer/' "$file"
check 'renamed while a machine is there, it waits' up
check 'so there is one network, the old one' equal "$(networks)" 'one-inner=10.99.0.0/24'
printf 'name = "thief"\n[private]\nsubnet = "10.99.0.0/24"\n' >"$clouds/thief.toml"
refuse 4 '10.99.0.0/24 is leased to the cloud one' nutshell up "$clouds/thief.toml"
check 'with --restart it is done' up --restart --timeout 1
check 'and there is one, the new one' equal "$(networks)" 'one-outer=10.99.0.0/24'
check 'with the machine on it' equal "$(json show one/m | jq -r '"\(.nics[0].network) \(.state)"')" 'one-outer running'
sed -i 's,10.99.0.0/24,10.99.2.0/24,' "$file"
refuse 4 'one.toml:2: this is the subnet of the network outer, which cannot get another one' nutshell up "$file" --restart --timeout 1
check 'nobody was stopped for it' equal "$(states one)" 'm=running'
check 'purge' down one --purge
check 'takes both' equal "$(networks) $(json lease ls | jq '[.leases[] | select(.foreign == null)] | length')" ' 0'

say '-- a NIC on a bridge in the subnet of a network'
ip link add br7 type bridge
ip link set br7 up
file=$clouds/both.toml
machines() { printf 'name = "both"\n[private]\nprefix = 28\n[[network]]\nname = "in"\nrange = "private"\n'; idle_machine node "nics = [\"$1\"]"; [[ $# -lt 2 ]] || idle_machine third "nics = [\"$2\"]"; }
machines network=in >"$file"
up
at=$(ip_of both/node)
machines bridge=br7,ip="$at" >"$file"
check 'its NIC moves to the bridge' up --restart --timeout 1
check 'with its address' equal "$(json show both/node | jq -r '.nics[0] | "\(.bridge) \(.ip)"')" "br7 $at"
given=$(for i in 1 2 3 4 5 6 7 8 9 10 11; do n create t$i --cloud both --memory 64M --nic network=both-in >/dev/null && ip_of both/t$i; done)
check 'nobody else is given its address' equal "$(wc -l <<<"$given") $(grep -cxF "$at" <<<"$given")" '11 0'
refuse 4 'held by the machine both/t1' nutshell create other --cloud both --memory 64M --nic "bridge=br7,ip=$(ip_of both/t1)"
for i in 1 2 3 4 5 6 7 8 9 10 11; do n rm both/t$i --force; done
for last in 0 1 15; do refuse 4 'held by .*both-in' nutshell set both/node --nic "bridge=br7,ip=${at%.*}.$last"; done
machines bridge=br7,ip="$at" network=in,ip="$at" >"$file"
for words in plan up; do refuse 4 "$at" nutshell $words "$file"; done
down both --purge

file=$clouds/one.toml
say '-- a range that is a network'
printf 'name = "odd"\n[public]\ncount = 1\n' >"$clouds/odd.toml"
n up "$clouds/odd.toml" >/dev/null
{ printf 'name = "st"\n[public]\ncount = 16\n[[network]]\nname = "out"\nmode = "routed"\nrange = "public"\n'; } >"$clouds/st.toml"
check 'behind an odd address it is a network all the same' n up "$clouds/st.toml"
check 'at a place where one can be' equal "$(networks)" 'st-out=203.0.113.16/28'
sed -i 's/count = 16/count = 32/' "$clouds/st.toml"
refuse 4 'this is the subnet of the network out' nutshell up "$clouds/st.toml"
down st --purge

say '-- a pool that gets another name'
sed -i 's/"pub"/"other"/' "$config"
printf 'name = "two"\n[public]\ncount = 4\n' >"$clouds/two.toml"
check 'another cloud takes of it' n up "$clouds/two.toml"
check 'and not what the first one has' equal "$(public_of odd) $(public_of two)" '203.0.113.0-203.0.113.0 203.0.113.1-203.0.113.4'
sed -i 's/count = 4/range = "203.0.113.0-203.0.113.4"/' "$clouds/two.toml"
refuse 4 'the cloud odd' nutshell up "$clouds/two.toml"
check 'the first is as it was' matches "$(n up "$clouds/odd.toml")" 'nothing was to be done'
down odd --purge
down two --purge

say '-- what need not wait'
file=$clouds/g.toml
{ printf 'name = "g"\n[[group]]\nname = "open"\nrules = ["all"]\n[[group]]\nname = "shut"\n'; idle_machine a 'groups = ["open"]' 'tags = { is = "old" }'; } >"$file"
up
pid=$(json show g/a | jq .pid)
sed -i 's/"open"\]/"shut"]/; s/64M/80M/; s/"old"/"new"/' "$file"
check 'memory waits' up
check 'the group and the tag do not' equal "$(json show g/a | jq -r '"\(.groups | join(",")) \(.tags.is) \(.memory) \(.pid)"')" "shut new $((64 << 20)) $pid"
check 'the rest still waits' matches "$(n plan "$file")" '^! machine a: memory 64M to 80M; it runs'
check 'and is done when it may be' up --restart --timeout 1
check 'all of it' equal "$(json show g/a | jq -r '"\(.groups | join(",")) \(.tags.is) \(.memory)"')" "shut new $((80 << 20))"
down g --purge

say '-- a quota that is lowered'
file=$clouds/q.toml
{ printf 'name = "q"\n[quota]\nmachines = 2\n'; idle_machine a 'count = 2' 'nics = ["user"]'; } >"$file"
up
sed -i 's/machines = 2/machines = 1/' "$file"
refuse 4 '2 machines are more than its quota of 1' nutshell up "$file"
check 'ends nothing: they run' equal "$(states q)" 'a1=running a2=running'
sed -i 's/count = 2/count = 3/' "$file"
refuse 4 '3 machines are more than its quota of 1' nutshell up "$file"
down q --purge

say '-- what cannot be waited for'
file=$clouds/w.toml
{ printf 'name = "w"\n'; idle_machine a 'nics = ["user"]'; idle_machine b 'count = 2' 'nics = ["user"]' 'after = ["a:serial=never"]' 'after_timeout = 1'; } >"$file"
refuse 7 'the cloud w: 2 of its machines did not come up' nutshell up "$file"
check 'each says why' equal "$(n up "$file" 2>&1 | grep -c 'b[12]: not begun: .*serial=never')" 2
check 'the one that they wait for runs' equal "$(states w)" 'a=running b1=defined b2=defined'
down w --purge
say '-- who names an address has it, wherever in the file'
printf 'name = "named"\n[[network]]\nname = "in"\nsubnet = "10.75.99.0/24"\n' >"$clouds/named.toml"
{ idle_machine a 'nics = ["network=in"]'; idle_machine b 'nics = ["network=in,ip=10.75.99.2"]'; } >>"$clouds/named.toml"
check 'both are made' n up "$clouds/named.toml" --no-start
check 'with what they asked for' equal "$(json show named/b | jq -r '.nics[0].ip')" 10.75.99.2
n down named --purge >/dev/null
finish

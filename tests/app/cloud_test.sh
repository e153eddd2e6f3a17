#!/usr/bin/env bash
# One cloud from its file and back: plan changes nothing, up makes it so and is done the second time, machines start in the
# order of `after` and at once where they may, down is orderly and gives everything back with --purge; two at once, Ctrl-C,
# and SIGKILL in between leave nothing but what the next command goes on from.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"
public_pool 192.0.2.16-192.0.2.63

file=$clouds/alpha.toml
{
  printf 'name = "alpha"\n[public]\ncount = 8\n[private]\nprefix = 26\n[[network]]\nname = "lab"\n'
  printf '[[group]]\nname = "web"\nrules = ["tcp 80", "icmp from 10.0.0.0/8"]\n'
  quick_machine front 'nics = ["network=lab"]' 'groups = ["web"]' 'tags = { role = "front", site = "here" }'
  idle_machine node 'count = 2' 'nics = ["network=lab"]' 'after = ["front:serial=guest is up|login|ready|#"]' 'tags = { role = "node" }'
  idle_machine last 'nics = ["user"]' 'after = ["node"]'
} >"$file"

before=$(find "$root" -newer "$file" 2>/dev/null | sort)
plan=$(n plan "$file")
check 'a plan tells what is new' matches "$plan" '^\+ machine front: 1 CPU, 128M of memory, address 10\.75\.'
check 'and every QEMU line' equal "$(grep -c '^/.*qemu' <<<"$plan")" 4
check 'and changes nothing' equal "$(find "$root/state" -newer "$file" 2>/dev/null | sort)" "$before"
check 'as JSON, too' equal "$(json plan "$file" | jq -r '[.machines[] | .name + ":" + (.argv | length > 20 | tostring)] | join(" ")')" \
  'front:true node1:true node2:true last:true'
check 'a plan needs no registry' test ! -e "$root/state/registry.db"

check 'up ends well' n up "$file"
check 'all run' equal "$(states alpha)" 'front=running last=running node1=running node2=running'
started() { date -d "$(json show "alpha/$1" | jq -r .since)" +%s; }
check 'nodes come after the front has said its word' test "$(started node1)" -ge "$(started front)"
check 'the range is out of the pool' equal "$(public_of alpha)" '192.0.2.16-192.0.2.23'
check 'the subnet has the prefix' matches "$(private_of alpha)" '^10\.75\.[0-9.]+/26$'
check 'the network is the cloud'"'"'s' equal "$(json network ls | jq -r '.networks[].name')" alpha-lab
check 'the group has its rules' equal "$(json group ls | jq -r '.groups[] | "\(.cloud) \(.name) \(.rules | length)"')" 'alpha web 2'
check 'tags are there' equal "$(json show alpha/front | jq -c .tags)" '{"role":"front","site":"here"}'
check 'ls chooses by tag' equal "$(json ls --tag role=node | jq -r '[.machines[].name] | join(" ")')" 'node1 node2'
check 'by the key alone' equal "$(json ls --tag site | jq -r '.machines[].name')" front
check 'by two of them' equal "$(json ls --tag site --tag role=node | jq -r '.machines | length')" 0
check 'and by cloud' equal "$(json ls --cloud alpha | jq -r '.machines | length')" 4

uuids() { json ls | jq -r '.machines[] | "\(.name) \(.uuid) \(.pid)"'; }
those=$(uuids)
said=$(nutshell up "$file")
check 'a second up does nothing' equal "$(uuids)" "$those"
check 'and says so' matches "$said" 'nothing was to be done$'
check 'a plan says so, too' matches "$(n plan "$file")" '^nothing is to be done$'

n kill alpha/node2
check 'what was ended is started again' n up "$file"
check 'and that alone' equal "$(uuids | grep -v node2)" "$(grep -v node2 <<<"$those")"
n kill alpha/last && n rm alpha/last
check 'what was removed by hand is made again' n up "$file"
check 'all run again' equal "$(states alpha)" 'front=running last=running node1=running node2=running'

say '-- cut off'
ip link set "$(json show alpha/front | jq -r '.nics[0].tap')" nomaster
check 'status tells of a machine that is cut off' matches "$(json status alpha | jq -r .note)" 'cut off from alpha-lab'
check 'plan, too' matches "$(n plan "$file")" '^~ bridge alpha-lab: .*repaired'
check 'up repairs it' n up "$file"
check 'its tap is on the bridge again' matches "$(ip -o link show master alpha-lab)" "$(json show alpha/front | jq -r '.nics[0].tap')"
ip link del alpha-lab
check 'and a bridge that is gone' n up "$file"
check 'with its ports' equal "$(ip -o link show master alpha-lab | grep -c nt)" 3
check 'nobody was restarted' equal "$(uuids | grep -v -e node2 -e last)" "$(grep -v -e node2 -e last <<<"$those")"

say '-- down'
said=$(json --dry-run down alpha --purge | jq -r '[.plan[].step] | group_by(.) | map("\(.[0]) \(length)") | join(", ")')
check 'a dry run tells' equal "$said" 'forget 1, give_back 1, remove 4, stop 4'
check 'and stops nothing' equal "$(states alpha)" 'front=running last=running node1=running node2=running'
refuse 1 'last: .*did not power off' nutshell down alpha --timeout 1
check 'what does not power off keeps those before it up' equal "$(json show alpha/front | jq -r .state)" running
check 'with --force all stop' down alpha
check 'all are stopped' equal "$(states alpha | tr ' ' '\n' | cut -d= -f2 | sort -u)" stopped
check 'ranges stay' equal "$(public_of alpha)" '192.0.2.16-192.0.2.23'
check 'a guest that hears its button was not killed' equal "$(json show alpha/front | jq -r .last_end)" 'stopped: the guest powered off'
check 'down once more is no error' n down alpha
check 'up again' n up "$file"
check 'the same machines' equal "$(uuids | cut -d' ' -f1,2)" "$(cut -d' ' -f1 <<<"$those" | while read -r name; do json show "alpha/$name" | jq -r '"\(.name) \(.uuid)"'; done)"
check 'with --purge all is given back' down alpha --purge
check 'nothing is leased' equal "$(json lease ls | jq -r '[.leases[] | select(.foreign == null)] | length')" 0
check 'no network, group, cloud, machine is left' equal \
  "$(json network ls | jq '.networks | length') $(json group ls | jq '.groups | length') $(json status | jq '.clouds | length') $(json ls | jq '.machines | length')" '0 0 0 0'
check 'nor its folder' test ! -e "$root/state/clouds/alpha"
check 'nor a process' equal "$(our_processes)" ''
refuse 6 'there is no cloud alpha' nutshell down alpha

say '-- two at once, interrupts, kills'
small=$clouds/small.toml
{ printf 'name = "small"\n[public]\ncount = 4\n'; idle_machine m 'count = 4' 'nics = ["user"]'; } >"$small"
n up "$small" & one=$!
n up "$small" & two=$!
wait "$one"; first=$?
wait "$two"; second=$?
check 'two ups of one file at once both end well' equal "$first $second" '0 0'
check 'with one set of machines' equal "$(states small)" 'm1=running m2=running m3=running m4=running'
check 'and one range' equal "$(json lease ls --pool public | jq '.leases | length')" 1
cp "$small" "$clouds/copy.toml"
refuse 4 'the cloud small exists already, from .*small.toml' nutshell up "$clouds/copy.toml"
check 'a file that was moved is followed when that is said' n up "$clouds/copy.toml" --moved
check 'by its place it is found' equal "$(json status "$clouds/copy.toml" | jq -r .name)" small
check 'and goes' down "$clouds/copy.toml" --purge

many=$clouds/many.toml
{ printf 'name = "many"\n'; idle_machine m 'count = 16' 'nics = ["user"]' 'disks = ["8M"]'; } >"$many"
check 'sixteen' n up "$many" --no-start
"$nutshell_bin" --root "$root" down many --purge 2>"$scratch/interrupted" & one=$!
for ((i = 0; i < 3000; ++i)); do grep -q 'being removed' "$scratch/interrupted" && break; sleep 0.003; done
kill -INT "$one"
wait "$one"
check 'Ctrl-C while they are removed' equal $? 130
check 'is said as it is' matches "$(tail -1 "$scratch/interrupted")" '^nutshell: interrupted while many was being removed; what is removed is gone, the rest is there; see .nutshell status many., the same command again goes on$'
left=$(json status many | jq '.machines | length')
check "some are gone ($left are left)" test "$left" -lt 16
check 'with their disks' equal "$(find "$root/state/machines" -name 'disk*' | wc -l)" "$left"
check 'the same command again goes on' n down many --purge
check 'to the end' equal "$(json status | jq -r '[.clouds[].name] | index("many")') $(find "$root/state/machines" -mindepth 1)" 'null '

for delay in 0.02 0.1 0.2 0.4; do
  interrupt_after "$delay" up "$small" >/dev/null 2>"$scratch/interrupted"
  code=$?
  check "Ctrl-C after $delay s ends up ($code)" test "$code" -eq 130 -o "$code" -eq 0
  check "what it leaves is whole" equal "$(json gc --dry-run | jq -r '.removed | length')" 0
  check 'up goes on from there' n up "$small"
  check 'to the end' equal "$(states small)" 'm1=running m2=running m3=running m4=running'
  check 'and down' down small --purge
  check 'leaves nothing' equal "$(json lease ls | jq -r '[.leases[] | select(.foreign == null)] | length') $(our_processes)" '0 '
done

RANDOM=${NUTSHELL_SEED:=$$}
say "seed $NUTSHELL_SEED"
for i in 1 2 3 4 5 6; do
  verb=up
  ((i % 3)) || verb=down
  if [[ $verb == down ]]; then n up "$small"; fi
  if [[ $verb == up ]]; then "$nutshell_bin" --quiet --root "$root" up "$small" & else "$nutshell_bin" --quiet --root "$root" down small --force --timeout 1 & fi
  pid=$!
  sleep "0.$((RANDOM % 40 + 10))"
  kill -9 "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  # Its errands get SIGTERM with its death, and undo what they had begun.
  check "$verb was killed: no errand outlives it" until_true 30 bash -c "! pgrep -f -- '--root $root .*(start|stop) small/' >/dev/null"
  check 'the next up makes it whole' n up "$small"
  check 'all run' equal "$(states small)" 'm1=running m2=running m3=running m4=running'
  check 'each once' equal "$(our_processes | wc -l)" 4
done
check 'and all goes' down small --purge
check 'nothing is left of it' equal "$(json lease ls | jq -r '[.leases[] | select(.foreign == null)] | length') $(our_processes)" '0 '

say '-- a lost registry'
n up "$small"
rm -f "$root"/state/registry.db*
check 'recover finds the cloud again' n recover
check 'with its range' equal "$(public_of small)" '192.0.2.16-192.0.2.19'
check 'with its machines, which run' equal "$(states small)" 'm1=running m2=running m3=running m4=running'
check 'up has nothing to do' matches "$(n up "$small")" 'nothing was to be done'
check 'and it goes as ever' down small --purge
finish

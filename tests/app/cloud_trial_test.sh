#!/usr/bin/env bash
# What could not start is refused at its line, by plan, by an `up` that would leave it waiting, and by one that would stop
# machines for it: before any is stopped, and before any is made. What machines give one another is no obstacle.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"
file=$clouds/lab.toml
# lab A B: the file, with those words in the machines a and b; net= and mtu= are the network's.
lab() {
  printf 'name = "lab"\n[[network]]\nname = "in"\nmode = "%s"\nmtu = %s\n[[group]]\nname = "web"\nrules = ["tcp 80 from 203.0.113.7"]\n' "${net:-nat}" "${mtu:-1500}"
  idle_machine a "${nics:-nics = [\"network=in\"]}" "$1"
  idle_machine b 'nics = ["network=in"]' "${2:-}"
} >"$file"
pids() { json status lab | jq -c '[.machines[].pid]'; }
quiet() { "$@" >/dev/null; }
# refused CODE PATTERN: by each of them, at a line of the file, and nobody was stopped.
refused() {
  for words in plan up 'plan --restart' 'up --restart --timeout 1'; do
    # shellcheck disable=SC2086  # words
    refuse "$1" "lab.toml:[0-9]+: .*$2" nutshell $words "$file"
  done
  check 'and nobody was stopped' equal "$(pids)" "$run"
}
at_line() { local line; line=$(nutshell plan "$file" 2>&1 | grep -oE 'toml:[0-9]+'); check "at the line of $1" matches "$(sed -n "${line#*:}p" "$file")" "$1"; }
hold() { python3 -c "import socket,time; s=socket.socket(); s.bind(('$1',$2)); s.listen(); open('$scratch/held.$2','w'); time.sleep(600)" & holders+=("$!"); until_true 30 test -e "$scratch/held.$2"; }
holders=()
trap 'kill "${holders[@]}" 2>/dev/null; cleanup' EXIT

say '-- edits of machines that run'
lab 'publish = ["8443:8443"]'
check 'a rule may be from an address' quiet n up "$file"
check 'which is a network of one' matches "$(json group ls --cloud lab)" '203.0.113.7/32'
run=$(pids)
hold 127.0.0.1 5909
hold 0.0.0.0 9443
lab 'vnc = "9"'
refused 4 'display :9 is held by python3'
lab 'vnc-listen = "192.0.2.9"'
refused 3 '192.0.2.9 is no address of this host'
lab 'publish = ["9443:1"]'
refused 4 'port 9443/tcp is held by python3'
at_line publish
lab 'publish = ["8443:1", "8443:2"]'
refused 3 '8443:1 and 8443:2 are the same port'
net=isolated lab 'publish = ["8443:8443"]'
refused 3 'a: ports are published on a NIC on a managed network that leads out'
nics='nics = ["network=in,mtu=1400"]' lab 'publish = ["8443:8443"]'
n up "$file" --restart --timeout 1 >/dev/null || fail 'a NIC with an MTU'
run=$(pids)
nics='nics = ["network=in,mtu=1400"]' mtu=1300 lab 'publish = ["8443:8443"]'
refused 3 'mtu=1400 is more than the network'
sed -i 's/,mtu=1400//' "$file"
check 'with its NIC the network changes' quiet n up "$file" --restart --timeout 1

say '-- edits of which a part waits'
net=isolated mtu=1300 lab 'tags = { is = "new" }'
check 'the network, and what was published, wait' matches "$(n up "$file")" '^! network lab-in'
check 'the tag does not' equal "$(json show lab/a | jq -c '[.tags.is, (.publish | length)]')" '["new",1]'
check 'all of it is done with --restart' quiet n up "$file" --restart --timeout 1
check 'and then it is so' matches "$(n plan "$file")" 'nothing is to be done'

say '-- machines that change places'
lab $'publish = ["7001:1"]\nvnc = "7"' $'publish = ["7002:1"]\nvnc = "8"'
n up "$file" --restart --timeout 1 >/dev/null || fail 'two with ports and displays'
lab $'publish = ["7002:1"]\nvnc = "8"' $'publish = ["7001:1"]\nvnc = "7"'
for words in plan up 'plan --restart' 'up --restart --timeout 1'; do
  # shellcheck disable=SC2086  # words
  check "$words" quiet n $words "$file"
done
check 'each has what the other had' equal "$(json status lab | jq -c '[.machines[] | .vnc.display, .publish]')" "$(printf '%s' '[8,["7002:1"],7,["7001:1"]]')"

say '-- who holds something up, and who does not'
n stop lab/a --timeout 1 --force >/dev/null
hold 0.0.0.0 7002
lab $'publish = ["7002:1"]\nvnc = "8"' $'publish = ["7001:1"]\nvnc = "7"\ntags = { is = "new" }'
refuse 4 'lab/a: port 7002/tcp is held by python3' nutshell up "$file"
check 'a stopped machine does not hold up the edit of another' equal "$(json show lab/b | jq -r '.tags.is')" new
sed -i '/name = "b"/,$s/"64M"/"80M"/' "$file"
refuse 4 'lab/a: port 7002/tcp is held by python3' nutshell up "$file" --restart --timeout 1
check 'nor one with --restart' equal "$(json show lab/b | jq -r '"\(.state) \(.memory)"')" "running $((80 << 20))"
run=$(pids)
n set lab/b --publish 7002:1 >/dev/null
refuse 4 'lab/b: port 7002/tcp is held by python3' nutshell restart lab/b --timeout 1 --force
check 'what could not start again is not stopped for it' equal "$(pids)" "$run"
down lab --purge
lab ''
n up "$file" --no-start >/dev/null
net=isolated mtu=1400 lab ''
idle other --nic network=lab-in,mtu=1450 --publish 7010:80 >/dev/null
for words in plan 'up --restart'; do
  # shellcheck disable=SC2086  # words
  refuse 3 'lab.toml:2: other, which is not in the file, has a NIC there with an MTU of 1450' nutshell $words "$file"
  refuse 3 'lab.toml:2: other, which is not in the file, publishes ports by it' nutshell $words "$file"
done
n rm other --force >/dev/null

say '-- a display that goes from one to the other'
lab 'vnc = "8"' 'vnc = "7"'
n up "$file" --restart --timeout 1 >/dev/null
sed -i 's/name = "b"/name = "c"/' "$file"
check 'a machine that takes the place of another' quiet n up "$file" --timeout 1
check 'has its display' equal "$(json show lab/c | jq -c '[.state, .vnc.display]')" '["running",7]'

say '-- a new cloud'
sed 's/"lab"/"two"/; s/vnc = "8"/vnc = "9"/; s/vnc = "7"/vnc = "off"/; /^publish/d' "$file" >"$clouds/two.toml"
for words in plan up; do refuse 4 'two.toml:[0-9]+: .*display :9 is held by python3' nutshell $words "$clouds/two.toml"; done
check 'nothing of it was made' equal "$(json ls --cloud two | jq -c '.machines')" '[]'
check 'it can be made' quiet n up "$clouds/two.toml" --no-start
down two --purge
down lab --purge
finish

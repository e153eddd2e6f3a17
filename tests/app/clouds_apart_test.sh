#!/usr/bin/env bash
# Two clouds of three machines each at once, on managed networks and on one bridge: each guest reaches the members of its own
# cloud and its gateway, and no machine of the other one, by ping and by TCP, seen from inside; nothing of theirs is the same;
# and when one goes down the other notices nothing, an open connection included.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"
public_pool 192.0.2.16-192.0.2.63
ip link add br0 type bridge
ip addr add 10.9.0.254/24 dev br0
ip link set br0 up

# The guest has programs of this test: `serve` answers on port 7000 and echoes on 7001; `seen ADDRESS...` says which of those,
# and of all addresses on br0, it reaches by ping, and which by TCP, trying all of them at once.
mkdir -p "$scratch/guest" "$scratch/extra/bin"
cat >"$scratch/extra/bin/serve" <<'SH'
#!/bin/busybox sh
pkill -f 'udhcpc.*eth1'
ip addr add "$1/24" dev eth1
nc -ll -p 7000 -e echo tcp-answer &
nc -ll -p 7001 -e cat &
sleep 1
ip addr show dev eth1 | grep -q "$1/24" && nc -w 2 127.0.0.1 7000 </dev/null | grep -q tcp-answer && echo serves
SH
cat >"$scratch/extra/bin/seen" <<'SH'
#!/bin/busybox sh
rm -f /tmp/seen-*
for each in "$@" 10.9.0.11 10.9.0.12 10.9.0.13 10.9.0.21 10.9.0.22 10.9.0.23; do
  ping -c 2 -W 2 "$each" >/dev/null && echo "ping $each" >/tmp/seen-ping-$each &
  nc -w 4 "$each" 7000 </dev/null 2>/dev/null | grep -q tcp-answer && echo "tcp $each" >/tmp/seen-tcp-$each &
done
wait
cat /tmp/seen-*
SH
chmod 755 "$scratch"/extra/bin/*
(cd "$scratch/extra" && printf './bin/serve\n./bin/seen\n' | cpio -o -H newc --quiet | gzip -1) | cat "$guest/initrd" - >"$scratch/guest/initrd"
ln -s "$guest/vmlinuz" "$scratch/guest/vmlinuz"
guest=$scratch/guest

# On br0 alpha has 10.9.0.11 to 13, beta 10.9.0.21 to 23.
for each in alpha:1 beta:2; do
  {
    printf 'name = "%s"\n[public]\ncount = 4\n[private]\nprefix = 26\n[[network]]\nname = "lan"\n' "${each%:*}"
    for i in 1 2 3; do quick_machine "m$i" "nics = [\"network=lan\", \"bridge=br0,ip=10.9.0.${each#*:}$i\"]"; done
  } >"$clouds/${each%:*}.toml"
done
machines=(alpha/m1 alpha/m2 alpha/m3 beta/m1 beta/m2 beta/m3)
lab_of() { json show "$1" | jq -r '.nics[0].ip'; }
street_of() { json show "$1" | jq -r '.nics[1].ip'; }

n up "$clouds/alpha.toml" >/dev/null & one=$!
n up "$clouds/beta.toml" >/dev/null & two=$!
check 'alpha comes up' wait "$one"
check 'and at the same time beta' wait "$two"
for each in alpha beta; do check "all of $each run" equal "$(states $each)" 'm1=running m2=running m3=running'; done
for each in "${machines[@]}"; do
  n wait "$each" 'serial=eth0 [0-9.]+/' --timeout 120
  n wait "$each" serial=nutshell-guest# --timeout 60
done

say '-- nothing of theirs is the same'
# distinct WHAT COUNT JQ: so many values of all six machines, each once.
distinct() {
  local values each
  values=$(for each in "${machines[@]}"; do json show "$each" | jq -r "$3"; done)
  check "$1" equal "$(wc -l <<<"$values") $(sort -u <<<"$values" | wc -l) $(grep -c null <<<"$values")" "$2 $2 0"
}
distinct 'twelve MACs' 12 '.nics[].mac'
distinct 'twelve addresses' 12 '.nics[].ip'
distinct 'twelve taps' 12 '.nics[].tap'
distinct 'six displays' 6 '.vnc.display'
distinct 'six processes' 6 .pid
# apart RANGE...: no two of these, FIRST-LAST or ADDRESS/PREFIX, have an address in common.
apart() {
  python3 - "$@" <<'PY'
import ipaddress, sys
def ends(text):
    if '/' in text:
        net = ipaddress.ip_network(text, strict=False)
        return int(net[0]), int(net[-1])
    first, last = text.split('-')
    return int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last))
ranges = sorted(ends(each) for each in sys.argv[1:])
sys.exit(any(a[1] >= b[0] for a, b in zip(ranges, ranges[1:])))
PY
}
ranges="$(public_of alpha) $(public_of beta) $(private_of alpha) $(private_of beta) $(json network ls | jq -r '.networks[] | select(.name | test("-lan$")) | .subnet' | xargs)"
check "six ranges: $ranges" equal "$(wc -w <<<"$ranges")" 6
# shellcheck disable=SC2086
check 'none of them overlaps another' apart $ranges
check 'a look that would see it' bash -c "$(declare -f apart); ! apart 10.0.0.0/24 10.0.0.255-10.0.1.3"

say '-- who reaches whom'
serves() { [[ $(guest "$1" "serve $(street_of "$1")") == *serves* ]]; }
for each in "${machines[@]}"; do check "$each serves" until_true 60 serves "$each"; done
both() { local a; for a in "$@"; do echo "ping $a"; echo "tcp $a"; done | sort | xargs; }
# who_reaches_whom CLOUD...: each guest of those asks all machines, by both their networks, and its gateway.
who_reaches_whom() {
  local cloud each machine own gateway=()
  for cloud in "$@"; do gateway+=("$(json answers "$cloud" m1 2>/dev/null | jq -r '.machines[0].nics[0].gateway')"); done
  for cloud in "$@"; do
    # Six guests that all call one another: on a busy host that takes its time, and asking again makes it longer.
    local guest_patience=150
    for machine in m1 m2 m3; do guest "$cloud/$machine" "seen ${lab[*]} ${gateway[0]}" >"$scratch/seen-$cloud-$machine" & done
    wait $(jobs -p)
    own=()
    for each in "${machines[@]}"; do [[ $each != "$cloud"/* ]] || own+=("${lab[$each]}" "${street[$each]}"); done
    for machine in m1 m2 m3; do
      check "$cloud/$machine reaches its own cloud and its gateway, and no machine of the other" equal \
        "$(grep -E '^(ping|tcp) [0-9.]+$' "$scratch/seen-$cloud-$machine" | sort -u | xargs)" "$({ both "${own[@]}"; echo "ping ${gateway[0]}"; } | tr ' ' '\n' | paste -d' ' - - | sort | xargs)"
    done
    gateway=("${gateway[@]:1}")
  done
}
declare -A lab street
for each in "${machines[@]}"; do lab[$each]=$(lab_of "$each") street[$each]=$(street_of "$each"); done
for bridged in 0 1; do
  sysctl -qw net.bridge.bridge-nf-call-iptables=$bridged net.bridge.bridge-nf-call-ip6tables=$bridged
  say "-- bridge-nf-call-iptables $bridged"
  who_reaches_whom alpha beta
done

say '-- one goes down, the other notices nothing'
life() { json ls --cloud beta | jq -c '[.machines[] | [.name, .state, .pid, .uuid]]'; }
before=$(life) range=$(public_of beta)
# Two open connections, one by each network; each guest line goes through them and comes back.
guest beta/m1 "mkfifo /tmp/a /tmp/b; (nc ${lab[beta/m2]} 7001 </tmp/a >/tmp/from-a &) ; (nc ${street[beta/m3]} 7001 </tmp/b >/tmp/from-b &) ; exec 7>/tmp/a 8>/tmp/b; echo one >&7; echo one >&8; sleep 1" >/dev/null
echoed() { equal "$(guest beta/m1 'cat /tmp/from-a /tmp/from-b' | xargs)" "$1"; }
check 'two connections are open in beta' until_true 30 echoed 'one one'
check 'alpha goes down' down alpha
check 'all of it' equal "$(states alpha)" 'm1=stopped m2=stopped m3=stopped'
check 'beta runs as before' equal "$(life)" "$before"
guest beta/m1 'echo two >&7; echo two >&8; sleep 1' >/dev/null
check 'its connections go on' until_true 30 echoed 'one two one two'
check 'alpha is forgotten' down alpha --purge
guest beta/m1 'echo three >&7; echo three >&8; sleep 1' >/dev/null
check 'and they go on' until_true 30 echoed 'one two three one two three'
check 'beta runs as before' equal "$(life)" "$before"
check 'and has its range' equal "$(public_of beta)" "$range"
machines=(beta/m1 beta/m2 beta/m3)
who_reaches_whom beta
check 'of alpha nothing is left' equal "$(json lease ls | jq -r '[.leases[] | select(.holder | tostring | test("alpha"))] | length') $(ip -o link | grep -c alpha) $(nft list ruleset | grep -c alpha)" '0 0 0'
n up "$clouds/alpha.toml" >/dev/null
check 'it comes up again beside it' equal "$(states alpha) $(life)" "m1=running m2=running m3=running $before"
check 'the connections are still those' until_true 30 echoed 'one two three one two three'
down alpha --purge
check 'beta goes, too' down beta --purge
check 'nothing is left' equal "$(json lease ls | jq -r '[.leases[] | select(.foreign == null)] | length') $(our_processes)" '0 '
finish

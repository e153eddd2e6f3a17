#!/usr/bin/env bash
# Adoption of an uplink that carries the only route, with TCP connections open through it: they survive, and the host is put back
# by the clock, by a silent gateway or peer, by whoever ends the dead-man, and by a release, each time exactly as it was.
. "$(dirname "$0")/lib.sh"
. "$here/uplink.sh"
trap 'end_dead_men; drop_uplink; cleanup' EXIT

asked() { jq -r '.asked[]' "$root/state/adoptions/br9.json"; }
reason() { jq -r .reason "$root/state/adoptions/br9.json"; }
no_bridge() { ! ip link show br9 >/dev/null 2>&1; }
# streams TAG: an IPv4 and an IPv6 connection from the peer to us, for five seconds; `stream_gap TAG` waits and gives the longest silence.
streams() {
  local v host
  for v in 4 6; do
    host=10.9.0.2
    [[ $v == 4 ]] || host=2001:db8:9::2
    rm -f "$scratch/ready.$v"
    perl "$here/stream.pl" send "$host" "500$v" >"$scratch/ready.$v" 2>&1 &
      until_true 30 grep -qs ready "$scratch/ready.$v"
    in_peer perl "$here/stream.pl" receive "$host" "500$v" 5 >"$scratch/stream.$v" 2>&1 &
    eval "stream$v=$!"
  done
  sleep 1
}
survived() { # WHAT
  local v bytes gap
  for v in 4 6; do
    eval "wait \$stream$v"
    check "$1: the IPv$v connection lives" test "$?" -eq 0 || cat "$scratch/stream.$v"
    read -r bytes gap <"$scratch/stream.$v"
    say "    IPv$v: $bytes bytes, longest silence $gap ms"
    check "$1: IPv$v is silent for less than a second" test "${gap:-9999}" -lt 1000
    check "$1: IPv$v went on" test "${bytes:-0}" -gt 500
  done
}

make_uplink
check "IPv6 is ready" until_true 30 ip_is_ready
before=$scratch/before
view >"$before"
links=$(ip -br link | awk '{print $1}' | sort)

say "-- a dry run shows it and does nothing"
plan=$(json --dry-run bridge adopt br9 --uplink em1)
check "addresses before" equal "$(jq -r '.before.addresses[] | select(.ip == "10.9.0.2") | .link' <<<"$plan")" em1
check "addresses after" equal "$(jq -r '.after.addresses[] | select(.ip == "10.9.0.2") | .link' <<<"$plan")" br9
check "routes after" equal "$(jq -r '.after.routes[] | select(.destination == "default" and .family == 4) | .hops[0].link' <<<"$plan")" br9
check "for people, too" matches "$(n --dry-run bridge adopt br9 --uplink em1)" 'address 10.9.0.2/24 on br9'
check "nothing is done" as_before "$before"
check "nothing is written" test ! -e "$root/state"

say "-- adopted, confirmed, kept, released"
streams
said=$(nutshell bridge adopt br9 --uplink em1 --timeout 5 2>&1) || fail "adopt: $said"
check "it says what comes next" matches "$said" 'run .nutshell bridge confirm br9. within 5 s'
check "and that it is gone at a restart" matches "$said" 'gone when this host restarts'
check "the bridge has the address" matches "$(ip -br addr show br9)" '10\.9\.0\.2/24.*2001:db8:9::2/64'
check "and the MAC of the uplink" equal "$(cat /sys/class/net/br9/address 2>/dev/null || ip -j link show br9 | jq -r '.[0].address')" "$(ip -j link show em1 | jq -r '.[0].address')"
check "the uplink has no global address" equal "$(ip -j addr show em1 | jq '[.[0].addr_info[] | select(.scope == "global")] | length')" 0
check "both gateways are asked" equal "$(asked | sort | xargs)" "arp 10.9.0.1 nd 2001:db8:9::1"
check "ls says that it waits" equal "$(json bridge ls | jq -r '.bridges[0].adoption | "\(.uplink) \(.state) \(.seconds_left >= 1 and .seconds_left <= 5)"')" "em1 waiting true"
check "confirm" n bridge confirm br9
check "its dead-man goes" until_true 30 no_dead_man
sleep 5
survived "adoption"
check "it stays, confirmed" equal "$(json bridge ls | jq -r '.bridges[0] | "\(.ours) \(.adoption.state) \(.ports[0].name)"')" "true confirmed em1"
refuse 4 'confirmed already' nutshell bridge confirm br9
streams
check "release" n bridge release br9
survived "release"
check "all is as before" as_before "$before"
check "no link is left" equal "$(ip -br link | awk '{print $1}' | sort)" "$links"
refuse 6 'br9 has adopted nothing' nutshell bridge release br9

say "-- no confirm"
streams
check "adopt" n bridge adopt br9 --uplink em1 --timeout 5
check "put back in time" until_true 30 is_restored br9
check "with its reason" equal "$(reason)" "no confirm came within 5 s"
survived "putting back"
check "all is as before" as_before "$before"
refuse 4 'too late.*no confirm came within 5 s' nutshell bridge confirm br9
check "ls tells it, and how it goes away" matches "$(nutshell bridge ls 2>&1)" 'the adoption of em1 by br9 was put back: no confirm came within 5 s; .nutshell bridge release br9. clears'
check "as JSON" equal "$(json bridge ls | jq -c .put_back)" '[{"bridge":"br9","uplink":"em1","reason":"no confirm came within 5 s","left":[]}]'
check "doctor, too" matches "$(n doctor)" 'was put back: no confirm'
check "a dry run clears nothing" n --dry-run bridge release br9
check "release says that nothing is left to do" matches "$(nutshell bridge release br9 2>&1)" 'em1 was put back before \(no confirm came within 5 s\)'
check "and the note is gone" equal "$(nutshell bridge ls 2>&1)" "there is no bridge"
check "all is as before" as_before "$before"

say "-- what could not be put back is tried again"
check "adopt" n bridge adopt br9 --uplink em1
kill -9 "$(dead_man br9)"
until_true 30 no_dead_man
note=$root/state/adoptions/br9.json
jq '.state = "restored" | .reason = "a test" | .left = ["cannot add the route default"]' "$note" >"$scratch/note" && cp "$scratch/note" "$note"
check "ls says so" matches "$(nutshell bridge ls 2>&1)" 'a test, but not everything could be: cannot add the route default; .* tries again'
check "doctor is not content" equal "$(json doctor | jq -r '.checks[] | select(.name == "bridge br9") | .state')" bad
refuse 4 'not everything could be' nutshell bridge adopt br9 --uplink em2
check "release" n bridge release br9
check "all is as before" as_before "$before"
check "the note is gone" test ! -e "$note"

say "-- STP, when it is asked for, does not cut the host off"
streams
check "adopt" n bridge adopt br9 --uplink em1 --stp on --timeout 60
survived "with STP"
check "it is on" equal "$(json bridge ls | jq -c '.bridges[0] | [.stp, .ports[0].state]')" '[true,"forwarding"]'
sleep 3
check "and nobody was missed" equal "$(note_state br9)" waiting
check "release" n bridge release br9
check "all is as before" as_before "$before"

say "-- no config file stands in the way back"
printf 'cpus = [' >"$scratch/broken.toml"
for config in broken none; do
  check "adopt" n bridge adopt br9 --uplink em1
  kill -9 "$(dead_man br9)"
  until_true 30 no_dead_man
  said=$(nutshell --config "$scratch/$config.toml" ls 2>&1)
  check "$config: the command fails" matches "$said" 'this is not TOML|there is no config file'
  check "$config: and puts everything back first" matches "$said" 'everything was put back'
  check "$config: all is as before" as_before "$before"
done

say "-- the gateway falls silent"
check "adopt" n bridge adopt br9 --uplink em1 --timeout 300
ip -n "$peer" addr del 10.9.0.1/24 dev far1
check "put back long before its time" until_true 20 is_restored br9
check "with its reason" matches "$(reason)" '^10\.9\.0\.1 stopped answering \(5 probes in a row were lost\)'
ip -n "$peer" addr add 10.9.0.1/24 dev far1
check "all is as before" as_before "$before"

say "-- a gateway that did not answer before is not asked"
ip -n "$peer" addr del 10.9.0.1/24 dev far1
check "adopt" n bridge adopt br9 --uplink em1 --timeout 60
check "only the other is asked" equal "$(asked)" "nd 2001:db8:9::1"
sleep 7
check "it waits" equal "$(note_state br9)" waiting
check "release before the confirm" n bridge release br9
ip -n "$peer" addr add 10.9.0.1/24 dev far1
check "all is as before" as_before "$before"

say "-- whoever is logged in over the uplink falls silent"
ip -n "$peer" addr add 10.9.0.50/24 dev far1
for family in 10.9.0.2 ::; do # a server for IPv4 alone, and one for both
  rm -f "$scratch/ready"
  perl "$here/stream.pl" send "$family" 22 >"$scratch/ready" 2>&1 & server=$!
  until_true 30 grep -q ready "$scratch/ready"
  in_peer perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(PeerAddr => "10.9.0.2:22", LocalAddr => "10.9.0.50") or die; 1 while sysread $s, $_, 4096' & client=$!
  sleep 0.5
  check "adopt" n bridge adopt br9 --uplink em1 --timeout 300
  check "the peer was found by its socket" matches "$(asked | xargs)" 'tcp 10\.9\.0\.50 [0-9]+.*echo 10\.9\.0\.50|echo 10\.9\.0\.50.*tcp 10\.9\.0\.50'
  ip -n "$peer" addr del 10.9.0.50/24 dev far1
  check "put back" until_true 30 is_restored br9
  check "with its reason" matches "$(reason)" '^10\.9\.0\.50.* stopped answering'
  check "all is as before" as_before "$before"
  ip -n "$peer" addr add 10.9.0.50/24 dev far1
  kill "$server" "$client"
  wait "$server" "$client" 2>/dev/null
done
check "adopt where the environment says who" env SSH_CONNECTION="10.9.0.50 4711 10.9.0.2 22" "$nutshell_bin" --quiet --root "$root" bridge adopt br9 --uplink em1
check "he is asked" matches "$(asked | xargs)" 'tcp 10\.9\.0\.50 4711 echo 10\.9\.0\.50'

say "-- the dead-man is told to end, or killed"
kill -TERM "$(dead_man br9)"
check "SIGTERM: put back at once" until_true 30 is_restored br9
check "all is as before" as_before "$before"
check "adopt" n bridge adopt br9 --uplink em1
kill -9 "$(dead_man br9)"
check "it is gone" until_true 30 no_dead_man
check "a dry run only says so" matches "$(nutshell --dry-run ls 2>&1)" 'lost its dead-man'
check "the adoption is there still" equal "$(note_state br9)" waiting
check "the next command says what it does" matches "$(nutshell version 2>&1)" 'its dead-man is gone; everything was put back'
check "all is as before" as_before "$before"
check "adopt" n bridge adopt br9 --uplink em1
kill -9 "$(dead_man br9)"
until_true 30 no_dead_man
check "a confirm in time counts without a dead-man" n bridge confirm br9
check "and stays" n version >/dev/null
check "confirmed" equal "$(note_state br9)" confirmed
check "release" n bridge release br9
check "all is as before" as_before "$before"

say "-- the command is hung up on"
{ setsid -w bash -c '"$@"; kill -HUP 0' _ "$nutshell_bin" --quiet --root "$root" bridge adopt br9 --uplink em1 --timeout 5; } 2>/dev/null
check "its dead-man lives" bash -c "kill -0 $(dead_man br9)"
check "and holds nothing of ours open" equal "$(find /proc/"$(dead_man br9)"/fd -lname '/*' ! -lname /dev/null -printf '%l\n' | grep -v '\.deadman$')" ""
check "and puts it back" until_true 30 is_restored br9
check "all is as before" as_before "$before"

say "-- the command stands still in the middle"
library=$build_dir/tests/faults/nutshell_kill_netlink.so
# shellcheck disable=SC2016  # the shell that the library starts knows its parent
{ NUTSHELL_VANISH='kill -STOP $PPID' NUTSHELL_KILL_AT=11 LD_PRELOAD=$library ASAN_OPTIONS=verify_asan_link_order=0 n bridge adopt br9 --uplink em1 --timeout 5 & stopped=$!; } 2>/dev/null
is_begun() { [[ $(note_state br9) == begun ]]; }
check "it has begun" until_true 30 is_begun
check "its dead-man ends it and puts all back" until_true 25 is_restored br9
{ wait "$stopped"; } 2>/dev/null
check "it was killed" equal "$?" 137
check "all is as before" as_before "$before"

say "-- the command is told to end in the middle, or its bridge is removed"
# in_the_middle MOMENT COMMAND: the adoption, with that command done by a child of it at that moment; sets `code`.
in_the_middle() { { NUTSHELL_VANISH=$2 NUTSHELL_KILL_AT=$1 LD_PRELOAD=$library ASAN_OPTIONS=verify_asan_link_order=0 n bridge adopt br9 --uplink em1 >/dev/null 2>"$scratch/err"; } 2>/dev/null; code=$?; }
# shellcheck disable=SC2016  # the shell that the library starts knows its parent
for at in 3 12 19; do
  in_the_middle $at 'kill -TERM $PPID'
  check "moment $at: told to end, it ends" equal "$code" 130
  check "all is as before" as_before "$before"
  in_the_middle $at 'ip link del br9'
  check "moment $at: without a bridge, it fails" equal "$code" 1
  check "in one sentence" equal "$(grep -c '^nutshell: br9: .*everything was put back$' "$scratch/err")" 1
  check "all is as before" as_before "$before"
  check "nothing is left of it" test ! -e "$root/state/adoptions/br9.json"
done

say "-- the note is removed by somebody"
check "adopt" n bridge adopt br9 --uplink em1 --timeout 5
rm -r "$root/state/adoptions"
check "put back all the same" until_true 30 no_dead_man
check "all is as before" as_before "$before"

say "-- the bridge is removed by somebody"
check "adopt" n bridge adopt br9 --uplink em1
check "confirm" n bridge confirm br9
ip link del br9
check "release" n bridge release br9
check "brings back what was known" as_before "$before"

say "-- settings of the uplink hold for the bridge"
sysctl -qw net.ipv4.conf.em1.arp_ignore=2 net.ipv6.conf.em1.accept_ra=0
check "adopt" n bridge adopt br9 --uplink em1
check "both" equal "$(sysctl -n net.ipv4.conf.br9.arp_ignore net.ipv6.conf.br9.accept_ra | xargs)" "2 0"
check "release" n bridge release br9
check "all is as before" as_before "$before"

say "-- a bridge of ours that was there"
check "create" n bridge create br9 --address 10.77.0.1/24
view >"$scratch/own"
check "adopt" n bridge adopt br9 --uplink em1 --stp on
check "STP is as asked" equal "$(json bridge ls | jq .bridges[0].stp)" true
check "it has both" matches "$(ip -br addr show br9)" '10\.77\.0\.1/24.*10\.9\.0\.2/24|10\.9\.0\.2/24.*10\.77\.0\.1/24'
refuse 4 'give them back first' nutshell bridge rm br9
check "confirm" n bridge confirm br9
check "release" n bridge release br9
# Once a bridge has had a carrier, the kernel keeps its multicast route.
check "STP is as it was" equal "$(json bridge ls | jq .bridges[0].stp)" false
check "the bridge is as it was" diff "$scratch/own" <(view | grep -v '"br9","dst":"ff00::/8"')
check "rm" n bridge rm br9
check "all is as before" as_before "$before"

say "-- a machine on it, a network restart, and repair"
check "adopt" n bridge adopt br9 --uplink em1
check "confirm" n bridge confirm br9
n launch m --memory 64M --nested off --accel tcg --nic bridge=br9 >/dev/null
tap=$(json show m | jq -r '.nics[0].tap')
check "ls names it" equal "$(json bridge ls | jq -r '.bridges[0].ports[] | select(.machine == "m") | .name')" "$tap"
refuse 4 'm is on the bridge br9 and would be cut off' nutshell bridge release br9
refuse 4 'give them back first' nutshell bridge rm br9
ip link set "$tap" nomaster
ip link set em1 nomaster
check "doctor sees both" equal "$(json doctor | jq -r '[.checks[] | select(.name | startswith("bridge")) | select(.state == "bad")] | length')" 2
check "doctor says what helps" matches "$(n doctor)" "nutshell bridge repair br9"
check "repair says what it does" matches "$(nutshell bridge repair br9 2>&1)" "put on br9 again: m \($tap\), the uplink em1"
check "both are ports again" equal "$(ip -br link show master br9 | wc -l)" 2
ip link add his type bridge
ip link set "$tap" master his
refuse 4 "$tap is a port of his now, which is not nutshell's" nutshell bridge repair br9
check "it stays where somebody put it" equal "$(ip -j link show "$tap" | jq -r '.[0].master')" his
ip link del his
check "repair, when it is free" n bridge repair br9
check "nothing is to be repaired" matches "$(nutshell bridge repair br9 2>&1)" 'has every port'
check "doctor is content" equal "$(json doctor | jq -r '[.checks[] | select(.name | startswith("bridge")) | select(.state == "bad")] | length')" 0
check "release by force" n bridge release br9 --force
check "the machine keeps its bridge" equal "$(ip -j link show "$tap" | jq -r '.[0].master')" br9
n rm m --force
check "the bridge goes when it is told to" n bridge rm br9
check "all is as before" as_before "$before"

say "-- another boot"
check "adopt" n bridge adopt br9 --uplink em1
kill -9 "$(dead_man br9)"
until_true 30 no_dead_man
sed -i 's/"boot_id": "[^"]*"/"boot_id": "another"/' "$root/state/adoptions/br9.json"
check "the note of an earlier boot is dropped with a word" matches "$(nutshell ls 2>&1)" 'ended when this host restarted'
check "and is gone" test ! -e "$root/state/adoptions/br9.json"

drop_uplink
ip link del br9
no_bridge || fail "the bridge stays"
finish

#!/usr/bin/env bash
# Ports, public addresses and groups, with a guest and a desk that is somewhere else: who reaches it while they are there, and nobody when
# they are taken back, the machine is stopped, has crashed or is removed.
. "$(dirname "$0")/lib.sh"

desk=nutshell-desk-${scratch##*.}
ip netns add "$desk"
on_desk() { ip netns exec "$desk" "$@"; }
trap 'kill "${servers[@]}" 2>/dev/null; ip netns del "$desk"; cleanup' EXIT
ip link add uplink type veth peer name eth0 netns "$desk"
ip addr add 192.0.2.1/24 dev uplink
ip link set uplink up
on_desk ip link set lo up
on_desk ip addr add 192.0.2.2/24 dev eth0
on_desk ip addr add 192.0.2.19/24 dev eth0
on_desk ip link set eth0 up
on_desk ip route add default via 192.0.2.1
ip netns exec "$desk" socat TCP4-LISTEN:7777,fork,reuseaddr SYSTEM:'echo "desk sees $SOCAT_PEERADDR"' &
servers+=("$!")
nft -f - <<'END'
table inet stranger { chain forward { type filter hook forward priority 10; policy accept; counter; }; }
END
strangers() { nft -j list ruleset | jq -c '[.nftables[] | select(.metainfo == null) | select((.table // .chain // .rule // .set // .map // {}) | (.table // .name) == "nutshell" | not) | del(.rule.expr)]'; }
theirs=$(strangers)
mkdir -p "$root/etc"
cat >"$root/etc/nutshell.toml" <<'END'
[[pool]]
name = "public"
kind = "ipv4"
range = "192.0.2.16-192.0.2.31"

[[pool]]
name = "routed"
kind = "ipv4"
range = "198.51.100.0/28"
END
nutshell() { "$nutshell_bin" --root "$root" --config "$root/etc/nutshell.toml" "$@"; }

up='serial=nutshell-guest: eth0 [0-9.]+/'
boot() { local name=$1; shift; quick "$name" --vnc off "$@" --wait "$up" --timeout 90 >/dev/null; }
serve() { guest "$1" "(nc -ll -p 80 -e cat &) ; (nc -ll -p 81 -e cat &) ; (nc -ll -p 82 -e cat &) ; sleep 1" >/dev/null; }
# echoes HOW ADDRESS PORT: a line goes there and comes back.
echoes() { local how=$1; [[ $(echo hello | $how timeout 4 socat -t 2 - "TCP4:$2:$3,connect-timeout=2" 2>/dev/null) == hello ]]; }
nobody() { ! "$@"; }
from_desk() { echoes on_desk "$@"; }

say "-- ports"
check "a machine with published ports" boot web --cloud shop --publish 8080:80 --publish 192.0.2.1:8081:81
serve web
check "the desk reaches it" from_desk 192.0.2.1 8080
check "by the address that was named" from_desk 192.0.2.1 8081
check "the host itself reaches it" echoes '' 192.0.2.1 8080
web=$(ip_of web)
check "it has a lease" matches "$(n lease ls --pool port)" '8080/tcp.*web'
check "show names it" matches "$(n show web)" '8080:80'
check "a second one of its cloud" boot db --cloud shop
serve db
check "one of another cloud" boot alien --cloud lab
for bridged in 0 1; do
  sysctl -qw net.bridge.bridge-nf-call-iptables=$bridged
  say "-- from the same bridge, bridge-nf-call-iptables $bridged"
  check "another guest reaches it by the host's address" equal "$(guest db 'echo hello | nc -w 3 192.0.2.1 8080')" hello
  check "one of another cloud does not see it" equal "$(guest alien "ping -c 1 -W 2 $web >/dev/null && echo reached || echo lost")" lost
  check "but reaches what it publishes" equal "$(guest alien 'echo hello | nc -w 3 192.0.2.1 8080')" hello
  # With br_netfilter the frame would have to leave by the port that it came in by.
  ((bridged)) || check "and it reaches itself" equal "$(guest web 'echo hello | nc -w 3 192.0.2.1 8080')" hello
done
refuse 4 'port 8080/tcp is published already by shop/web' idle thief --nic network=nutshell0 --publish 8080:22
refuse 4 'port 192.0.2.1:8080/tcp is published already by shop/web' idle thief --nic network=nutshell0 --publish 192.0.2.1:8080:22
socat TCP4-LISTEN:9090,fork,reuseaddr EXEC:/bin/true &
servers+=("$!")
until_true 30 bash -c 'ss -ltn | grep -q :9090'
refuse 4 'port 9090/tcp is held by socat \(pid [0-9]+\)' idle thief --nic network=nutshell0 --publish 9090:22
refuse 3 '198.51.100.1 is no address of this host' idle thief --nic network=nutshell0 --publish 198.51.100.1:80:80
refuse 3 '--publish: .* has no NIC on a managed network' idle thief --publish 9091:22

say "-- groups"
check "a group" n group create front --cloud shop --description 'what the desk sees'
check "another" n group create back --cloud shop
n kill web
check "the machine is in it from its next start" n set web --group front
n start web --wait "$up" --timeout 90 >/dev/null
serve web
web=$(ip_of web)
on_desk ip route replace 10.75.0.0/16 via 192.0.2.1
check "a published port is open whatever the groups say" from_desk 192.0.2.1 8080
check "nobody of its own network gets in" equal "$(guest db "echo hello | nc -w 2 $web 82 2>/dev/null")" ''
check "it gets out" equal "$(guest web 'nc -w 3 192.0.2.2 7777 </dev/null')" 'desk sees 192.0.2.1'
check "and to its own network" equal "$(guest web "echo hello | nc -w 3 $(ip_of db) 80")" hello
n group authorize front --cloud shop --protocol tcp --port 82 --from 10.75.0.0/16
check "what is authorized gets in at once" equal "$(guest db "echo hello | nc -w 3 $web 82")" hello
check "and nothing else" equal "$(guest db "echo hello | nc -w 2 $web 80 2>/dev/null")" ''
n group revoke front --cloud shop --protocol tcp --port 82 --from 10.75.0.0/16
check "what is revoked does not" equal "$(guest db "echo hello | nc -w 2 $web 82 2>/dev/null")" ''

say "-- public addresses"
check "take one of the link's subnet" matches "$(n address allocate 192.0.2.20 --cloud shop)" "192.0.2.20 is shop's"
check "and one that is routed here" matches "$(n address allocate --pool routed --cloud shop)" "198.51.100.1 is shop's"
check "associate" n address associate 192.0.2.20 shop/web
check "the host answers for it" matches "$(ip -o addr show dev uplink)" '192.0.2.20/32'
refuse 4 '192.0.2.19 is held by .* on uplink, which answers for it' n address allocate 192.0.2.19
ip addr del 192.0.2.20/32 dev uplink
check "doctor misses it where somebody takes it from the link" matches "$(n doctor)" 'the public address 192.0.2.20 is not on uplink any more'
check "and the next that looks puts it back" matches "$(nutshell ls 2>&1)" '192.0.2.20 is not on uplink any more; it is put right'
check "there" matches "$(ip -o addr show dev uplink)" '192.0.2.20/32'
check "lease ls says whose it is" matches "$(n lease ls)" '192.0.2.20 +the cloud shop'
check "groups hold it closed" nobody from_desk 192.0.2.20 82
n group authorize front --cloud shop --protocol tcp --port 82
check "and open it" from_desk 192.0.2.20 82
check "it goes out by it" equal "$(guest web 'nc -w 3 192.0.2.2 7777 </dev/null')" 'desk sees 192.0.2.20'

say "-- a connection that is open"
mkfifo "$scratch/to"
ip netns exec "$desk" timeout 90 socat - TCP4:192.0.2.20:82 <"$scratch/to" >"$scratch/from" 2>/dev/null &
servers+=("$!")
exec 7>"$scratch/to"
trap '' PIPE
said() { echo "$1" >&7 || return 1; until_true "${2:-5}" grep -q "^$1$" "$scratch/from"; }
check "is open" said first
n group revoke front --cloud shop --protocol tcp --port 82
check "and closed when it is revoked" nobody said second 3
n group authorize front --cloud shop --protocol tcp --port 82
check "and open again" said third 30
exec 7>&-

say "-- connections that are open when the address goes"
n group authorize front --cloud shop --protocol all
# ticking PORT ADDRESS PORT: a datagram each 0.1 s from one source port, whatever comes of it.
ticking() {
  { while sleep 0.1 && echo tick; do :; done; } 2>/dev/null | ip netns exec "$desk" timeout 60 socat -u - "UDP4-DATAGRAM:$2:$3,bind=192.0.2.2:$1" 2>/dev/null &
  servers+=("$!")
}
# datagrams NAME: how many for which nobody listens the guest has had; ticked NAME: more than the odd one came within a second or two.
datagrams() { guest "$1" "awk '/^Udp: [0-9]/ { print \$3 }' /proc/net/snmp"; }
ticked() { local before; before=$(datagrams "$1"); sleep 1.5; (($(datagrams "$1") > before + 4)); }
ticking 5001 192.0.2.20 53
mkfifo "$scratch/to2"
ip netns exec "$desk" timeout 90 socat - TCP4:192.0.2.20:82 <"$scratch/to2" >"$scratch/from2" 2>/dev/null &
servers+=("$!")
exec 7>"$scratch/to2"
said() { echo "$1" >&7 || return 1; until_true "${2:-5}" grep -q "^$1$" "$scratch/from2"; }
check "TCP is open" said first
check "UDP too" ticked web

say "-- taken back"
check "disassociate" n address disassociate 192.0.2.20
check "the TCP connection is gone" nobody said second 3
check "and the UDP one" nobody ticked web
check "the kernel remembers none that leads there" equal "$(grep '192\.0\.2\.20 ' /proc/net/nf_conntrack | grep -c "=$web ")" 0
check "associate it with another" n address associate 192.0.2.20 shop/db
echo third >&7
check "UDP reaches that one, from the same port" ticked db
check "and no more the first" nobody ticked web
check "whose flows lead to it alone" equal "$(grep '192\.0\.2\.20 ' /proc/net/nf_conntrack | grep -c "=$web ")" 0
check "TCP did not go on to either" nobody grep -q third "$scratch/from2"
exec 7>&-
check "and give it back" n address disassociate 192.0.2.20
n group revoke front --cloud shop --protocol all
n group authorize front --cloud shop --protocol tcp --port 82
check "nobody answers" nobody from_desk 192.0.2.20 82
check "the link has it no more" nobody matches "$(ip -o addr show dev uplink)" '192.0.2.20/'
check "the routed one" n address associate 198.51.100.1 shop/web
check "reaches it" from_desk 198.51.100.1 82
refuse 4 'leads to shop/web; `nutshell address disassociate' n address release 198.51.100.1
n address associate 192.0.2.20 shop/web
kill -9 "$(pid_of web)"
gone() { [[ $(state_of web) == crashed* ]]; }
until_true 20 gone
n ls >/dev/null
check "after a crash the address is gone" nobody matches "$(ip -o addr show dev uplink)" '192.0.2.20/'
check "and its rules" equal "$(nft list ruleset | grep -c shop/web)" 0
n start web --wait "$up" --timeout 90 >/dev/null
serve web
check "after the next start it is back" from_desk 192.0.2.20 82
n kill web
check "after kill it is gone" nobody matches "$(ip -o addr show dev uplink)" '192.0.2.20/'
check "and the port" nobody from_desk 192.0.2.1 8080
check "and its lease" equal "$(n lease ls --json | jq -c '[.leases[] | select(.pool == "port")]')" '[]'
n start web --wait "$up" --timeout 90 >/dev/null
serve web
rm "$root"/state/registry.db*
check "the registry was lost: groups and addresses come back" matches "$(n recover | xargs)" 'group shop/back.*group shop/front.*public address 192.0.2.20.*198.51.100.1'
check "and lead to the machine that runs" from_desk 192.0.2.20 82
check "whose group still holds the rest" nobody from_desk 192.0.2.20 81
check "and whose port is its own" matches "$(n lease ls --pool port)" '8080/tcp.*web'
n rm web --force
check "after rm it leads nowhere" equal "$(json address ls | jq -c '[.addresses[] | [.address, .machine]]')" '[["192.0.2.20",null],["198.51.100.1",null]]'
check "nothing of it is left" equal "$(nft list ruleset | grep -c shop/web)" 0
n address release 192.0.2.20
n address release 198.51.100.1

say "-- a UDP flow that goes on while machines come and go"
ticking 5002 192.0.2.1 5353
sleep 1
check "a machine that publishes its port" boot web --cloud shop --publish 5353:5353/udp
check "gets the flow that was there before" ticked web
web=$(ip_of web)
n rm web --force
sleep 1
check "which ends with it" equal "$(grep dport=5353 /proc/net/nf_conntrack | grep -c "=$web ")" 0
check "another cloud's machine has its address next" boot heir --cloud lab --nic "network=nutshell0,ip=$web"
check "and gets none of it" nobody ticked heir
n rm heir --force
for name in db alien; do n rm "$name" --force; done
check "strangers' rules are as they were" equal "$(strangers)" "$theirs"
check "no table of ours" equal "$(nft list tables | xargs)" 'table inet stranger'
finish

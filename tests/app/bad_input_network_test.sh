#!/usr/bin/env bash
# What can go wrong with managed networks: words that are wrong, ranges that overlap, programs that are missing, hang or fail,
# ports that are held, two registries in one place, tables and registries that are lost. Nothing of ours stays, nothing of others' goes.
. "$(dirname "$0")/refusals.sh"

machine=(--memory 64M --accel tcg --nested off)
bare() { local name=$1; shift; n launch "$name" "${machine[@]}" "$@" >/dev/null; }
fake() { # fake FOLDER PROGRAM SCRIPT
  mkdir -p "$scratch/$1"
  printf '#!/bin/bash\n%s\n' "$3" >"$scratch/$1/$2"
  chmod 755 "$scratch/$1" "$scratch/$1/$2"
}
plain_path=$PATH
rules() { nft -j list ruleset; }
forwards() { cat /proc/sys/net/ipv4/ip_forward; }

say "-- words"
bad 3 "mode: 'open' is no mode; use nat, routed or isolated" network create x --mode open
bad 3 "subnet: '10.9.0.0' is no network; write it as 10.9.0.0/24" network create x --subnet 10.9.0.0
bad 3 'subnet: 10.9.0.7/24 is an address in a network; the network is 10.9.0.0/24' network create x --subnet 10.9.0.7/24
bad 3 'subnet: a prefix of 31 is not possible; use one from 8 to 30' network create x --subnet 10.9.0.0/31
bad 3 'subnet: 127.0.0.0/8 holds no addresses that machines can have' network create x --subnet 127.0.0.0/8
bad 3 'ipv6: .fd00::/48. is no prefix of 64 bits' network create x --ipv6 fd00::/48
bad 3 'ipv6: .fe80::/64. is no prefix of 64 bits' network create x --ipv6 fe80::/64
bad 3 'mtu: .* 576' network create x --mtu 575
bad 3 'mtu: .* 1280' network create x --mtu 1279 --ipv6 fd00:1::/64
bad 3 'mtu: .* 65521' network create x --mtu 65522
bad 3 'subnet: 169.254.9.0/24 has addresses that hosts give themselves' network create x --subnet 169.254.9.0/24
bad 4 'network bridge: its addresses would be the pool ipv4:bridge, which there is already' network create bridge
printf '[[pool]]\nname = "public"\nkind = "ipv4"\nrange = "10.44.0.10-10.44.0.99"\n' >"$scratch/pool.toml"
refuse 4 'network x: the subnet 10\.44\.0\.0/26 overlaps the pool public .*pool\.toml' n --config "$scratch/pool.toml" network create x --subnet 10.44.0.0/26
check "beside the pool is no hindrance" quiet n --dry-run --config "$scratch/pool.toml" network create x --subnet 10.44.0.128/25
bad 3 'dns: .yes. is neither on nor off' network create x --dns yes
bad 3 "'Lab' can be no network's name: capital" network create Lab
bad 6 'there is no network x' network rm x
bad 3 'no managed network x; .nutshell network create x. makes it' launch y "${machine[@]}" --nic network=x
check "a dry run makes none" quiet n --dry-run network create x
check "and there is none" equal "$(json network ls | jq -c .)" '{"networks":[]}'

say "-- ranges that somebody has"
ip link add stranger type veth peer name far
ip link set stranger up
ip addr add 10.20.0.9/16 dev stranger
ip route add 10.30.0.0/24 dev stranger table 77
ip -6 route add fd00:40::/48 dev stranger
refuse 4 'subnet 10\.20\.5\.0/24 is held by address 10\.20\.0\.9/16 of stranger' n network create x --subnet 10.20.5.0/24
refuse 4 'subnet 10\.30\.0\.0/16 is held by route 10\.30\.0\.0/24 via stranger \(table 77\)' n network create x --subnet 10.30.0.0/16
refuse 4 'prefix fd00:40:0:1::/64 is held by route fd00:40::/48 by stranger' n network create x --ipv6 fd00:40:0:1::/64
check "a free one is taken" quiet n network create x --subnet 10.40.0.0/24
refuse 4 'there is a network x already \(nat, 10\.40\.0\.0/24\)' n network create x
refuse 4 'overlaps 10\.40\.0\.0/24, which is the network x.s' n network create y --subnet 10.40.0.128/25
refuse 4 '10\.40\.0\.0/24 belongs to the network x' n lease release subnet 10.40.0.0/24
printf 'network = "10.40.0.0/16"\n' >"$scratch/overlap.toml"
refuse 4 'network nutshell0: the subnet 10\.40\.0\.0/16 overlaps 10\.40\.0\.0/24, which is the network x.s' n --config "$scratch/overlap.toml" launch y "${machine[@]}"
ip link del stranger
nowhere() { equal "$(traces)" "link lo"; }

say "-- ranges that somebody has come to have since"
check "a network" quiet n network create late --subnet 10.41.0.0/24 --ipv6 fd00:41::/64
n network rm x
leases() { n lease ls --json | jq -c '[.leases[] | select(.foreign == null) | .value]'; }
held=$(leases)
ip link add stranger type veth peer name far
ip link set stranger up
for range in "addr add 10.41.0.1/24|10\.41\.0\.0/24 is held by address 10\.41\.0\.1/24 of stranger now" \
  "addr add 10.41.7.9/16|10\.41\.0\.0/24 is held by address 10\.41\.7\.9/16 of stranger now" \
  "route add 10.41.0.128/25|10\.41\.0\.0/24 is held by route 10\.41\.0\.128/25 via stranger now" \
  "-6 route add fd00:41::/80|fd00:41::/64 is held by route fd00:41::/80 by stranger now"; do
  ip ${range%%|*} dev stranger
  refuse 4 "network late: ${range#*|}" n launch x "${machine[@]}" --nic network=late
  ip $(sed 's/ add / del /' <<<"${range%%|*}") dev stranger
done
check "no trace" equal "$(ip -br link | awk '{print $1}' | xargs) $(leases) $(rules | jq -c '.nftables | length')" "lo far@stranger stranger@far $held 1"
ip route add 10.41.0.0/16 dev stranger
ip route add 10.0.0.0/8 dev stranger
check "a wider route is no hindrance" bare x --nic network=late
n rm x --force
ip link del stranger
n network rm late
check "no trace" nowhere

say "-- nft that is missing, hangs, fails or floods"
nft -f - <<'END'
table inet nutshellish { comment "nutshell:0000"; chain forward { type filter hook forward priority 0; policy accept; }; }
table inet nutshell { comment "not ours"; chain keep { counter; }; }
END
theirs=$(rules)
fake hangs nft 'exec sleep 1000'
fake fails nft 'echo "Error: netlink: operation refused" >&2; exit 1'
fake floods nft 'head -c 100M /dev/zero | tr "\\0" x'
fake refuses nft 'for word; do [[ $word != -f ]] || { echo "Error: Could not process rule: Operation not supported" >&2; exit 1; }; done; exec '"$(command -v nft)"' "$@"'
for kind in hangs fails floods refuses; do
  case $kind in
    hangs) words='nft .*did not end within 10 s, and was killed' ;;
    fails) words='nft .*exited with 1.*operation refused' ;;
    floods) words='nft .*printed more than 64M, and was killed' ;;
    refuses) words='nft .*exited with 1.*Operation not supported' ;;
  esac
  PATH=$scratch/$kind:$plain_path
  start=$SECONDS
  refuse 1 "$words" n launch x "${machine[@]}"
  PATH=$plain_path
  check "$kind: in time ($((SECONDS - start)) s)" test $((SECONDS - start)) -lt 25
  check "$kind: no trace" nowhere
  check "$kind: the rules are as they were" equal "$(rules)" "$theirs"
  check "$kind: forwarding, too" equal "$(forwards)" 0
done
missing() { # the command where there is no program of that name in any folder that is looked in
  local program=$1
  shift
  unshare --mount --propagation private -- bash -c '
    program=$1
    shift
    for folder in /usr/local/sbin /usr/sbin /sbin /usr/bin /bin; do [[ ! -e $folder/$program ]] || mount --bind /dev/null "$folder/$program"; done
    exec "$@"' - "$program" "$nutshell_bin" --quiet --root "$root" "$@"
}
refuse 1 'nft is not installed; install it with: apt install nftables' missing nft launch x "${machine[@]}"
refuse 1 'dnsmasq is not installed; install it with: apt install dnsmasq-base' missing dnsmasq launch x "${machine[@]}"
check "no trace" nowhere
check "the rules are as they were" equal "$(rules)" "$theirs"
check "a stranger's table of our name: we take another" bare x
check "with our mark in it" matches "$(nft list tables)" 'inet nutshell-[0-9a-f]{4}'
n rm x --force
check "the rules are as they were" equal "$(rules)" "$theirs"
nft delete table inet nutshell

say "-- a port that is held"
perl -MIO::Socket::INET -e '$0 = "their-dns"; $s = IO::Socket::INET->new(LocalAddr => "0.0.0.0", LocalPort => 53, Proto => "tcp", Listen => 5) or die; sleep 1000' &
holder=$!
until_true 30 bash -c "ss -Hltn 'sport = :53' | grep -q ."
refuse 4 "bridge nutshell0: port 53 is held by (perl|their-dns) \(pid $holder\), so DNS cannot be served there" n launch x "${machine[@]}"
check "no trace" nowhere
check "he is still there" kill -0 "$holder"
check "without DNS it works" quiet n network create silent --dns off
check "and he is let alone" bare x --nic network=silent
n rm x --force
n network rm silent
kill "$holder"
wait "$holder" 2>/dev/null
dnsmasq --no-daemon --port=0 --conf-file=/dev/null --dhcp-range=10.55.0.2,10.55.0.9 --dhcp-leasefile="$scratch/leases" --pid-file 2>/dev/null &
holder=$!
until_true 30 bash -c "ss -Hlun 'sport = :67' | grep -q ."
refuse 4 "port 67 is held by dnsmasq \(pid $holder\), so DHCP cannot be served there" n launch x "${machine[@]}"
kill "$holder"
wait "$holder" 2>/dev/null
check "no trace" nowhere

say "-- two registries in one place"
rm -rf "$scratch/other"
other() { "$nutshell_bin" --quiet --root "$scratch/other" "$@"; }
clean=$(rules)
check "one has a machine" bare first
check "the other, too" quiet other launch second "${machine[@]}"
check "each has a table" equal "$(nft list tables inet | grep -c 'inet nutshell\(-[0-9a-f]*\)\?$')" 2
n rm first --force
check "one leaves the other's table" equal "$(nft list tables inet | grep -c 'inet nutshell\(-[0-9a-f]*\)\?$')" 1
check "and the forwarding that it needs" equal "$(forwards)" 1
other rm second --force
check "the last one puts it off" equal "$(forwards)" 0
check "and takes its table" equal "$(rules)" "$clean"
check "both may have been made with one range while neither was up" quiet n network create mine --subnet 10.42.0.0/24
check "the other's" quiet other network create yours --subnet 10.42.0.0/24
check "whoever is first has it" bare first --nic network=mine
refuse 4 'network yours: 10\.42\.0\.0/24 is held by address 10\.42\.0\.1/24 of mine now' other launch second "${machine[@]}" --nic network=yours
check "no trace of the second" equal "$(ip -o link show type bridge | awk -F'[:@ ]+' '{print $2}' | xargs) $(our_processes | wc -l)" "mine 2"
n rm first --force
check "then the other" quiet other launch second "${machine[@]}" --nic network=yours
other rm second --force
check "no trace of either" equal "$(ip -br link | awk '{print $1}' | xargs)" lo
n network rm mine
other network rm yours
check "isolated networks turn nothing on" quiet n network create quiet --mode isolated
check "a machine on one" bare x --nic network=quiet
check "forwarding is off" equal "$(forwards)" 0
n rm x --force
n network rm quiet
sysctl -qw net.ipv4.ip_forward=1
check "where forwarding was on" bare x
n rm x --force
check "it stays on" equal "$(forwards)" 1
sysctl -qw net.ipv4.ip_forward=0

say "-- what gc and recover find"
check "a machine" bare x
check "a network made by hand" quiet n network create lab --mode routed --subnet 10.60.0.0/24 --mtu 1400
n kill x
tag=$(json lease ls >/dev/null; sqlite3 "$root/state/registry.db" "SELECT value FROM setting WHERE name = 'tag'")
nft add table inet nutshell "{ comment \"nutshell:$tag lost\"; }"
mkdir -p "$root/run/net-lab"
printf 'port=0\ninterface=lo\nbind-interfaces\ndhcp-range=127.0.0.2,static\ndhcp-leasefile=leases\n' >"$root/run/net-lab/dnsmasq.conf"
(cd "$root/run/net-lab" && exec dnsmasq -d --conf-file=dnsmasq.conf "--pid-file=$root/run/net-lab/dnsmasq.pid" 2>/dev/null) &
lost=$!
until_true 30 bash -c "[[ -e $root/run/net-lab/leases ]]"
rm -r "$root/run/net-lab"
found=$(n gc --dry-run)
check "gc finds a table with our mark" matches "$found" "nftables table inet nutshell .its mark is nutshell:$tag"
check "and a dnsmasq whose folder is gone" matches "$found" 'the DHCP server of lab'
check "gc" quiet n gc
wait "$lost" 2>/dev/null
check "both are gone" equal "$(rules) $(our_processes)" "$clean "
check "and nothing more is found" matches "$(n gc)" 'nothing was left'
rm "$root"/state/registry.db*
check "with the registry lost, another machine has the same network" quiet n launch y "${machine[@]}"
n rm y --force
check "the note stays for the machine that was lost" test -e "$root/state/networks/nutshell0.json"
cp "$root/state/networks/lab.json" "$scratch/lab.json"
echo '{"bridge": 7}' >"$root/state/networks/lab.json"
refuse 5 "the note $root/state/networks/lab.json does not say what the network lab is" n recover
check "the others are found all the same" matches "$(state_of x)" 'stopped|crashed'
cp "$scratch/lab.json" "$root/state/networks/lab.json"
check "recover" matches "$(n recover)" 'found again: network lab'
check "finds the machine" matches "$(state_of x)" 'stopped|crashed'
check "and the network with all that it was" equal "$(json network ls | jq -c '.networks[] | select(.name == "lab") | [.mode, .subnet, .mtu, .by_hand]')" '["routed","10.60.0.0/24",1400,true]'
n network rm lab
check "it runs again" quiet n start x
rm "$root"/state/registry.db*
refuse 4 'x runs, and the registry does not know of it; run .nutshell recover. first' n launch y "${machine[@]}"
check "DHCP and DNS know the lost one alone" equal "$(wc -l <"$root/run/net-nutshell0/hosts") $(awk '{print $2}' "$root/run/net-nutshell0/names")" "1 x.default.nutshell"
check "its network stays up" equal "$(ip -o link show type bridge | awk -F'[:@ ]+' '{print $2}') $(nft list tables | grep -cx 'table inet nutshell') $(our_processes | wc -w)" "nutshell0 1 2"
check "recover" matches "$(n recover)" 'found again: x, running'
n rm x --force
check "no trace" nowhere
check "no rule" equal "$(rules)" "$clean"
finish

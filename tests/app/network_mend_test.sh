#!/usr/bin/env bash
# What is taken away from managed networks while machines run on them: their rules, forwarding, a bridge, a dnsmasq that was
# stopped, the registry. Every command that looks makes the first two again; the rest is named with its cure. A network that no
# running machine has a port on is not made.
. "$(dirname "$0")/lib.sh"

bare() { local name=$1; shift; n launch "$name" --memory 64M --nested off --accel tcg "$@" >/dev/null; }
rules() { nft list table inet nutshell 2>/dev/null; }
forwards() { cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | xargs; }
doctor() { n doctor || true; }
nobody() { ! "$@"; }
untouched() { equal "$(rules)" "$made"; }

check "an isolated network" n network create quiet --mode isolated --quiet
check "one with NAT and IPv6" n network create lab --ipv6 fd00:76::/64 --quiet
check "a machine on each" bare qa --nic network=quiet
check "the other" bare la --nic network=lab
made=$(rules)
standing=$(nft -s -t list table inet nutshell)
check "both have rules" equal "$(grep -c 'chain from-quiet\|chain to-lab' <<<"$made")" 2

say "-- rules that are flushed"
for flush in 'flush ruleset' 'flush chain inet nutshell from-quiet' 'delete table inet nutshell' 'add rule inet nutshell from-quiet accept'; do
  for look in ls 'show qa' 'network ls' gc; do
    nft $flush
    check "$flush: something is gone" bash -c '! diff -q - <(nft list table inet nutshell 2>&1) >/dev/null' <<<"$made"
    [[ $look != ls ]] || check "doctor says it" matches "$(doctor)" 'networks +bad +the nftables table inet nutshell is (gone|not as nutshell made it); .nutshell ls. by root'
    # shellcheck disable=SC2086  # words
    check "$look mends it, and says so" matches "$(nutshell $look 2>&1)" 'networks: the nftables table inet nutshell is .*; it is put right'
    check "as it was" untouched
  done
done
nft add chain inet nutshell to-strangers
check "a dry run mends nothing" nobody grep 'put right' <<<"$(nutshell --dry-run ls 2>&1)"
check "it is as somebody left it" nobody untouched >/dev/null
check "the next start does" bare lb --nic network=lab
check "as it was, but for what the new one has" equal "$(nft -s -t list table inet nutshell)" "$standing"
n rm lb --force
check "and without it as it was" untouched
handle() { nft -a list table inet nutshell | head -n 1; }
check "what is right is left alone" equal "$(before=$(handle); n ls >/dev/null; [[ $(handle) == "$before" ]] && echo same)" same

say "-- forwarding that is put off"
check "it is on" equal "$(forwards)" '1 1'
sysctl -qw net.ipv4.ip_forward=0
check "doctor says it" matches "$(doctor)" 'networks +bad +IPv4 forwarding is off'
check "ls mends it" matches "$(nutshell ls 2>&1)" 'IPv4 forwarding is off, which a network needs; it is put right'
sysctl -qw net.ipv6.conf.all.forwarding=0
check "that of IPv6, too" matches "$(nutshell network ls 2>&1)" 'IPv6 forwarding is off, which a network needs; it is put right'
check "both are on again" equal "$(forwards)" '1 1'
check "and doctor is content" nobody grep '^networks' <<<"$(doctor)"

say "-- the address of a bridge that is taken off"
lab_address=$(json network ls | jq -r '.networks[] | select(.name == "lab") | .address')
addresses() { ip -j addr show lab | jq -c '[.[0].addr_info[] | select(.scope == "global" and (.dynamic | not)) | "\(.local)/\(.prefixlen)"] | sort'; }
had=$(addresses)
ip addr del "$lab_address/24" dev lab
check "doctor says it" matches "$(doctor)" "networks +bad +the bridge lab of the network lab has lost $lab_address/24; .nutshell ls."
check "ls mends it" matches "$(nutshell ls 2>&1)" "network lab: its bridge lab had lost $lab_address/24, which is put right"
check "it is there again" equal "$(addresses)" "$had"
check "with its DNS" matches "$(busybox nslookup la.default.nutshell "$lab_address")" "Address.*$(ip_of la)"
ip addr flush dev lab scope global
check "of both families" matches "$(nutshell path la 2>&1)" "had lost $lab_address/24 and fd00:76::1/64, which is put right"
check "they are there again" equal "$(addresses)" "$had"
check "and doctor is content" nobody grep '^networks' <<<"$(doctor)"

say "-- a NIC for the next start"
check "a third network" n network create later --subnet 10.66.0.0/24 --quiet
check "set gives a running machine a NIC there" n set qa --nic network=later --quiet
check "looks make nothing of it" equal "$(nutshell ls 2>&1 | grep -c dnsmasq) $(ip -o link show later 2>/dev/null | wc -l) $(our_processes | wc -l)" '0 0 4'
check "nor has it rules" untouched
check "gc finds nothing" matches "$(n gc)" 'nothing was left'
check "its next start has it" n restart qa --force --quiet
check "the network is up" equal "$(json network ls | jq -c '[.networks[] | select(.name == "later") | .up]')" '[true]'
check "then it has rules" matches "$(rules)" 'chain to-later'
n rm qa --force

say "-- a bridge that is removed"
tap=$(json show la | jq -r '.nics[0].tap')
ip link del lab
check "doctor names the cure" matches "$(doctor)" 'bridge lab +bad .*run .nutshell bridge repair lab.'
refuse 4 'lab is the bridge of the managed network lab, which makes it; choose another name .*bridge repair lab' n bridge create lab
check "which mends it" matches "$(nutshell bridge repair lab 2>&1)" 'the bridge lab is made again, with its rules, DHCP and DNS'
check "the tap is on it" equal "$(ip -j link show "$tap" | jq -r '.[0].master')" lab
check "its addresses are there" equal "$(ip -j addr show lab | jq -c '[.[0].addr_info[] | select(.scope == "global") | .local] | length')" 2
check "and dnsmasq, which knows the new bridge" matches "$(busybox nslookup la.default.nutshell "$(json network ls | jq -r '.networks[] | select(.name == "lab") | .address')")" "Address.*$(ip_of la)"
check "doctor is content" nobody grep -E '^(bridge lab|networks|leftover) ' <<<"$(doctor)"
refuse 4 'lab is the bridge of the managed network lab' n bridge create lab
refuse 3 'nic: lab is the bridge of the managed network lab; use network=lab' n create x --nic bridge=lab

say "-- a dnsmasq that is stopped"
check "a network" n network create still --subnet 10.67.0.0/24 --quiet
check "a machine" bare lc --nic network=still
pid=$(cut -d' ' -f1 "$root/run/net-still/dnsmasq.pid")
kill -STOP "$pid"
check "doctor says it" matches "$(doctor)" "networks +bad +the dnsmasq of still \(pid $pid\) is stopped and answers nobody; .kill -CONT $pid."
check "the next machine has another one started" bare lb --nic network=still
check "which answers" matches "$(busybox nslookup lb.default.nutshell 10.67.0.1)" "Address.*$(ip_of lb)"
check "the stopped one has ended" nobody grep -x "$pid" <<<"$(our_processes)"
for name in la lb lc; do n rm "$name" --force; done
n network rm still

say "-- a stranger's port on the bridge of nutshell0"
check "a machine" bare x
ip link add stranger type veth peer name far
ip link set stranger master nutshell0
refuse 5 'bridge nutshell0: stranger is still a port of it' n rm x --force
for _ in 1 2; do
  check "gc names it" matches "$(n gc)" 'kept: the bridge nutshell0 .*; stranger is a port of it; .ip link set stranger nomaster.'
done
check "doctor, too" matches "$(doctor)" 'leftover +note +the bridge nutshell0 .*stranger'
ip link set stranger nomaster
check "without it gc takes the bridge" matches "$(n gc)" 'removed the bridge nutshell0'
ip link del stranger

say "-- the registry is lost, and another machine comes"
check "a machine on the isolated network" bare qa --nic network=quiet
made=$(rules) range=$(ip_of qa | cut -d. -f1-3)
rm "$root"/state/registry.db*
check "doctor says what to do first" matches "$(doctor)" 'registry +bad +a running machine.*nutshell recover'
refuse 4 'qa runs, and the registry does not know of it; run .nutshell recover. first' n launch y --memory 64M --nested off --accel tcg
check "nothing was begun for it" equal "$(json ls | jq -c .machines) $(our_processes | wc -w)" "[] 2"
check "the lost one's rules stand" matches "$(rules)" 'chain from-quiet'
refuse 4 'network quiet: a machine that the registry has lost is on one of that name; .nutshell recover.' n network create quiet
check "recover finds it" matches "$(n recover)" 'found again: qa, running'
check "and its rules stand" matches "$(rules)" 'chain from-quiet'
check "then another machine comes" bare y
check "on another range" nobody equal "$(json show y | jq -r '.nics[0].ip' | cut -d. -f1-3)" "$range" >/dev/null
rm "$root"/state/registry.db*
check "lost again, both are found" equal "$(n recover | grep -c 'found again: [qy]')" 2
check "nothing is there twice" equal "$(ip -j link show type bridge | jq -r '.[].address' | sort | uniq -d)" ''
n rm y --force
check "the first is there alone when the other is gone" untouched
rm "$root"/state/registry.db*
nft delete table inet nutshell
check "recover" matches "$(n recover)" 'found again: qa, running'
check "makes the table again" untouched
n rm qa --force
check "nothing is left" equal "$(ip -br link | awk '{print $1}' | xargs) $(our_processes) $(rules) $(forwards)" 'lo   0 0'
finish

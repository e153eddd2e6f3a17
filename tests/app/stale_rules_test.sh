#!/usr/bin/env bash
# A host's firewall lets people in by the uplink's name; the uplink becomes a port of a bridge, and they are shut out. doctor names
# the rules, the line that it prints is run, and they get in: iptables of both kinds, nft, ufw and firewalld themselves.
. "$(dirname "$0")/foreign.sh"
. "$(dirname "$0")/lib.sh"
. "$here/uplink.sh"
foreign_tools
trap 'end_dead_men; drop_uplink; foreign_away; cleanup' EXIT
make_uplink
gets_in() { in_peer ping -q -c 1 -W 1 10.9.0.2 >/dev/null; }
shut_out() { ! gets_in; }
adopted() { n bridge adopt br9 --uplink em1 --timeout 30 >/dev/null && n bridge confirm br9 >/dev/null; }
checks_of() { json doctor | jq -r --arg key "$1" '[.checks[] | select(.name == "filter br9") | .[$key]] | join("\n")'; }

# stale WHAT PATTERN: gets in by em1; after the adoption does not; doctor says PATTERN, and its cure lets in.
stale() {
  local cure
  say "-- $1"
  check "gets in by em1" until_true 30 gets_in
  check "and is named by nobody" equal "$(checks_of detail)" ''
  check "em1 is adopted" adopted
  check "nobody gets in" shut_out
  check "doctor says so" matches "$(checks_of detail)" "$2"
  cure=$(checks_of cure)
  said=$(bash -c "$cure" 2>&1)
  check "its cure can be run: $cure" test $? -eq 0
  [[ -z $said ]] || say "$said"
  check "one gets in" until_true 30 gets_in
  check "doctor says no more of it" equal "$(checks_of detail)" ''
  n bridge release br9 >/dev/null
}

for program in iptables iptables-legacy; do
  $program -P INPUT DROP
  $program -A INPUT -i em1 -p icmp -m comment --comment 'people are let in' -j ACCEPT
  stale $program "1 rule of ip filter \(INPUT\) is about em1, whose packets come in by br9"
  check "the rule is the same" matches "$($program -S INPUT)" '-A INPUT -i br9 -p icmp -m comment --comment "people are let in" -j ACCEPT'
  $program -P INPUT ACCEPT
  $program -F
done
nft -f - <<<'table inet lab { chain in { type filter hook input priority 5; policy drop; iifname "em1" ip protocol icmp accept; iifname { "em1", "br9" } tcp dport 22 accept; }; }'
stale nft '1 rule of inet lab \(in\) is about em1'
nft delete table inet lab
ufw --force enable >/dev/null
sed -i '/^-A ufw-before-input -p icmp --icmp-type echo-request/d' /etc/ufw/before.rules
ufw allow in on em1 >/dev/null
ufw reload >/dev/null
stale ufw '[12] rules? of ip6? filter \(ufw6?-user-input'
check "ufw itself shows it" matches "$(ufw status)" 'on br9 +ALLOW'
ufw --force disable >/dev/null
iptables -P INPUT ACCEPT
ip6tables -P INPUT ACCEPT
check "firewalld runs" firewalld_starts
firewall-cmd --permanent --zone=drop --add-interface=em2 >/dev/null
firewall-cmd --set-default-zone=drop >/dev/null
firewall-cmd --permanent --zone=trusted --add-interface=em1 >/dev/null
firewall-cmd --reload >/dev/null
stale firewalld 'of inet firewalld .* about em1'
finish

#!/usr/bin/env bash
# A command that changes groups or public addresses is killed at a dozen moments. One `nutshell ls` later the registry, the rules and the
# link's addresses agree, whichever of them it had reached.
. "$(dirname "$0")/lib.sh"

ip link add uplink type veth peer name other
ip addr add 192.0.2.1/24 dev uplink
ip link set other up
ip link set uplink up
mkdir -p "$root/etc"
cat >"$root/etc/nutshell.toml" <<'END'
[[pool]]
name = "public"
kind = "ipv4"
range = "192.0.2.16-192.0.2.31"
END
nutshell() { "$nutshell_bin" --root "$root" --config "$root/etc/nutshell.toml" "$@"; }
commits=${NUTSHELL_KILL_LIBRARY:-$build_dir/tests/faults/nutshell_kill_at.so}

# killed HOW COMMAND...: HOW is a number of commits to the registry (cN), or seconds. It is dead when this returns: without
# --foreground, timeout kills itself, too, and waits for nobody. (The sanitizers want to be preloaded first.)
killed() {
  local how=$1
  shift
  if [[ $how == c* ]]; then
    NUTSHELL_KILL_AT=${how#c} LD_PRELOAD=$commits ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 "$nutshell_bin" --quiet --root "$root" --config "$root/etc/nutshell.toml" "$@" >/dev/null 2>&1
  else
    timeout --foreground -s KILL "$how" "$nutshell_bin" --quiet --root "$root" --config "$root/etc/nutshell.toml" "$@" >/dev/null 2>&1
  fi
} 2>/dev/null
moments=(c1 c2 c3 0.01 0.02 0.03 0.04 0.05 0.06 0.07 0.08 0.1 0.13)

check "a group" n group create front --cloud shop
check "a machine in it" idle web --cloud shop --nic network=nutshell0 --group front
check "and one in none" idle db --cloud shop --nic network=nutshell0
n address allocate 192.0.2.20 --cloud shop >/dev/null
db=$(json show db | jq -r ".nics[1].ip")
# What the registry says, and what the host has of it, in the same words.
opened_by_registry() { json group ls | jq -c '[.groups[].rules[].low] | sort'; }
opened_by_nft() { nft list chain inet nutshell group_shop_front | grep -Eo 'dport [0-9]+' | awk '{print $2}' | sort -n | jq -cs .; }
leads_by_registry() { json address ls | jq -c '[.addresses[] | select(.machine != null) | .address] | sort'; }
leads_by_nft() { nft list map inet nutshell public | grep -Eo "192.0.2.[0-9]+( comment \"[^\"]*\")? : $db" | awk '{print $1}' | jq -cRs 'split("\n") | map(select(. != ""))'; }
leads_by_link() { ip -j -4 addr show dev uplink | jq -c '[.[].addr_info[] | select(.prefixlen == 32) | .local] | sort'; }
agree() {
  n ls >/dev/null || return 1
  equal "$(opened_by_nft)" "$(opened_by_registry)" && equal "$(leads_by_nft)" "$(leads_by_registry)" &&
    equal "$(leads_by_link)" "$(leads_by_registry)" && equal "$(nutshell ls 2>&1 | grep -c 'put right')" 0
}
check "they agree" agree

for at in "${moments[@]}"; do
  n group authorize front --cloud shop --protocol tcp --port 81 >/dev/null 2>&1
  killed "$at" group revoke front --cloud shop --protocol tcp --port 81
  check "group revoke, killed at $at" agree
  n group revoke front --cloud shop --protocol tcp --port 81 >/dev/null 2>&1
  killed "$at" group authorize front --cloud shop --protocol tcp --port 82
  check "group authorize, killed at $at" agree
  n group revoke front --cloud shop --protocol tcp --port 82 >/dev/null 2>&1
  killed "$at" address associate 192.0.2.20 shop/db
  check "address associate, killed at $at" agree
  n address associate 192.0.2.20 shop/db >/dev/null 2>&1
  killed "$at" address disassociate 192.0.2.20
  check "address disassociate, killed at $at" agree
  n address disassociate 192.0.2.20 >/dev/null 2>&1
  killed "$at" address release 192.0.2.20
  check "address release, killed at $at" agree
  n address allocate 192.0.2.20 --cloud shop >/dev/null 2>&1
done

say "-- what is mended is said, once"
n address associate 192.0.2.20 shop/db
killed c2 address disassociate 192.0.2.20
check "the registry was ahead" matches "$(nutshell ls 2>&1)" 'firewall: the rules of shop/db are not those that it is to have; it is put right'
n group authorize front --cloud shop --protocol tcp --port 81
killed c2 group revoke front --cloud shop --protocol tcp --port 81
check "doctor names the group" matches "$(n doctor)" 'the rules of the group shop/front are not those'
check "gc puts it right" matches "$(nutshell gc 2>&1)" 'group shop/front are not those that it is to have; it is put right'
check "the port is closed" equal "$(opened_by_nft)" '[]'

say "-- with all machines gone"
n address associate 192.0.2.20 shop/db
killed c2 address disassociate 192.0.2.20
for name in web db; do n rm "$name" --force; done
n ls >/dev/null
check "no address stays on the link" equal "$(leads_by_link)" '[]'
check "no table of ours" equal "$(nft list tables)" ''

say "-- nft was missing when a machine on a bridge was started"
ip link add br0 type bridge
ip link set br0 up
touch "$scratch/no-program"
nft_file=$(readlink -f "$(command -v nft)")
mount --bind "$scratch/no-program" "$nft_file" # in the mount namespace of this test alone
check "it runs all the same" idle lone --nic bridge=br0 2>/dev/null
umount "$nft_file"
check "without rules" equal "$(nft list tables)" ''
check "when it is back, the next that looks puts its rules in" matches "$(nutshell ls 2>&1)" 'lone runs without its rules; it is put right'
check "there" matches "$(nft list table bridge nutshell)" 'nutshell:default/lone:1'
check "that is all" equal "$(nutshell ls 2>&1 | grep -c 'put right')" 0
n rm lone --force
check "and they go with it" equal "$(nft list tables)" ''
finish

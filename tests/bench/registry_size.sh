#!/usr/bin/env bash
# A command costs as much with a million leases in the registry as with a thousand: `create`, which takes a MAC and more, and
# `lease reserve` of a range, each cold, at most 1.2 times as much at the median of pairs in alternation.
# usage: registry_size.sh [PAIRS]          NUTSHELL_BUILD_DIR is a release build
pairs=${1:-41}
. "$(dirname "${BASH_SOURCE[0]}")/../app/lib.sh"
most=1.2

# In memory where that can be had: the one sync of a command is the same in both.
[[ -w /dev/shm ]] && { roots=$(mktemp -d /dev/shm/nutshell-bench.XXXXXX); trap 'cleanup; rm -rf "$roots"' EXIT; } || roots=$scratch
printf '[[pool]]\nname = "public"\nkind = "ipv4"\nrange = "12.0.0.0-12.255.255.255"\n[[pool]]\nname = "subnet"\nrange = "11.0.0.0/8"\nprefix = 26\n' >"$scratch/nutshell.toml"
ip link add br0 type bridge
with() { "$nutshell_bin" --quiet --root "$roots/$1" --config "$scratch/nutshell.toml" "${@:2}"; }
# What it took from fork to exit, in milliseconds.
took() { "$build_dir/tests/bench/bench_measure" 1 "$nutshell_bin" --quiet --root "$roots/$1" --config "$scratch/nutshell.toml" "${@:2}" | cut -d' ' -f1; }
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }
within() { [[ $1 =~ ^[0-9.]+$ ]] && awk -v got="$1" -v limit="$2" 'BEGIN { exit !(got > 0 && got <= limit) }' || { say "  got: $1, limit $2"; return 1; }; }

for count in 1000 1000000; do
  check "the first machine beside $count leases" with "$count" create first --accel tcg --nested off --disk 1M --nic bridge=br0
  check "$count leases, of which a fifth goes back" "$build_dir/tests/bench/bench_fill" "$roots/$count/state/registry.db" "$count" "$scratch/nutshell.toml"
done

# compare WHAT COMMAND...: @ in the command stands for the number of the pair.
compare() {
  local what=$1 i few=() many=() order count one
  shift
  for ((i = 1; i <= pairs; i++)); do
    order=(1000 1000000)
    ((i % 2)) || order=(1000000 1000)
    for count in "${order[@]}"; do
      one=$(took "$count" "${@//@/$i}") || fail "$what, pair $i"
      if [[ $count == 1000 ]]; then few+=("$one"); else many+=("$one"); fi
    done
  done
  few=$(printf '%s\n' "${few[@]}" | median)
  many=$(printf '%s\n' "${many[@]}" | median)
  local ratio
  ratio=$(awk -v a="$many" -v b="$few" 'BEGIN { if (b > 0) printf "%.2f", a / b }')
  say "$what: $few ms with a thousand leases, $many ms with a million, ratio $ratio"
  check "$what costs at most $most times as much" within "$ratio" "$most"
}
compare 'lease reserve' lease reserve public 12.255.@.0-12.255.@.31
compare create create m@ --accel tcg --nested off --disk 1M --nic bridge=br0
finish

#!/usr/bin/env bash
# up and down killed with SIGKILL at every row that they write: of a new cloud, of an edit that adds and one that takes away, of
# machines that are started, and of --purge. After each the same command once more ends well, and what is there then is what an
# undisturbed one makes: no range, disk, NIC or network twice or missing; and down --purge leaves nothing.
# NUTSHELL_KILL_EVERY=N takes every N-th moment only, from one of the first N on, another one with each NUTSHELL_SEED.
. "$(dirname "$0")/../app/lib.sh"
. "$here/cloud.sh"
library=$build_dir/tests/faults/nutshell_kill_at.so
every=${NUTSHELL_KILL_EVERY:-1}
RANDOM=${NUTSHELL_SEED:=$$}
say "seed $NUTSHELL_SEED"
ln "$nutshell_bin" "$scratch/nutshell" 2>/dev/null || cp "$nutshell_bin" "$scratch/nutshell"
nutshell_bin=$scratch/nutshell # the one that is there now: somebody may be building the next
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0
public_pool 192.0.2.16-192.0.2.63

file=$clouds/c.toml
small() {
  printf 'name = "c"\n[public]\ncount = 4\n[private]\nprefix = 26\n[[network]]\nname = "lab"\nmode = "isolated"\n[[group]]\nname = "web"\nrules = ["tcp 80"]\n'
  idle_machine a 'nics = ["network=lab"]' 'disks = ["1M"]' 'groups = ["web"]'
  idle_machine b 'count = 2' 'nics = ["network=lab"]'
  idle_machine gone 'nics = ["user"]' 'disks = ["1M"]'
}
# A disk, a NIC, a network, a group, addresses and a machine more; a machine less; other memory.
large() {
  small | sed '/name = "gone"/,$d; s/count = 4$/count = 8/' | sed '$d'
  printf '[[network]]\nname = "two"\nmode = "isolated"\nprefix = 28\n[[group]]\nname = "all"\nrules = ["all"]\n'
  idle_machine come 'nics = ["network=two"]' 'disks = ["1M"]'
}
edited() { large | sed 's/disks = \["1M"\]/disks = ["1M", "2M"]/; s/^nics = \["network=lab"\]/nics = ["network=lab", "network=two"]/; s/count = 2/count = 3/; s/memory = "64M"/memory = "80M"/'; }
# What an edit may take away again, but for disks.
less() { edited | sed '/^name = "two"/d; /prefix = 28/d; s/, "network=two"//; s/"network=two"/"user"/; s/count = 8$/count = 2/; s/count = 3/count = 1/' | perl -0pe 's/\[\[network\]\]\nmode = "isolated"\n//; s/\[\[group\]\]\nname = "all"\nrules = \["all"\]\n//; s/\[private\]\nprefix = 26\n//'; }

# What there is, without the numbers that are drawn.
shape() {
  {
    json status | jq -c '.clouds[] | {name, public, private}'
    json ls | jq -r '.machines[].name' | sort | while read -r name; do
      json show "c/$name" | jq -c '{name, state, cpus, memory, groups, tags, disks: [.disks[] | del(.path)], nics: [.nics[] | [.type, .network, .bridge]]}'
    done
    json network ls | jq -r '.networks[] | select(.name != "nutshell0") | "network \(.name) \(.subnet) \(.mode) \([.machines[].name] | sort | join(" "))"'
    json group ls | jq -c '.groups[]'
    json lease ls | jq -r '.leases[] | select(.foreign == null) | "lease \(.pool) \(.cloud)/\(.machine)"' | sort
    (cd "$root/state" && find . ! -name 'registry.*' ! -name '*.lock' | sed -E 's/[0-9a-f]{8}-[0-9a-f-]{27}/UUID/g' | sort)
    json gc --dry-run | jq -c '.removed, .kept'
    sqlite3 "$root/state/registry.db" 'SELECT count(*) || " plans unfinished" FROM journal'
    say "$(our_processes | wc -l) processes, $(ip -br link | wc -l) links"
  } 2>&1
}
remains() { traces | grep -v '^\./state/clouds/c\.lock$'; }
save() { rm -rf "$scratch/saved" && cp -a "$root" "$scratch/saved"; }
restore() { rm -rf "$root" && cp -a "$scratch/saved" "$root"; }
killed_at() { { NUTSHELL_KILL_AT=$1 LD_PRELOAD=$library n "${command[@]}" >/dev/null; } 2>/dev/null; [[ $? -eq 137 ]]; }
is_gone() { [[ $(remains) == "$nothing" ]] || { diff <(say "$nothing") <(remains); return 1; }; }

# once_more WHAT: the same command ends well, and all is as it has to be.
once_more() {
  local code errors
  errors=$(n "${command[@]}" 2>&1 >/dev/null)
  code=$?
  checks=$((checks + 2))
  [[ $code -eq 0 || ($code -eq 6 && ${command[0]} == down) ]] || { fail "$1: the same command once more: exit $code: $errors"; }
  diff <(say "$wanted") <(shape) >"$scratch/differs" || { fail "$1: not what an undisturbed command makes:"; cat "$scratch/differs"; }
}

# scene NAME: from what is saved, `command` killed at each moment.
scene() {
  local at moments met=0 before=$failures
  restore
  NUTSHELL_KILL_COUNT=$scratch/moments LD_PRELOAD=$library n "${command[@]}" >/dev/null || fail "$1: in peace"
  wanted=$(shape)
  moments=$(cat "$scratch/moments")
  for ((at = 1 + RANDOM % every; at <= moments; at += every)); do
    restore
    killed_at "$at" || fail "$1 was not killed at moment $at"
    once_more "$1 killed at moment $at of $moments"
    if [[ ${command[0]} == up ]]; then n down c --purge >/dev/null || fail "$1 killed at moment $at: down --purge"; fi
    checks=$((checks + 1))
    is_gone || fail "$1 killed at moment $at of $moments: something is left after down --purge"
    # Only --purge between.
    if [[ ${command[0]} == up ]]; then
      restore
      killed_at "$at" || fail "$1 was not killed at moment $at"
      n down c --purge >/dev/null 2>"$scratch/errors" || grep -q 'no cloud c' "$scratch/errors" || fail "$1 killed at moment $at of $moments, down: $(cat "$scratch/errors")"
      checks=$((checks + 1))
      is_gone || fail "$1 killed at moment $at of $moments: something is left after down --purge alone"
    fi
    met=$((met + 1))
  done
  say "$1: $met of $moments moments, $((failures - before)) failures"
}

small >"$file"
n up "$file" --no-start >/dev/null && n down c --purge >/dev/null || { fail 'in peace'; finish; }
nothing=$(remains)

save
command=(up "$file" --no-start)
scene 'a new cloud'

restore && n up "$file" --no-start >/dev/null && save
edited >"$file"
scene 'an edit that adds'

restore && n up "$file" --no-start >/dev/null && save
command=(down c --purge)
scene 'the end of a cloud'

less >"$file"
command=(up "$file" --no-start)
scene 'an edit that takes away'
finish

#!/usr/bin/env bash
# A cloud comes and goes, again and again, and whoever looks meanwhile takes no lock: no look takes what is being made or
# removed for something that the registry has lost, for somebody else's, or for damage.
. "$(dirname "$0")/../app/lib.sh"
. "$here/cloud.sh"
seconds=20
public_pool 192.0.2.0-192.0.2.255
file=$clouds/lab.toml
{
  printf 'name = "lab"\n[public]\ncount = 4\n[private]\nprefix = 28\n[[network]]\nname = "in"\nprefix = 28\nmode = "isolated"\n[[group]]\nname = "web"\nrules = ["tcp 80"]\n'
  idle_machine m 'count = 3' 'nics = ["network=in"]'
} >"$file"
end=$((SECONDS + seconds))
come_and_go() {
  while ((SECONDS < end)); do
    n up "$file" --no-start >/dev/null && n down lab --purge >/dev/null || return
    echo >>"$scratch/rounds"
  done
}
come_and_go 2>"$scratch/mover.err" &
mover=$!
# look USUAL WORDS...: ends with 0 and no warning, or as USUAL allows.
look() {
  local usual=$1 code=0
  shift
  n "$@" >/dev/null 2>"$scratch/look.err" || code=$?
  printf '%s %s\n' "$code" "$1" >>"$scratch/ends"
  [[ "$code$(<"$scratch/look.err")" == 0 ]] || [[ "$code $(<"$scratch/look.err")" =~ ^$usual$ ]] || printf '%s: %s %s\n' "$*" "$code" "$(<"$scratch/look.err")" >>"$scratch/strange"
}
touch "$scratch/strange"
gone='6 .*there is no cloud lab.*'
for ((i = 0; SECONDS < end; i++)); do
  for ((plans = 0; plans < 4; plans++)); do look none plan "$file"; done
  case $((i % 5)) in
    0) look none ls ;;
    1) look "$gone" status lab ;;
    2) look "$gone" down lab --purge --dry-run ;;
    3) look none network ls ;;
    4) look none pool ls ;;
  esac
done
wait "$mover"
say "$(wc -l <"$scratch/rounds") rounds; looks that ended with each code:"
sort "$scratch/ends" | uniq -c
check 'the cloud came and went' test "$(wc -l <"$scratch/rounds")" -ge 5
check 'and nobody hindered it' equal "$(<"$scratch/mover.err")" ''
check 'there were plans' test "$(grep -c '^0 plan' "$scratch/ends")" -ge 20
check 'no look saw what was not so' equal "$(head -5 "$scratch/strange")" ''

say '-- machines that start and are stopped'
seconds=25 end=$((SECONDS + seconds))
start_and_stop() {
  while ((SECONDS < end)); do
    n up "$file" >/dev/null && n down lab --force --timeout 1 >/dev/null || return
    echo >>"$scratch/starts"
  done
}
start_and_stop 2>"$scratch/starter.err" &
mover=$!
: >"$scratch/strange"
tell() { printf '%s: %s\n' "$1" "$2" >>"$scratch/strange"; }
for ((i = 0; SECONDS < end; i++)); do
  seen=$(n ls 2>&1) && [[ $seen != *crashed* ]] || tell ls "$seen"
  [[ $(json ls | jq -c '[.machines[].state] - ["defined", "running", "stopped"]') == '[]' ]] || tell 'ls --json' "$(json ls)"
  seen=$(n status lab 2>&1) && [[ $seen != *crashed* ]] || tell status "$seen"
  case $((i % 3)) in
    0) seen=$(n gc --dry-run 2>&1) && [[ $seen != *'the run of'* && $seen != *rules* ]] || tell 'gc --dry-run' "$seen" ;;
    1) seen=$(n show lab/m2 2>&1) && [[ $seen != *crashed* ]] || tell show "$seen" ;;
    2) seen=$(n gc 2>&1) && [[ $seen != *'the run of'* && $seen != *rules* ]] || tell gc "$seen" ;;
  esac
done
wait "$mover"
say "$(wc -l <"$scratch/starts") rounds"
check 'they started and were stopped' test "$(wc -l <"$scratch/starts")" -ge 2
check 'and nobody hindered it' equal "$(<"$scratch/starter.err")" ''
check 'no look took a machine for one that crashed' equal "$(head -20 "$scratch/strange")" ''

say '-- a start that ends while gc lists the rules'
n down lab --force --timeout 1 >/dev/null 2>&1
n start lab/m1 >/dev/null || fail 'start lab/m1'
nft=$(command -v nft)
mkdir "$scratch/slow"
cat >"$scratch/slow/nft" <<EOF
#!/bin/bash
# A list is shown late, and rules come late: each when its file is there.
late() { touch "$scratch/\$1.waits"; for ((i = 0; i < 300; i++)); do [[ -e $scratch/\$1.goes ]] && break; sleep 0.1; done; }
[[ \$1 == list ]] && { shown=\$("$nft" "\$@"); code=\$?; late list; printf '%s\\n' "\$shown"; exit "\$code"; }
[[ -n \$rules_late && \$1 == -f ]] && late rules
exec "$nft" "\$@"
EOF
chmod +x "$scratch/slow/nft"
rules_late=1 PATH=$scratch/slow:$PATH n start lab/m2 >/dev/null 2>"$scratch/start.err" &
starter=$!
check 'a start is at its rules' until_true 30 test -e "$scratch/rules.waits"
PATH=$scratch/slow:$PATH n gc >"$scratch/gc" 2>&1 &
collector=$!
check 'gc is at its list' until_true 30 test -e "$scratch/list.waits"
touch "$scratch/rules.goes"
check 'it ends' wait "$starter"
touch "$scratch/list.goes"
check 'gc, too' wait "$collector"
check 'and has put nothing back' equal "$(<"$scratch/gc")" 'nothing was left behind'
n down lab --purge --force --timeout 1 >/dev/null
finish

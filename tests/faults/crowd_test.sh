#!/usr/bin/env bash
# Thirty-two launches at one moment: of 32 machines on the managed network and on one bridge, where all must run and no two may
# have been given the same thing; and of one name, where one runs and 31 are told so.
. "$(dirname "$0")/../app/lib.sh"

crowd=${NUTSHELL_CROWD:-32}
# launches PREFIX OPTION...: $crowd at once, each with its exit code in a file.
launches() {
  local prefix=$1 i pids=()
  shift
  for ((i = 0; i < crowd; i++)); do
    { n launch "$prefix$i" --memory 64M --nested off --accel tcg "$@" >"$scratch/out.$i" 2>"$scratch/err.$i"; echo $? >"$scratch/code.$i"; } & pids+=($!)
  done
  wait "${pids[@]}"
}
codes() { cat "$scratch"/code.* | sort | uniq -c | xargs; }
# distinct WHAT JQ: as many different values as machines.
distinct() { check "$1: all distinct" equal "$(json ls | jq -r "$2" | grep -v '^null$' | sort | uniq -c | awk '{print $1}' | sort | uniq -c | xargs)" "$crowd 1"; }

all_run() { # WHERE
  check "$1: every launch succeeds" equal "$(codes)" "$crowd 0" || cat "$scratch"/err.*
  check "$1: all run" equal "$(json ls | jq -r '.machines[].state' | sort | uniq -c | xargs)" "$crowd running"
  distinct "$1: MACs" '.machines[].nics[].mac'
  distinct "$1: taps" '.machines[].nics[].tap'
  distinct "$1: displays" '.machines[].vnc.display'
  distinct "$1: processes" '.machines[].pid'
  check "$1: each tap is a port of the bridge" equal "$(ip -o link show type tun master "$2" | wc -l)" "$crowd"
}
remove_all() {
  local name pids=()
  for name in $(json ls | jq -r '.machines[].name'); do n rm "$name" --force & pids+=($!); done
  for name in "${pids[@]}"; do wait "$name" || fail "rm --force in a crowd"; done
}

n create warm --memory 64M --nic user >/dev/null && n rm warm
before=$(traces)
launches net
all_run nutshell0 nutshell0
distinct "nutshell0: addresses" '.machines[].nics[].ip'
check "nutshell0: one dnsmasq that knows them all" equal "$(sort -u "$root/run/net-nutshell0/hosts" | wc -l)" "$crowd"
remove_all
check "nutshell0: removed at once, nothing is left" equal "$(traces)" "$before"

ip link add br7 type bridge && ip link set br7 up
before=$(traces)
launches wire --nic bridge=br7
all_run br7 br7
remove_all
check "br7: removed at once, nothing is left" equal "$(traces)" "$before"

one_name() {
  local i pids=()
  for ((i = 0; i < crowd; i++)); do
    { n launch one --memory 64M --nested off --accel tcg --nic user >"$scratch/out.$i" 2>"$scratch/err.$i"; echo $? >"$scratch/code.$i"; } & pids+=($!)
  done
  wait "${pids[@]}"
}
rm "$scratch"/err.*
one_name
check "one name: one runs, the others are refused" equal "$(codes)" "1 0 $((crowd - 1)) 4"
check "one name: they are told why, in one line each" equal "$(cat "$scratch"/err.* | grep -c 'there is a machine one already')" "$((crowd - 1))"
check "one name: it runs" equal "$(json ls | jq -c '[.machines[] | [.name, .state]]')" '[["one","running"]]'
n rm one --force
check "one name: nothing is left" equal "$(traces)" "$before"
finish

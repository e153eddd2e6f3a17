#!/usr/bin/env bash
# What a start by nutshell costs beside the same machine given straight to QEMU: pairs in alternating order, the ratio of
# each pair, and its median, which may be 1.25. Ours is `nutshell start NAME`, which returns when QMP has said that the
# machine runs; theirs is QEMU with -daemonize and without -S, which returns at the same point. Both lines are printed, and
# the device trees of both are compared as QEMU itself lists them: unequal machines are no comparison.
#
# usage: start.sh [PAIRS]          as root; NUTSHELL_BUILD_DIR is a release build
pairs=${1:-30}
. "$(dirname "${BASH_SOURCE[0]}")/../app/lib.sh"
limit=1.25
bare=$scratch/bare
mkdir "$bare"
display=77 # any that is free; the namespace has none

# bare_line NAME TAP: the line that nutshell would run, with paths in the place of descriptors and without what only a
# launcher can use (-S, -add-fd, the sandbox, which forbids the fork of -daemonize). A tap is one that is there already.
bare_line() {
  json command "$1" | jq -r --arg bare "$bare" --arg tap "${2:-}" --arg iso "$guest/demo.iso" --arg display "$display" '
    .argv as $argv
    | (reduce range(0; $argv | length) as $i ({}; if $argv[$i] == "-add-fd"
        then ($argv[$i + 1] | capture("set=(?<set>[0-9]+),opaque=(?<what>.*)")) as $m
             | . + {($m.set): {"disk0-image": ($bare + "/disk0.img"), "cdrom": $iso, "serial0-log": ($bare + "/serial.log")}[$m.what]}
        else . end)) as $files
    | [range(0; $argv | length)
       | . as $i | $argv[$i] as $word | (if $i > 0 then $argv[$i - 1] else "" end) as $before
       | if $word == "-S" or $word == "-add-fd" or $word == "-sandbox" or $before == "-add-fd" or $before == "-sandbox" then empty
         elif $before == "-vnc" then "127.0.0.1:" + $display
         elif $before == "-netdev" and $tap != "" then {"type": "tap", "id": "net0", "ifname": $tap, "script": "no", "downscript": "no"} | tojson
         else $word
           | reduce ($files | keys[]) as $set (.; gsub("/dev/fdset/" + $set + "(?![0-9])"; $files[$set]))
           | (capture("^socket,id=(?<id>[^,]+),fd=[0-9]+(?<rest>.*)$") // null) as $socket
           | if $socket then "socket,id=\($socket.id),path=\($bare)/\($socket.id)\($socket.rest)" else . end
         end]
    + ["-daemonize", "-pidfile", $bare + "/pid"] | .[]'
}

start_bare() { rm -f "$bare"/{pid,qmp0}; "${line[@]}" 2>"$bare/errors"; }
stop_bare() {
  local pid tries=0
  pid=$(cat "$bare/pid") && kill -9 "$pid" || return 1
  while kill -0 "$pid" 2>/dev/null && ((tries++ < 500)); do sleep 0.01; done
}
device_tree_bare() {
  printf '%s\n' '{"execute":"qmp_capabilities"}' '{"execute":"human-monitor-command","arguments":{"command-line":"info qtree"}}' |
    socat -t 2 - "UNIX-CONNECT:$bare/qmp0" | jq -r 'select(.return | strings) | .return'
}
device_tree_ours() { n qmp "$1" human-monitor-command '{"command-line":"info qtree"}' | jq -r .; }
devices() { tr -d '\r' | sed -n 's/^ *\(dev: [^,]*\(, id ".*"\)\?\).*/\1/p' | LC_ALL=C sort; }

# timed COMMAND...: its time in microseconds; fails when the command does.
timed() {
  local begin=${EPOCHREALTIME/[.,]/}
  "$@" >/dev/null || return 1
  echo $((${EPOCHREALTIME/[.,]/} - begin))
}
start_ours() { "$nutshell_bin" --root "$root" --quiet start "$1" >/dev/null; }

# compare NAME TAP: one machine, both ways.
compare() {
  local name=$1 ours theirs i figures=()
  truncate -s 1G "$bare/disk0.img"
  mapfile -t line < <(bare_line "$name" "${2:-}")
  say "nutshell: $(n command "$name")"
  say "straight: ${line[*]@Q}"

  check "$name: nutshell starts it" start_ours "$name"
  device_tree_ours "$name" | devices >"$scratch/ours"
  n kill "$name"
  check "$name: QEMU starts it" start_bare
  check "$name: QEMU alone runs it when it returns" matches "$(printf '%s\n' '{"execute":"qmp_capabilities"}' '{"execute":"query-status"}' | socat -t 2 - "UNIX-CONNECT:$bare/qmp0")" '"status": "running"'
  device_tree_bare | devices >"$scratch/theirs"
  stop_bare
  check "$name: there are devices to compare" matches "$(cat "$scratch/ours")" 'dev: virtio-blk-pci, id "disk0"'
  check "$name: both machines have the same devices" diff "$scratch/ours" "$scratch/theirs"

  for ((i = 0; i < pairs; i++)); do
    if ((i % 2 == 0)); then
      ours=$(timed start_ours "$name") || fail "$name: start $i"
      n kill "$name"
      theirs=$(timed start_bare) || fail "$name: bare start $i: $(cat "$bare/errors")"
      stop_bare
    else
      theirs=$(timed start_bare) || fail "$name: bare start $i: $(cat "$bare/errors")"
      stop_bare
      ours=$(timed start_ours "$name") || fail "$name: start $i"
      n kill "$name"
    fi
    figures+=("$ours $theirs")
  done
  printf '%s\n' "${figures[@]}" >"$scratch/figures"
  median=$(awk '{ print $1 / $2 }' "$scratch/figures" | sort -g | awk '{ r[NR] = $1 } END { printf "%.3f", r[int((NR + 1) / 2)] }')
  p90=$(awk '{ print $1 / $2 }' "$scratch/figures" | sort -g | awk '{ r[NR] = $1 } END { printf "%.3f", r[int(NR * 0.9 + 0.5)] }')
  say "$name: $pairs pairs: nutshell $(middle 1) ms, QEMU alone $(middle 2) ms (medians); ratio $median at the median, $p90 at p90"
  checks=$((checks + 1))
  awk -v got="$median" -v limit="$limit" 'BEGIN { exit !(got > 0 && got <= limit) }' ||
    fail "$name: a start by nutshell takes $median times as long as QEMU alone, and $limit is the limit"
}
middle() { awk -v column="$1" '{ print $column / 1000 }' "$scratch/figures" | sort -g | awk '{ r[NR] = $1 } END { printf "%.1f", r[int((NR + 1) / 2)] }'; }

# The same memory, TCG (a measure of starting, not of running), a disk, an ISO, a screen.
spec=(--accel tcg --nested off --memory 256M --disk 1G --cdrom "$guest/demo.iso")
n create usernet "${spec[@]}" --nic user
compare usernet

# On a bridge QEMU alone is given a tap that was made, named and plugged in before; ours makes its own each time.
ip link add br0 type bridge
ip link set br0 up
ip tuntap add dev bare0 mode tap vnet_hdr
ip link set bare0 master br0 up
n create bridged "${spec[@]}" --nic bridge=br0
compare bridged bare0
finish

#!/usr/bin/env bash
# What `up` of eight machines costs beside the same eight lines given straight to QEMU, all at once: pairs in alternating order,
# and the median of their ratios, which may be 1.3. Both end at the same point: the kernel of every guest has said its first
# line. (How long eight guests on a few cores take to boot from there is the same for both, and would only hide a difference.)
# The others' lines are the machines' own, with paths in the place of descriptors: the same devices in every machine.
#
# usage: up.sh [PAIRS]          NUTSHELL_BUILD_DIR is a release build
pairs=${1:-3}
. "$(dirname "${BASH_SOURCE[0]}")/../app/lib.sh"
. "$here/cloud.sh"
limit=1.3 machines=8 word='Linux version'
bare=$scratch/bare
mkdir "$bare"
{
  printf 'name = "c"\n'
  quick_machine m "count = $machines" 'nics = ["user"]' 'vnc = "off"' | sed 's/console=ttyS0 quiet/console=ttyS0 earlyprintk=ttyS0/'
} >"$clouds/c.toml"
n up "$clouds/c.toml" --no-start >/dev/null || fail 'up --no-start'

# bare_line NUMBER: the line of a machine, a word on each line, without what only a launcher can use (-S, descriptors).
bare_line() {
  json command "c/m$1" | jq -r --arg bare "$bare/$1" --arg guest "$guest" '
    .argv as $argv | range(0; $argv | length)
    | $argv[.] as $word | (if . > 0 then $argv[. - 1] else "" end) as $before
    | if $word == "-S" or $word == "-add-fd" or $before == "-add-fd" then empty
      elif $before == "-kernel" then $guest + "/vmlinuz"
      elif $before == "-initrd" then $guest + "/initrd"
      else ($word | gsub("/dev/fdset/[0-9]+"; $bare + ".serial")
        | (capture("^socket,id=(?<id>[^,]+),fd=[0-9]+(?<rest>.*)$") // null) as $socket
        | if $socket then "socket,id=\($socket.id),path=\($bare).\($socket.id)\($socket.rest)" else . end)
      end'
}
for ((i = 1; i <= machines; i++)); do bare_line "$i" >"$bare/$i.line"; done
say "nutshell: $(n command c/m1)"
say "straight: $(xargs -d '\n' <"$bare/1.line")"

# all_say FILE...: waits until each machine has said its word.
all_say() {
  local end=$((SECONDS + 300))
  while [[ $(grep -laF -- "$word" "$@" 2>/dev/null | wc -l) -lt $machines ]]; do
    ((SECONDS < end)) || { fail "not every guest has come up: $*"; return 1; }
    sleep 0.02
  done
}
pids=()
ours() {
  "$nutshell_bin" --root "$root" --quiet up "$clouds/c.toml" >/dev/null 2>"$scratch/errors" || fail "up: $(cat "$scratch/errors")"
  all_say "$root"/log/*/*.serial
}
theirs() {
  local i line
  for ((i = 1; i <= machines; i++)); do
    mapfile -t line <"$bare/$i.line"
    "${line[@]}" </dev/null >/dev/null 2>"$bare/$i.errors" & pids+=($!)
  done
  all_say "$bare"/{1..8}.serial
}
clear_ours() { n down c --force --timeout 1 >/dev/null; rm -f "$root"/log/*/*.serial; }
clear_theirs() {
  kill -9 "${pids[@]}" && wait "${pids[@]}" 2>/dev/null
  pids=()
  rm -f "$bare"/*.serial
}
# timed WHO: its time in microseconds, in $took.
timed() {
  local begin=${EPOCHREALTIME/[.,]/}
  "$1"
  took=$((${EPOCHREALTIME/[.,]/} - begin))
  "clear_$1"
}

timed theirs # the files are in memory from here
: >"$scratch/figures"
for ((i = 0; i < pairs; i++)); do
  if ((i % 2)); then timed theirs; b=$took; timed ours; a=$took; else timed ours; a=$took; timed theirs; b=$took; fi
  awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f %.2f %.3f\n", a / 1e6, b / 1e6, a / b }' | tee -a "$scratch/figures" | sed 's/^/nutshell, QEMU alone (s), ratio: /'
done
median=$(cut -d' ' -f3 "$scratch/figures" | sort -g | awk '{ r[NR] = $1 } END { print r[int((NR + 1) / 2)] }')
say "$machines machines at once, $pairs pairs: ratio $median at the median"
checks=$((checks + 1))
awk -v got="$median" -v limit="$limit" 'BEGIN { exit !(got > 0 && got <= limit) }' ||
  fail "up of $machines machines takes $median times as long as their lines alone, and $limit is the limit"
finish

#!/usr/bin/env bash
# nutshell is killed at each of its calls of lvm, before and after the call, while it launches, stops and removes a machine
# on logical volumes, clones and snapshots: the next command puts right what was left, and nothing stays.
# limit: 900
source ./lib.sh

names() { lvs --noheadings -o lv_name "$vg" 2>/dev/null | sort | xargs; }
idle() { local name=$1; shift; n launch "$name" --memory 64M --nested off --nic none --vnc off "$@"; }

must "a volume group" make_vg
on_exit drop_vg
real=$(command -v lvm)
mkdir "$scratch/bin"
# lvm, which kills who called it at the call KILL_AT, before or after the work.
cat >"$scratch/bin/lvm" <<LVM
#!/bin/bash
case \$1 in fullreport | lvs | vgs | pvs) exec $real "\$@" ;; esac
n=\$((\$(cat "$scratch/calls" 2>/dev/null) + 1))
echo \$n >"$scratch/calls"
if [[ \$n == "\$KILL_AT" && \$KILL_WHEN == before ]]; then kill -9 \$PPID; exit 5; fi
$real "\$@"
status=\$?
if [[ \$n == "\$KILL_AT" && \$KILL_WHEN == after ]]; then kill -9 \$PPID; fi
exit \$status
LVM
chmod 755 "$scratch/bin/lvm"
killed() { rm -f "$scratch/calls"; KILL_AT=$1 KILL_WHEN=$2 PATH=$scratch/bin:$PATH "${@:3}" >/dev/null 2>&1; [[ $? -eq 137 ]]; }
calls() { rm -f "$scratch/calls"; KILL_AT=0 KILL_WHEN=never PATH=$scratch/bin:$PATH "$@" >/dev/null 2>&1; cat "$scratch/calls" 2>/dev/null || echo 0; }
nothing() { equal "$(names)|$(json ls | jq '.machines | length')|$(our_processes)|$(ls "$root/state/machines" 2>/dev/null)" "$1|0||"; }

launch() { idle ciab --disk "16M,vg=$vg"; }
count=$(calls launch)
must "a launch that works, with $count calls that change something" equal "$(state_of ciab)" running
must "rm" n rm ciab --force
for ((at = 1; at <= count; at++)); do
  for when in before after; do
    check "killed $when call $at of a launch" killed "$at" "$when" launch
    n ls >/dev/null
    check "nothing stays" nothing ''
  done
done

must "a machine" launch
for when in before after; do
  check "killed $when the first call of a kill" killed 1 "$when" n kill ciab
  check "the next who looks finishes it" equal "$(state_of ciab)" stopped
  check "and the volumes are inactive" equal "$(lvs --noheadings -o lv_active "$vg" | xargs)" ''
  must "start" n start ciab
done
check "killed in rm" killed 2 after n rm ciab --force
n ls >/dev/null
check "nothing stays" nothing ''

note "clones and snapshots of a running machine"
must "a machine" launch
uuid=$(uuid_of ciab)
count=$(calls n volume clone ciab copy)
must "a clone that works" n volume rm copy
for ((at = 1; at <= count; at++)); do
  for when in before after; do
    check "killed $when call $at of a clone" killed "$at" "$when" n volume clone ciab copy
    n ls >/dev/null
    check "the guest is not left standing" equal "$(state_of ciab)" running
    if [[ $(names) == *copy\ * || $(names) == copy* ]]; then n volume rm copy; fi
    check "no momentary snapshot stays" equal "$(names)" vm.default.ciab.0
  done
done
for when in before after; do
  check "killed $when a snapshot" killed 1 "$when" n volume snapshot ciab s
  n ls >/dev/null
  check "the guest goes on" equal "$(state_of ciab)" running
  check "and there is none" equal "$(names)" vm.default.ciab.0
done
check "rm" n rm ciab --force
check "nothing stays" nothing ''
finish

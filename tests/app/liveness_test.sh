#!/usr/bin/env bash
# How a machine ends, and what is said of it afterwards although nobody watched; and that looking never lies.
. "$(dirname "$0")/lib.sh"

end_of() { json show "$1" | jq -r .last_end; }
words_of() { n ls | awk -v name="$1" '$1 == name {$1 = ""; print substr($0, 2)}'; }
is() { [[ $(state_of "$1") == "$2" ]]; }
# After an end: the state, the words, and that nothing of the run is left although only `ls` was called.
ended() { # NAME STATE WORDS
  check "$1: $2" until_true 20 is "$1" "$2"
  check "$1: how it ended" matches "$(end_of "$1")" "$3"
  check "$1: its run folder is gone" test ! -e "$root/run/$(uuid_of "$1" | cut -c1-8)"
  check "$1: the leases of its run are gone" equal "$(n lease ls --json | jq "[.leases[] | select(.machine == \"$1\" and (.pool == \"vnc\" or .pool == \"tap\"))] | length")" 0
}

up() { local name=$1; shift; quick "$name" --wait "serial=up " --timeout 120 "$@" >/dev/null; }

up off --append "console=ttyS0 quiet nutshell.do=poweroff nutshell.after=1" & jobs=($!)
up panics --append "console=ttyS0 quiet nutshell.do=panic nutshell.after=1" & jobs+=($!)
for job in "${jobs[@]}"; do wait "$job" || fail "a launch"; done
ended off stopped '^stopped: the guest powered off'
ended panics crashed '^crashed: the guest panicked'
n rm off
n rm panics

idle shot >/dev/null
kill -9 "$(pid_of shot)"
ended shot crashed '^crashed'
n start shot >/dev/null
n qmp shot quit >/dev/null
ended shot stopped '^stopped'
n start shot >/dev/null
kill "$(pid_of shot)"
ended shot stopped '^stopped'

n start shot >/dev/null
check "running" equal "$(state_of shot)" running
n pause shot
check "paused, in JSON" equal "$(state_of shot)" paused
check "paused, in ls" matches "$(words_of shot)" '^paused '
check "QEMU agrees" equal "$(n qmp shot query-status | jq -r .status)" paused
n resume shot
check "resumed" matches "$(words_of shot)" '^running '
check "QEMU agrees" equal "$(n qmp shot query-status | jq -r .status)" running
kill -STOP "$(pid_of shot)"
check "a QEMU that is stopped by a signal still lives" equal "$(state_of shot)" running
kill -CONT "$(pid_of shot)"

# Four who look at once, while another machine comes and goes: a running machine is never said to be anything else.
looks() { for _ in $(seq 40); do n ls | awk '$1 == "shot" {print $2}'; done; }
pids=()
for i in 1 2 3 4; do looks >"$scratch/looks.$i" 2>&1 & pids+=($!); done
idle guest-two >/dev/null
for _ in 1 2 3; do n kill guest-two; n start guest-two >/dev/null; done
n rm guest-two --force
for pid in "${pids[@]}"; do wait "$pid"; done
check "160 looks, and it ran at each" equal "$(sort "$scratch"/looks.* | uniq -c | xargs)" "160 running"

# The host restarts: another boot id, no process, no link; the registry and the run folder as they were.
n launch lan --memory 64M --nested off --accel tcg >/dev/null
shot=$(pid_of shot) lan=$(pid_of lan)
kill -9 "$shot" "$lan" "$(cut -d' ' -f1 "$root/run/net-nutshell0/dnsmasq.pid")"
ip link del nutshell0
cat /proc/sys/kernel/random/uuid >"$scratch/boot_id"
mount --bind "$scratch/boot_id" /proc/sys/kernel/random/boot_id
check "after a restart of the host ls says so" matches "$(words_of shot)" '^stopped \(host restarted\)'
ended shot stopped '^stopped \(host restarted\)'
ended lan stopped '^stopped \(host restarted\)'
check "it starts again" n start lan
check "and runs" equal "$(state_of lan)" running
umount /proc/sys/kernel/random/boot_id
n rm lan --force

# Who is removed while somebody looks is not said to have been launched in vain.
looks() { for _ in $(seq 200); do n show gone || break; done; }
for round in 1 2 3 4; do
  idle gone >/dev/null
  pids=()
  for i in 1 2 3; do looks >"$scratch/gone.$round.$i" 2>&1 & pids+=($!); done
  until_true 20 grep -qs '^state' "$scratch/gone.$round.1"
  n rm gone --force
  for pid in "${pids[@]}"; do wait "$pid"; done
done
check "what is said of its end is true" equal "$(cat "$scratch"/gone.* | grep -E '^nutshell: |^state.*stopped' | grep -Evx 'nutshell: (there is no machine gone;.*|gone is gone: another command has removed it, .*)|state +stopped: killed by rm.*')" ''
# The same when the command that removes it was killed, and whoever looks brings it to its end.
n create gone --memory 64M --nic user >/dev/null
uuid=$(uuid_of gone)
sqlite3 "$root/state/registry.db" "INSERT INTO journal (plan, steps, owner_pid, owner_start, boot_id, since) VALUES ('{\"verb\":\"rm\",\"machine\":\"$uuid\",\"on_failure\":\"keep_going\",\"steps\":[{\"step\":\"forget_machine\",\"uuid\":\"$uuid\",\"name\":\"default/gone\"}]}', 1, 1, 1, 'gone', '')"
refuse 6 'gone is gone: a .rm. that was cut short is finished; .nutshell ls. lists what is there$' n show gone
finish

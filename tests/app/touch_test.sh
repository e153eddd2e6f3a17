#!/usr/bin/env bash
# What is done to a machine by hand while it runs: its console, its log, its screen, its CD, its QMP.
. "$(dirname "$0")/lib.sh"

check "launch" quick t --nic none --cdrom "$guest/demo.iso" --wait 'serial=nutshell-guest# ' --timeout 120
uuid=$(uuid_of t)

# The console, in a terminal: what is typed is answered, Ctrl-] leaves, and the terminal is as it was.
type_into() { perl -e 'select undef, undef, undef, 1; syswrite STDOUT, "$_\n" and select undef, undef, undef, 1.5 for @ARGV; syswrite STDOUT, "\x1d"; select undef, undef, undef, 1' -- "$@"; }
type_into 'echo sum=$((40+2))' | timeout 30 script -qefc "stty -a >'$scratch/stty.before'; '$nutshell_bin' --root '$root' console t; echo code=\$?; stty -a >'$scratch/stty.after'" /dev/null >"$scratch/console" 2>&1
check "what is typed at the console is answered" grep -aq 'sum=42' "$scratch/console"
check "Ctrl-] leaves it, with exit 0" grep -aq 'code=0' "$scratch/console"
check "the terminal is as it was" cmp "$scratch/stty.before" "$scratch/stty.after"
check "the machine runs on" equal "$(state_of t)" running
check "the console can be opened again" timeout 30 bash -c "printf 'echo again=\$((1+1))\n' | timeout 3 '$nutshell_bin' --root '$root' --quiet console t | grep -a -q again=2"

# Its screen.
check "a screenshot" n screenshot t "$scratch/screen.png"
check "is a PNG" equal "$(head -c 8 "$scratch/screen.png" | od -An -tx1 | xargs)" "89 50 4e 47 0d 0a 1a 0a"
size=$(perl -e 'open my $f, "<:raw", shift; read $f, my $b, 24; print join "x", unpack "x16 NN", $b' "$scratch/screen.png")
check "of a screen's size" matches "$size" '^(640|720|800|1024|1280)x(400|480|600|768|800)$'
refuse 1 '.' n screenshot t "$scratch/no/such/folder.png"
mkfifo "$scratch/pipe.png"
refuse 4 'not replaced' n screenshot t "$scratch/pipe.png"
check "what is no plain file is not replaced" test -p "$scratch/pipe.png"
refuse 4 'a directory' n screenshot t "$scratch"

# Its CD: the guest sees each change.
cd_size() { type_to t 'echo size=$(cat /sys/block/sr0/size)='; tr -d '\r' <"$root/log/$uuid/1.serial" | grep -ao '^size=[0-9]*=' | tail -1; }
sees() { # BYTES: the guest sees a medium of that many sectors of 512 bytes.
  [[ $(cd_size) == "size=$(($1 / 512))=" ]]
}
check "the guest sees the CD" until_true 20 sees "$(stat -c %s "$guest/demo.iso")"
check "another CD" n cdrom t "$guest/installer.iso"
type_to t 'dd if=/dev/sr0 of=/dev/null count=1'
check "the guest sees it" until_true 30 sees "$(stat -c %s "$guest/installer.iso")"
check "show says so" equal "$(json show t | jq -r .cdrom)" "$guest/installer.iso"
check "ejected" n cdrom t --eject
check "QEMU's drive is empty" equal "$(n qmp t query-block | jq '[.[] | select(.qdev // "" | test("cd0"))][0].inserted')" null
check "show says so" equal "$(json show t | jq -r '.cdrom // ""')" ""
check "no descriptor of the old ISO is left in QEMU" equal "$(readlink /proc/"$(pid_of t)"/fd/* | grep -c '\.iso$')" 0
refuse 6 'no such|does not exist|there is no' n cdrom t "$scratch/none.iso"
check "a CD again" n cdrom t "$guest/demo.iso"

# QMP.
check "a QMP command" equal "$(n qmp t query-name | jq -r .name)" t
check "with arguments" equal "$(n qmp t human-monitor-command '{"command-line":"info name"}' | jq -r . | tr -d '\r\n')" t
refuse 1 'no-such-command' n qmp t no-such-command
refuse 2 'JSON' n qmp t query-name '{'

# Two commands that speak to one QEMU wait for one another.
pids=()
for i in 1 2 3 4 5 6 7 8; do n qmp t query-status >"$scratch/status.$i" & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid" || fail "QMP beside seven others"; done
check "eight at once, each answered" equal "$(cat "$scratch"/status.? | jq -r .status | sort | uniq -c | xargs)" "8 running"

# log -f, until it ends.
n log t -f >"$scratch/log" & follow=$!
n log t --serial -f >"$scratch/serial" & follow_serial=$!
check "pressed, it powers off" n stop t --timeout 60
check "log -f ends with the machine" timeout 10 tail --pid=$follow -f /dev/null
check "log -f --serial, too" timeout 10 tail --pid=$follow_serial -f /dev/null
check "the log has the end" grep -q 'runstate_set.*shutdown' "$scratch/log"
check "the serial log has the beginning" grep -aq 'nutshell-guest: up' "$scratch/serial"
refuse 4 'does not run|not running' n screenshot t "$scratch/screen2.png"
refuse 4 'does not run|not running' n console t
n rm t
check "nothing is left" equal "$(traces)" "link lo"
finish

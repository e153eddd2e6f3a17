#!/usr/bin/env bash
# supervise: told to a service manager over NOTIFY_SOCKET as systemd would be; stopped by SIGTERM in order; a crash is cleaned up
# at once, and answered by a restart only where that was asked for.
. "$(dirname "$0")/lib.sh"

# One line of the file for each word that the service manager is told.
perl -MIO::Socket::UNIX -e '$| = 1; my $s = IO::Socket::UNIX->new(Local => shift, Type => SOCK_DGRAM) or die; print "$_\n" while defined recv $s, $_, 4096, 0' \
  "$scratch/notify" >"$scratch/told" & told=$!
until_true 30 test -S "$scratch/notify"
export NOTIFY_SOCKET=$scratch/notify
heard() { grep -c "$1" "$scratch/told"; }
heard_times() { [[ $(heard "$1") -eq $2 ]]; }
# supervise NAME OPTION...: in the background; $pid.
supervise() { "$nutshell_bin" --root "$root" supervise "$@" >"$scratch/said" 2>&1 & pid=$!; }
run_folder() { [[ -e $root/run/$(uuid_of "$1" | cut -c1-8) ]]; }
no_run_folder() { ! run_folder "$1"; }
new_pid() { local now; now=$(pid_of s); [[ $now != null && $now != "$1" ]]; }

quick s --nic network=nutshell0 >/dev/null
n kill s

supervise s
check "it tells that it is ready" until_true 20 heard_times '^READY=1' 1
check "the machine runs" equal "$(state_of s)" running
n wait s 'serial=nutshell-guest# ' --timeout 120
kill -TERM "$pid"
wait "$pid"
check "SIGTERM: it ends with 0" equal "$?" 0
check "it told that it stops" heard_times '^STOPPING=1' 1
check "the guest powered off" matches "$(json show s | jq -r .last_end)" 'stopped: the guest powered off'
check "nothing of the run is left, before anybody looks" no_run_folder s

supervise s
until_true 20 heard_times '^READY=1' 2
qemu=$(pid_of s)
kill -9 "$qemu"
wait "$pid"
check "a crash: it ends with 1" equal "$?" 1
check "the crash is said" matches "$(cat "$scratch/said")" 'crashed'
check "all is cleaned up already: run folder" no_run_folder s
check "all is cleaned up already: links, DHCP" equal "$(traces | grep -cE '^(link|process)')" 1

supervise s --restart on-crash
until_true 20 heard_times '^READY=1' 3
qemu=$(pid_of s)
kill -9 "$qemu"
check "on-crash: it is started again" until_true 20 heard_times '^READY=1' 4
check "with another process" until_true 30 new_pid "$qemu"
n wait s 'serial=nutshell-guest# ' --timeout 120
type_to s 'poweroff -f'
wait "$pid"
check "on-crash: an orderly end is an end" equal "$?" 0
check "it is stopped" equal "$(state_of s)" stopped

n start s >/dev/null
supervise s --restart on-crash
check "it stays with a machine that runs already" until_true 20 heard_times '^READY=1' 5
n kill s
wait "$pid"
check "killed by another command: it ends" equal "$?" 0
refuse 3 'not known' n supervise s --restart sometimes
unset NOTIFY_SOCKET
kill "$told"
n rm s
check "nothing is left" equal "$(traces)" "link lo"
finish

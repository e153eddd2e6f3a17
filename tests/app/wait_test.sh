#!/usr/bin/env bash
# Waiting: what is met, what is not met in time (exit 7, and the machine runs on), and what can no longer be met.
. "$(dirname "$0")/lib.sh"

seconds() { local start=$SECONDS; "$@"; local code=$?; took=$((SECONDS - start)); return $code; }

check "launch and wait for the guest's address" quick w --nic network=nutshell0 --append "console=ttyS0 quiet nutshell.say=hello-once" \
  --wait 'serial=eth0 [0-9.]+/24' --timeout 120
check "running is met at once" n wait w running --timeout 5
check "what this boot wrote is met at once" n wait w 'serial=says hello-once$' --timeout 5
check "the unfinished last line counts" n wait w 'serial=^nutshell-guest# ' --timeout 10

refuse 7 'was not met in 1 s; the machine runs on' n wait w 'serial=never said' --timeout 1
check "it runs on" equal "$(state_of w)" running
refuse 7 'was not met in 1 s' n wait w stopped --timeout 1
refuse 7 'was not met in 1 s' n wait w port=4444 --timeout 1
# The guest's own shell opens a port.
type_to w 'busybox httpd -p 4444'
check "a port in the guest" n wait w port=4444 --timeout 20
refuse 3 'no extended regular expression' n wait w 'serial=(' --timeout 1
refuse 3 'no condition' n wait w sleeping
# Without an address that is known, a port can never be met: said before anything is made.
refuse 3 'no address that nutshell knows of' n launch nowhere --nic none --wait port=22
refuse 6 'nowhere' n show nowhere
refuse 7 'was not met in 1 s' n wait w agent --timeout 1

# The same text, after a restart: only the new boot's words count.
n restart w >/dev/null & restart=$!
wait "$restart" || fail "restart"
start=$(date +%s%N)
check "the same text again, after a restart" n wait w 'serial=says hello-once' --timeout 120
check "it was not met by the old boot's log" test $((($(date +%s%N) - start) / 1000000)) -gt 500
check "there are two serial logs, each with the text" equal "$(grep -lc 'says hello-once' "$root/log/$(uuid_of w)"/*.serial | wc -l)" 2

# A machine that ends while it is waited for.
n wait w 'serial=never said' --timeout 60 2>"$scratch/wait" & waiting=$!
sleep 1
seconds n kill w
seconds wait "$waiting"
check "exit 7 when it ends" equal "$?" 7
check "at once" test "$took" -lt 5
check "it says so" matches "$(cat "$scratch/wait")" 'cannot be met any more'
check "stopped is met" n wait w stopped --timeout 5
refuse 7 'cannot be met any more' n wait w agent --timeout 5
refuse 7 'was not met in 1 s' n wait w running --timeout 1
refuse 6 'no machine' n wait nobody running
n rm w

check "the agent of a guest that has one" n launch a --memory 256M --nested off --accel tcg --nic none --kernel "$guest/vmlinuz" \
  --initrd "$guest/initrd-agent" --append "console=ttyS0 quiet" --wait agent --timeout 120
refuse 7 'was not met in 2 s; the machine runs on' idle late --wait 'serial=x' --timeout 2
check "a launch whose wait was not met has launched" equal "$(state_of late)" running
n rm late --force
n rm a --force
check "nothing is left" equal "$(traces)" "link lo"
finish

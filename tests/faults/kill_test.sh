#!/usr/bin/env bash
# Commands killed with SIGKILL at every row of the journal and at random instants; then exactly one further command, `ls`.
# What is there then (links, processes, files, leases, states) is as before the command, or as it asked for: nothing between.
# NUTSHELL_KILLS is the number of random instants, NUTSHELL_SEED repeats a run, NUTSHELL_VERBS picks commands. NUTSHELL_KILL_EVERY=N takes
# every N-th moment only, from one of the first N on: another one with each seed.
# With NUTSHELL_KILL_NETWORK the machine is on a network of that name, with NAT and IPv6, and NUTSHELL_KILL_LIBRARY says at which
# moments its commands are killed.
. "$(dirname "$0")/../app/lib.sh"

library=${NUTSHELL_KILL_LIBRARY:-$build_dir/tests/faults/nutshell_kill_at.so}
kills=${NUTSHELL_KILLS:-40}
every=${NUTSHELL_KILL_EVERY:-1}
read -ra verbs <<<"${NUTSHELL_VERBS:-launch start kill set rm create stop remove_running}"
RANDOM=${NUTSHELL_SEED:=$$}
say "seed $NUTSHELL_SEED, $kills random instants"
# AddressSanitizer wants to be the first library, and these commands die without tidying up.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0

# A machine that has some of everything that costs a step.
printf 'seekrit8\n' >"$scratch/password"
n group create web
everything=(m --group web --publish 18080:80 --memory 64M --nested off --accel tcg --nic network=nutshell0,rate=100M --nic user --disk 16M --disk 16M,format=qcow2
  --vnc-password-file "$scratch/password")

ip link add uplink type veth peer name far
ip link set uplink up
if [[ -n ${NUTSHELL_KILL_NETWORK:-} ]]; then
  n network create "$NUTSHELL_KILL_NETWORK" --ipv6 fd00:75::/64 >/dev/null
  everything=(m --memory 64M --nested off --accel tcg --nic "network=$NUTSHELL_KILL_NETWORK")
fi

# All that may be left, with the numbers that differ from run to run taken out.
snapshot() {
  {
    ip -o link | awk -F': ' '{print "link", $2}'
    for pid in $(grep -alzsF -- "$root/" /proc/[0-9]*/cmdline | cut -d/ -f3); do
      [[ $pid == "$BASHPID" ]] || { tr '\0' ' ' <"/proc/$pid/cmdline" | awk '{n = split($1, part, "/"); print "process", part[n]}'; } 2>/dev/null
    done | sort
    n lease ls --json | jq -r '.leases[] | "lease \(.pool) \(.machine) \(.foreign)"' | sort
    n ls --json | jq -r '.machines[] | "machine \(.name) \(.state) \(.memory) nics \(.nics | length) disks \(.disks | length)"'
    find "$root" \( -path "$root/cache" -o -path '*/registry.*' \) -prune -o -printf 'file %y %P\n' | sort
    n gc --dry-run --json | jq -c '.removed, .kept'
    nft -a list tables | sed 's/ # handle.*//'
    nft list ruleset 2>/dev/null | grep -v '^	comment' | sed -E 's/packets [0-9]+ bytes [0-9]+//; s/nt[0-9a-f]{4}-[0-9a-f]+/TAP/g; s/(52:54:00|::|fe80|0x50)[0-9a-f:]+/MAC/g'
    sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.uplink.forwarding net.ipv6.conf.uplink.accept_ra
    ip -o addr show type bridge | awk '{print "address", $2, $4}'
    if [[ $(state_of m) == running ]]; then say "qmp $(n qmp m query-status | jq -r .status)"; fi
  } 2>&1 | sed -E 's/[0-9a-f]{8}-[0-9a-f-]{27}/UUID/g; s,( run/)[0-9a-f]{8},\1ID,; s/nt[0-9a-f]{4}-[0-9a-f]+/TAP/; s,fe80::[0-9a-f:]+,LINKLOCAL,'
}
# What does not tell whether a command was done: how many logs there are, whether the network was ever used.
shape() { grep -Ev 'file . (log/UUID/|state/networks)'; }

exists() { n show m >/dev/null 2>&1; }
runs() { [[ $(state_of m 2>/dev/null) == running ]]; }
changed() { exists && [[ $(json show m | jq .memory) != $((64 << 20)) ]]; }
be_absent() { ! exists || n rm m --force; }
be_there() { ! changed || be_absent; exists || n create "${everything[@]}" >/dev/null; }
be_stopped() { be_there; ! runs || n kill m; }
be_new() { [[ $(state_of m 2>/dev/null) == defined ]] || be_absent; be_there; }
be_running() { be_there; runs || n start m >/dev/null; }

# From which state a verb goes, and the command.
before_of() {
  case $1 in
    launch | create) say be_absent ;;
    start | rm) say be_stopped ;;
    set) say be_new ;;
    *) say be_running ;;
  esac
}
command_of() {
  case $1 in
    launch | create) command=("$1" "${everything[@]}") ;;
    start | rm | kill) command=("$1" m) ;;
    remove_running) command=(rm m --force) ;;
    stop) command=(stop m --timeout 1 --force) ;;
    set) command=(set m --memory 96M --disk 8M,format=qcow2 --drop-disk 0 --nic network=nutshell0) ;;
  esac
}

outcome() { # VERB WHERE BEFORE
  local now
  checks=$((checks + 1))
  if ! n ls >"$scratch/ls" 2>&1; then fail "$1 killed $2: ls fails: $(cat "$scratch/ls")"; fi
  now=$(snapshot)
  if [[ $now == "$3" ]]; then undone=$((undone + 1)); return; fi
  if [[ $(shape <<<"$now") == "${asked[$1]}" ]]; then finished=$((finished + 1)); return; fi
  fail "$1 killed $2: neither as before nor as asked; before it, and now:"
  diff <(printf '%s\n' "$3") <(printf '%s\n' "$now") | grep '^[<>]'
  say "  as asked, and now:"
  diff <(printf '%s\n' "${asked[$1]}") <(shape <<<"$now") | grep '^[<>]'
  be_absent
}

# The registry is there, and every cache is warm.
be_running
be_absent
declare -A asked length
for verb in "${verbs[@]}"; do
  command_of "$verb"
  undone=0 finished=0
  $(before_of "$verb")
  # Once in peace: what was asked for, how long it takes, and how many moments there are.
  start=$(date +%s%N)
  NUTSHELL_KILL_COUNT=$scratch/moments LD_PRELOAD=$library n "${command[@]}" >/dev/null || fail "$verb, in peace"
  length[$verb]=$((($(date +%s%N) - start) / 1000))
  asked[$verb]=$(snapshot | shape)
  moments=$(cat "$scratch/moments")
  for ((at = 1 + RANDOM % every, met = 0; at <= moments; at += every, met++)); do
    $(before_of "$verb")
    before=$(snapshot)
    { NUTSHELL_KILL_AT=$at LD_PRELOAD=$library n "${command[@]}" >/dev/null; } 2>/dev/null
    [[ $? -eq 137 ]] || fail "$verb was not killed at moment $at"
    outcome "$verb" "at moment $at of $moments" "$before"
  done
  say "$verb: $met of $moments moments, $undone as before, $finished as asked, $failures failures so far"
done

# At any instant, also in the middle of a system call, of another process's start, or of `ls` putting things right.
declare -A tally
for ((i = 0; i < kills; i++)); do
  verb=${verbs[RANDOM % ${#verbs[@]}]}
  command_of "$verb"
  undone=0 finished=0
  $(before_of "$verb")
  before=$(snapshot)
  instant=$(((RANDOM * 32768 + RANDOM) % (length[$verb] * 11 / 10)))
  second=$((i % 4 == 3 ? RANDOM % 30000 + 3000 : 0))
  perl -e 'my ($us, @argv) = @ARGV; my $pid = fork; if (!$pid) { open STDOUT, ">", "/dev/null"; exec @argv }
    select undef, undef, undef, $us / 1e6; kill 9, $pid; waitpid $pid, 0' "$instant" "$nutshell_bin" --quiet --root "$root" "${command[@]}"
  if ((second)); then
    perl -e 'my ($us, @argv) = @ARGV; my $pid = fork; if (!$pid) { open STDOUT, ">", "/dev/null"; exec @argv }
      select undef, undef, undef, $us / 1e6; kill 9, $pid; waitpid $pid, 0' "$second" "$nutshell_bin" --quiet --root "$root" ls
  fi
  outcome "$verb" "after $instant us${second:+, ls after $second us}" "$before"
  tally[$verb]=$((${tally[$verb]:-0} + 1))
done
for verb in "${!tally[@]}"; do say "random: $verb ${tally[$verb]}"; done

if [[ -n ${NUTSHELL_KILL_NETWORK:-} ]]; then finish; fi

# A `stop` that dies after it has pressed the button, while the guest takes its time: whoever looks when it is off collects.
be_absent
clean=$(snapshot)
quick g --append "console=ttyS0 quiet nutshell.button=ignore" --wait 'serial=nutshell-guest# ' --timeout 120 >/dev/null
"$nutshell_bin" --quiet --root "$root" stop g 2>/dev/null & pid=$!
sleep 0.5
kill -9 "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
check "it was killed while it waited" equal "$?" 137
check "the machine runs on" equal "$(state_of g)" running
type_to g 'poweroff -f'
ended() { [[ $(json ls | jq -r '.machines[] | select(.name == "g") | .state') == stopped ]]; }
check "then the guest powers off" until_true 60 ended
check "its run is collected" equal "$(ip -o link | wc -l) $(find "$root/run" -mindepth 1 | wc -l) $(n lease ls --json | jq '[.leases[] | select(.pool == "tap" or .pool == "vnc")] | length')" "3 0 0"
n rm g
check "nothing is left" equal "$(snapshot)" "$clean"

# Four commands that find the same cut short launch at once: one puts it right, nobody stumbles.
be_absent
clean=$(snapshot)
for at in 8 16 24; do
  { NUTSHELL_KILL_AT=$at LD_PRELOAD=$library n launch "${everything[@]}" >/dev/null; } 2>/dev/null
  pids=()
  for _ in 1 2 3 4; do n ls >/dev/null & pids+=($!); done
  for pid in "${pids[@]}"; do check "ls beside three others after a launch killed at moment $at" wait "$pid"; done
  check "nothing is left" equal "$(snapshot)" "$clean"
done
finish

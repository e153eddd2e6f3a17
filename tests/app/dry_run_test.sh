#!/usr/bin/env bash
# --dry-run changes nothing: seen from outside by strace, no file is opened for writing, no socket bound, no netlink message
# makes or removes anything, and the registry's bytes are what they were. What it prints is the plan and the line.
. "$(dirname "$0")/refusals.sh"
export ASAN_OPTIONS=detect_leaks=0  # the leak checker cannot work beside strace

machine=(--memory 64M --accel tcg --nested off)
ip link add br7 type bridge
ip link set br7 up
check "a machine that is there" quiet n create first "${machine[@]}" --disk 1M --cdrom "$guest/demo.iso"
check "one that runs" quiet n launch second "${machine[@]}" --nic bridge=br7
state_sum() { (cd "$root" && find . -type f ! -name '*.log' -exec sha256sum {} + | sort -k 2); find "$root" -printf '%p %U %G %m %s %T@\n' | sort; ip link | sed 's/ state UNKNOWN / state UP /'; ip -4 address; bridge link; }

# dry ARGS...: runs `nutshell --dry-run ARGS` under strace and looks at every call that could change something.
dry() {
  local was now trace=$scratch/strace
  was=$(state_sum)
  checks=$((checks + 1))
  if ! strace -f -qq -o "$trace" -s 64 -e trace=all "$nutshell_bin" --root "$root" --dry-run "$@" >"$scratch/out" 2>"$scratch/err"; then
    fail "dry run of ${*@Q}: $(cat "$scratch/err")"
    return
  fi
  now=$(state_sum)
  [[ $now == "$was" ]] || { fail "files or links changed: ${*@Q}"; diff <(echo "$was") <(echo "$now"); return; }
  local found asked
  # lvm may be asked for a report, for which it takes locks of its own, and nft for a list.
  for asked in $(grep -E 'execve\("[^"]*/(lvm", \[.*"(fullreport|lvs|vgs|pvs)"|nft", \[.*"list")' "$trace" | cut -d ' ' -f 1 | sort -u); do
    sed -i -e "/^$asked /d" -e "/ kill(-$asked, SIGKILL)/d" "$trace"
  done
  found=$({
    # Opened to be written, apart from devices that are asked whether they are there.
    grep -E '(open|openat|creat)\(' "$trace" | grep -E 'O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|creat\(' | grep -vE '/dev/(null|kvm|vhost-net)"'
    grep -E ' (bind|connect|sendto|listen)\(' "$trace" | grep -E 'sin_port=htons\([1-9]|sin6_port=htons\([1-9]|sa_family=AF_UNIX, sun_path="[^/]*'"$root"
    grep -E ' (mkdir|mkdirat|unlink|unlinkat|rename|renameat|renameat2|link|linkat|symlink|symlinkat|chmod|fchmod|fchmodat|chown|fchown|fchownat|truncate|ftruncate|fallocate|mknod|mknodat|mount|umount2|kill|tgkill|pidfd_send_signal)\(' "$trace" | grep -vE ' = -1 E|fchown\([0-9]+, 0, 0\)'  # SQLite says to root's files that they are root's
    grep -E ' (write|writev|pwrite64|pwritev)\(' "$trace" | grep -vE ' (write|writev)\([12],'
    grep -E 'RTM_(NEW|DEL|SET)[A-Z]*' "$trace" | grep -E 'sendmsg|sendto'
    grep -E 'TUNSETIFF|execve\(' "$trace" | grep -v "execve(\"$nutshell_bin\""
  } | head -5)
  if [[ -n $found ]]; then fail "it did something: ${*@Q}"; say "$found"; return; fi
  say "ok: dry run of $*: $(wc -l <"$scratch/out") lines"
}

dry launch x "${machine[@]}" --disk 10M --cdrom "$guest/demo.iso"
check "it prints the plan" matches "$(cat "$scratch/out")" 'make volume'
check "and the line" matches "$(cat "$scratch/out")" 'qemu-system-x86_64 .*-S '
dry launch x "${machine[@]}" --nic bridge=br7 --disk 10M,format=qcow2
dry launch x "${machine[@]}" --nic user --firmware uefi --vnc unix
dry launch x --memory 64M --nic user
dry --json launch x "${machine[@]}" --disk 10M
check "as JSON" equal "$(jq -r '(.plan | length > 3) and (.argv | length > 20) and (.plan[0] | has("step") and has("description"))' "$scratch/out")" true
dry create x --disk 10M
dry start first
dry start first --boot once=cdrom
dry stop second
dry kill second
dry rm second --force
dry rm first
dry set first --memory 128M --disk 5M
dry restart second --force
dry cdrom first --eject
dry lease reserve vnc :77
dry gc
dry bridge create br8 --address 10.75.240.1/24
dry bridge ls
ip link add em1 type veth peer name far1
ip link set em1 up
ip link set far1 up
dry bridge adopt br9 --uplink em1
dry ls
check "the machine runs still" equal "$(state_of second)" running
kill -9 "$(pid_of second)"
gone() { [[ $(n ls --json --dry-run | jq -r '.machines[] | select(.name == "second") | .state') == crashed ]]; }
check "ls of a dry run sees a crash" until_true 30 gone
check "its tap has gone, and the bridge has noticed" until_true 20 bash -c "ip link show br7 | grep -q NO-CARRIER"
dry ls
dry gc
root_of_nothing=$scratch/never/n
saved=$root root=$root_of_nothing
n --dry-run launch x "${machine[@]}" >/dev/null
check "with nothing there it makes nothing" test ! -e "$scratch/never"
root=$saved
wrong 3 'does not exist' --dry-run launch x --nic bridge=nobr
wrong 4 'there is a machine first already' --dry-run launch first "${machine[@]}"
finish

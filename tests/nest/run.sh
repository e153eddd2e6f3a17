#!/usr/bin/env bash
# Runs scenarios where device-mapper and KVM are real: in the lab host that build.sh makes, booted by nutshell itself with
# its CPUs emulated, in a network namespace of its own. Their output comes as they write it; one that fails or hangs makes
# this fail. Safe in parallel with itself and after a killed run.
#
# usage: run.sh [--time SECONDS] [SCENARIO...]       boots, runs them (all, by default), ends the lab host
#        run.sh --here [--time SECONDS] [SCENARIO...]  the same on this host, which must have KVM and device-mapper
#        run.sh --shell                              boots, and gives a shell in the lab host (Ctrl-] leaves it)
#        run.sh --in DIR [--time SECONDS] SCENARIO...  the same with the lab host's files in DIR. A DIR that ends in .PPID ends
#            in the number of the process that calls, and those whose process is gone are cleared away
# A scenario is a name from scenarios/, whose head says its limit in seconds; --time is a limit for each instead.
# The environment may say NUTSHELL_BUILD_DIR (where nutshell was built), NUTSHELL_NEST_DIR (where the images are made).
set -uo pipefail
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source_dir="$(cd "$here/../.." && pwd)"
build_dir=${NUTSHELL_BUILD_DIR:-$source_dir/build/release}
bin=${NUTSHELL_BIN:-$build_dir/src/app/nutshell}
lvm_test=${NEST_LVM_TEST:-$build_dir/tests/host/host_lvm_active_test}
raw_frame=${NEST_RAW_FRAME:-$build_dir/tests/app/raw_frame}
images=${NUTSHELL_NEST_DIR:-$source_dir/build/nest}
boot_limit=150
payload_size=64M
vg_size=120G # as large as the largest disk of an example; the file has holes

die() { echo "nest: $*" >&2; exit 1; }
usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

need_build() {
  local each
  for each in "$bin" "$lvm_test" "$raw_frame"; do
    [[ -x $each ]] || die "there is no $each; build nutshell and its tests first, or name the build's directory in NUTSHELL_BUILD_DIR"
  done
}

limit_of() { sed -n 's/^# limit: \([0-9]*\)$/\1/p' "$here/scenarios/$1.sh" | grep . || echo 600; }
known() { local each; for each in "$here"/scenarios/*.sh; do basename "$each" .sh; done; }

# pack FILE: nutshell (without what only a debugger reads), the scenarios, their lib and the examples, as the lab host reads
# them. In place, since a running lab host has the file open.
pack() {
  local tree
  tree="$(mktemp -d)" || return 1
  install -m 0755 "$bin" "$tree/nutshell" && install -m 0755 "$lvm_test" "$tree/lvm_test" &&
    install -m 0755 "$raw_frame" "$tree/raw_frame" &&
    strip -g "$tree/nutshell" "$tree/lvm_test" && cp -r "$here"/* "$source_dir/examples" "$tree/" &&
    tar -C "$tree" --owner=0 --group=0 -cf "$tree.tar" . && truncate -s "%1M" "$tree.tar" &&
    [[ $(stat -c %s "$tree.tar") -le $((${payload_size%M} * 1048576)) ]] && dd if="$tree.tar" of="$1" bs=1M conv=notrunc status=none
  local status=$?
  rm -rf "$tree" "$tree.tar"
  return "$status"
}

# lab DIR WORD...: the nutshell that booted that lab host, though another may have been built since, in its network namespace,
# where alone its bridge and its rules are.
lab() { nsenter --net="$1/ns" "$1/nutshell" --root "$1/n" "${@:2}"; }
serial_log() { ls -t "$1"/n/log/*/*.serial 2>/dev/null | head -n 1; }
serial_socket() { ls "$1"/n/run/*/serial 2>/dev/null | head -n 1; }
show_logs() {
  local each
  for each in "$1"/n/log/*/*; do
    [[ -f $each ]] || continue
    echo "nest: --- the end of $(basename "$each")" >&2
    tail -n 60 "$each" | tr -d '\r' >&2
  done
}

# up DIR: a lab host that waits for words. It has one CPU: with several, QEMU 7.2 may go on running code that another CPU has
# patched already (the kernel's static keys, which every first KVM machine turns), and both then take the breakpoint for ever.
up() {
  local dir=$1 began=$SECONDS
  NUTSHELL_NEST_DIR=$images bash "$here/build.sh" "$images" || return 1
  need_build
  down "$dir"
  mkdir -p "$dir" && chmod 755 "$dir" && install -m 0755 "$bin" "$dir/nutshell" || return 1
  qemu-img create -q -f qcow2 -F raw -b "$images/lab-root.img" "$dir/root.qcow2" &&
    truncate -s "$vg_size" "$dir/second.img" && truncate -s "$payload_size" "$dir/payload.img" && pack "$dir/payload.img" || return 1
  # shellcheck disable=SC2016  # the inner shell's own words
  touch "$dir/ns" && unshare --net bash -c 'mount --bind /proc/self/ns/net "$1/ns" && ip link set lo up &&
    ip link add wire type bridge && ip link set wire up && exec "${@:2}"' bash "$dir" \
    "$dir/nutshell" --root "$dir/n" --quiet launch lab --accel tcg --nested on --cpus 1 --memory 3G --vnc off --nic bridge=wire --nic bridge=wire \
    --kernel "$images/vmlinuz" --initrd "$images/initrd" --append 'console=ttyS0 quiet panic=-1' \
    --disk "path=$dir/root.qcow2,format=qcow2,backing=$images/lab-root.img,backing_format=raw,cache=unsafe" \
    --disk "path=$dir/second.img,format=raw,cache=unsafe" --disk "path=$dir/payload.img,format=raw" \
    --wait 'serial=nest: lab host up' --timeout "$boot_limit" >"$dir/launch.log" 2>&1
  local status=$?
  grep -v -e 'SVM emulated by TCG' -e '^lab is running' "$dir/launch.log" >&2
  if [[ $status -ne 0 ]]; then
    echo 'nest: the lab host did not come up' >&2
    show_logs "$dir"
    return 1
  fi
  grep -a 'nest: lab host up' "$(serial_log "$dir")" | tr -d '\r'
  local line
  line="$(lab "$dir" command lab)"
  [[ $line == *'-accel tcg,thread=multi'* && $line == *'qemu64,+svm'* ]] || die "the lab host's CPUs are not what the nest needs: $line"
  grep -aq 'lab host up .* svm=1 nested=1' "$(serial_log "$dir")" || die 'the lab host has no nested SVM'
  # Others wait for packets and time-outs, a lab host for the processor: where the kernel groups by session, its group goes first.
  local pid
  pid="$(lab "$dir" --json show lab | jq -r .pid)"
  echo -10 2>/dev/null >"/proc/$pid/autogroup" || renice -n -10 -p "$pid" >/dev/null 2>&1 || true
  echo "nest: up in $((SECONDS - began)) s"
}

down() {
  local dir=$1
  [[ -d $dir ]] || return 0
  if [[ -d $dir/n && -x $dir/nutshell ]]; then
    lab "$dir" --quiet kill lab 2>/dev/null
    lab "$dir" --quiet rm lab 2>/dev/null
  fi
  umount "$dir/ns" 2>/dev/null
  rm -rf "$dir"
}

# in_lab DIR SCENARIO: sends the word, shows what comes back until its end.
in_lab() {
  local dir=$1 name=$2 limit=${time:-$(limit_of "$2")} log socket from pid line ended=''
  log="$(serial_log "$dir")" socket="$(serial_socket "$dir")"
  [[ -n $log && -n $socket ]] || die "no lab host runs in $dir"
  pack "$dir/payload.img" || die 'nutshell and the scenarios do not fit on the payload disk'
  pid="$(lab "$dir" --json show lab | jq -r '.pid // empty')"
  [[ -n $pid ]] || { show_logs "$dir"; die "the lab host in $dir has ended"; }
  from=$(($(stat -c %s "$log") + 1))
  { printf 'run %s %s\n' "$name" "$limit"; sleep 1; } | socat -u - "UNIX-CONNECT:$socket" || die 'the lab host takes no words'
  while IFS= read -r line; do
    line=${line%$'\r'}
    printf '%s\n' "$line"
    [[ $line != "nest: end $name "* ]] || { ended=$line; break; }
  done < <(exec timeout -k 5 $((limit + 60)) tail --pid="$pid" -s 0.2 -c "+$from" -f "$log")
  if [[ $ended == "nest: end $name 0 "* ]]; then return 0; fi
  if [[ -z $ended ]]; then
    echo "nest: $name did not come to its end within $limit s, and neither did the lab host's own limit" >&2
  else
    echo "nest: $name failed" >&2
  fi
  [[ -n $ended ]] || show_logs "$dir"
  return 1
}

mode=whole time='' scenarios=() dir='' family=''
while [[ $# -gt 0 ]]; do
  case $1 in
    --time) [[ ${2:-} =~ ^[0-9]+$ ]] || die '--time wants seconds'; time=$2; shift ;;
    --in) [[ -n ${2:-} ]] || die "$1 wants a directory"; mode=${1#--} dir=${2/%.PPID/.$PPID} family=$2; shift ;;
    --here | --shell) mode=${1#--} ;;
    -h | --help) usage; exit 0 ;;
    -*) die "unknown option $1; see run.sh --help" ;;
    *) [[ -f $here/scenarios/$1.sh ]] || die "there is no scenario $1; there are: $(known | paste -sd' ')"; scenarios+=("$1") ;;
  esac
  shift
done
[[ $EUID -eq 0 ]] || die 'the nest needs root, for a network namespace: sudo tests/nest/run.sh'
[[ ${#scenarios[@]} -gt 0 || $mode != @(whole|here) ]] || mapfile -t scenarios < <(known)

# clear_family BASE.PPID: lab hosts that a killed run left behind.
clear_family() {
  local each
  [[ $1 == *.PPID ]] || return 0
  for each in "${1%PPID}"[0-9]*; do
    [[ ! -d $each || -e /proc/${each##*.} ]] || down "$each"
  done
}

if [[ $mode == here ]]; then
  # shellcheck source=tests/nest/here.sh
  source "$here/here.sh"
  run_here
  exit
fi

failed=()
run_all() {
  local name
  for name in "${scenarios[@]}"; do in_lab "$dir" "$name" || failed+=("$name"); done
  [[ ${#failed[@]} -eq 0 ]] || { echo "nest: failed: ${failed[*]}" >&2; return 1; }
}
if [[ $mode == in ]]; then clear_family "$family"; else dir="$(mktemp -d /tmp/nutshell-nest.XXXXXX)"; fi
trap 'down "$dir"' EXIT
trap 'exit 130' INT TERM
up "$dir" || exit 1
if [[ $mode == shell ]]; then
  { echo shell; sleep 1; } | socat -u - "UNIX-CONNECT:$(serial_socket "$dir")"
  lab "$dir" console lab
  exit 0
fi
run_all

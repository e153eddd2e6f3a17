# What every test of the command needs: a network namespace, a root directory and a cleanup of its own. Source it first.
# A test is a script that ends with `finish`; each `check WHAT COMMAND...` is one assertion.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_dir=$(cd "$here/../.." && pwd)
build_dir=${NUTSHELL_BUILD_DIR:-$source_dir/build/release}
nutshell_bin=${NUTSHELL_BIN:-$build_dir/src/app/nutshell}
guest=${NUTSHELL_GUEST_DIR:-$source_dir/build/guest}

# Everything runs in a network namespace (and mount namespace) that is made here and goes with the test.
if [[ -z ${NUTSHELL_TEST_NS:-} ]]; then
  NUTSHELL_TEST_NS=1 exec unshare --net --mount --propagation private -- bash "$0" "$@"
fi
ip link set lo up

scratch=$(mktemp -d /tmp/nutshell-test.XXXXXX)
chmod 755 "$scratch"
root=$scratch/n
# Where udev has made it, everybody may open /dev/net/tun; so it is in every test, whoever made it here.
if [[ -c /dev/net/tun && $(stat -c %a /dev/net/tun) != 666 ]]; then
  mknod -m 666 "$scratch/tun" c "0x$(stat -c %t /dev/net/tun)" "0x$(stat -c %T /dev/net/tun)" && mount --bind "$scratch/tun" /dev/net/tun
fi
# A volume group of this host, or of a test that runs beside this one, is none of its business: lvm shows none.
path_with_lvm=$PATH
mkdir "$scratch/no-lvm"
printf '#!/bin/sh\necho \x27{"report":[]}\x27\n' >"$scratch/no-lvm/lvm"
chmod 755 "$scratch/no-lvm/lvm"
export PATH=$scratch/no-lvm:$PATH
failures=0 checks=0

nutshell() { "$nutshell_bin" --root "$root" "$@"; }
n() { nutshell --quiet "$@"; }

say() { printf '%s\n' "$*"; }
fail() { failures=$((failures + 1)); say "FAIL: $*"; }
# check WHAT COMMAND...: COMMAND must succeed.
check() { local what=$1; shift; checks=$((checks + 1)); if "$@"; then say "ok: $what"; else fail "$what (${*@Q})"; fi; }
# refuse CODE PATTERN COMMAND...: COMMAND must exit with CODE and print one sentence on stderr that matches PATTERN (extended).
refuse() {
  local code=$1 pattern=$2 got err
  shift 2
  checks=$((checks + 1))
  err=$("$@" 2>&1 >"$scratch/stdout")
  got=$?
  if [[ $got -ne $code ]]; then fail "exit $got, not $code: ${*@Q}: $err"; return; fi
  if ! grep -Eq -- "$pattern" <<<"$err"; then fail "no /$pattern/ in: $err"; return; fi
  say "ok: refused ($got): ${err//$'\n'/ | }"
}
equal() { [[ "$1" == "$2" ]] || { say "  got:  $1"; say "  want: $2"; return 1; }; }
matches() { grep -Eq -- "$2" <<<"$1" || { say "  got: $1"; return 1; }; }
# until SECONDS COMMAND...: tries until it succeeds.
until_true() { local end=$((SECONDS + $1)); shift; while ! "$@"; do ((SECONDS < end)) || return 1; sleep 0.1; done; }

json() { n --json "$@"; }
state_of() { json show "$1" | jq -r .state; }
pid_of() { json show "$1" | jq -r .pid; }
uuid_of() { json show "$1" | jq -r .uuid; }
ip_of() { json show "$1" | jq -r '.nics[0].ip'; }

# A small machine that boots at once: direct kernel, 256 MiB, TCG without nesting. Arguments are added to `launch`.
quick() { local name=$1; shift; n launch "$name" --memory 256M --nested off --accel tcg --kernel "$guest/vmlinuz" --initrd "$guest/initrd" --append "console=ttyS0 quiet" "$@"; }
# The cheapest machine: QEMU with nothing to boot.
idle() { local name=$1; shift; n launch "$name" --memory 64M --nested off --accel tcg --nic user "$@"; }

# interrupt_after SECONDS COMMAND...: nutshell --quiet COMMAND, with Ctrl-C after so long; its exit code. timeout sends a SIGCONT
# behind each signal, and a SIGCONT lets the leak checker's tracer wait for ever: so it is off here.
interrupt_after() {
  local seconds=$1
  shift
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 timeout --preserve-status -s INT -k 100 "$seconds" "$nutshell_bin" --quiet --root "$root" "$@"
}

# serial_of NAME: where the guest's serial line is to be had, while it runs.
serial_of() { echo "UNIX-CONNECT:$root/run/$(uuid_of "$1" | cut -c1-8)/serial"; }
# type_to NAME TEXT: into the guest's serial line, as a console would. It stays connected for a moment in which the guest reads it.
type_to() { { printf '%s\n' "$2"; sleep 0.5; } | socat -u - "$(serial_of "$1")"; }

# guest NAME COMMAND: what COMMAND prints when it is typed into the guest's serial line. What the guest has not read yet is lost
# when the line hangs up: it stays until the guest says that it begins, and is typed again when that, or the end, has not come in
# $guest_patience seconds.
guest_patience=40
guest() {
  local log mark
  log=$root/log/$(uuid_of "$1")/$(json show "$1" | jq -r .boots).serial
  for _ in 1 2 3; do
    mark=$((RANDOM + 100000))
    { printf '%s\n' "echo begin-\$(($mark+1)); $2; echo end-\$(($mark+1))"; until_true "$guest_patience" grep -qa "begin-$((mark + 1))" "$log"; } | socat -u - "$(serial_of "$1")"
    until_true "$guest_patience" grep -qa "end-$((mark + 1))" "$log" && break
  done
  tr -d '\r' <"$log" | sed -n "/begin-$((mark + 1))/,/end-$((mark + 1))/p" | sed '1d;$d'
}

# The QEMUs and dnsmasqs of this test: those in its network namespace. (A QEMU's line need not hold any path of ours.)
our_processes() {
  local p net
  net=$(readlink /proc/self/ns/net)
  for p in /proc/[0-9]*; do
    case $({ cat "$p/comm"; } 2>/dev/null) in
      qemu-system* | dnsmasq) [[ $(readlink "$p/ns/net" 2>/dev/null) == "$net" ]] && say "${p#/proc/}" ;;
    esac
  done
}

# All that could be left behind: links, processes, leases, files (registry and cache aside).
traces() {
  ip -br link | awk '{print "link", $1}'
  local pid
  for pid in $(our_processes); do say "process $pid $({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | cut -c1-80)"; done
  n lease ls --json 2>/dev/null | jq -r '.leases[] | select(.foreign == null) | "lease \(.pool) \(.value)"'
  (cd "$root" 2>/dev/null && find . -mindepth 2 \( -path './cache/*' -o -name 'registry.*' -o -path './state/networks*' -o -path ./state/machines \) -prune -o -print | sort)
  (cd "$root/state/machines" 2>/dev/null && find . -mindepth 1 | sort)
}

cleanup() {
  local pid
  for pid in $(our_processes); do kill -9 "$pid" 2>/dev/null; done
  rm -rf "$scratch"
}
trap cleanup EXIT

finish() {
  say "$checks checks, $failures failed"
  ((failures == 0)) || exit 1
  exit 0
}

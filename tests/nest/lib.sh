# shellcheck shell=bash disable=SC2154  # what the one who sources it has set
# What every scenario of the nest needs; it sources this first, and ends with `finish`. A scenario runs in the lab host, or
# on a host of its own kind (run.sh --here); the environment says NEST_DISK (a disk for a volume group), NEST_IMAGES,
# NUTSHELL_BIN, NEST_PLACE (lab or here). Each `check WHAT COMMAND...` is one assertion.
set -u
export LC_ALL=C.UTF-8
disk=$NEST_DISK
images=$NEST_IMAGES
vg=${NEST_VG:-vg01}
scratch=$(mktemp -d /tmp/nest-run.XXXXXX)
chmod 755 "$scratch"
root=$scratch/n
failures=0 checks=0

nutshell() { "$NUTSHELL_BIN" --root "$root" "$@"; }
n() { nutshell --quiet "$@"; }
json() { n --json "$@"; }

say() { printf '%s\n' "$*"; }
note() { printf -- '-- [%s s] %s\n' "$SECONDS" "$*"; }
fail() { failures=$((failures + 1)); say "FAIL: $*"; }
# check WHAT COMMAND...: COMMAND must succeed.
check() { local what=$1; shift; checks=$((checks + 1)); if "$@"; then say "ok: $what"; else fail "$what (${*@Q})"; fi; }
# must WHAT COMMAND...: a check without which the rest makes no sense.
must() { local was=$failures; check "$@"; ((failures == was)) || finish; }
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
not() { ! "$@"; }
# until_true SECONDS COMMAND...: tries until it succeeds.
until_true() { local end=$((SECONDS + $1)); shift; while ! "$@"; do ((SECONDS < end)) || return 1; sleep 0.2; done; }

state_of() { json show "$1" | jq -r .state; }
pid_of() { json show "$1" | jq -r .pid; }
uuid_of() { json show "$1" | jq -r .uuid; }
serial_of() { local boot; boot=$(find "$root/log/$(uuid_of "$1")" -name '*.serial' | sort -V | tail -n 1); tr -d '\r' <"$boot"; }

# follow PATTERN: shows what machines say on their serial lines, as it comes, with the time; lines that match PATTERN only.
follow() {
  (
    shown=$scratch/shown
    : >"$shown"
    while :; do
      cat "$root"/log/*/*.serial 2>/dev/null | tr -d '\r' | grep -aE -- "$1" >"$shown.now"
      tail -n "+$(($(wc -l <"$shown") + 1))" "$shown.now" | while IFS= read -r line; do note "   $line"; done
      mv "$shown.now" "$shown"
      sleep 1
    done
  ) &
  follower=$!
}
follow_no_more() { kill "$follower" 2>/dev/null; wait "$follower" 2>/dev/null; follower=''; }

# small NAME...: a machine that boots at once: direct kernel, the guest of tests/guest (which asks for no address; more words
# for it in $words), acceleration as the host has it.
small() {
  local name=$1
  shift
  n launch "$name" --memory 128M --nested off --kernel "$images/vmlinuz" --initrd "$images/guest-initrd" \
    --append "console=ttyS0 quiet nutshell.dhcp=off ${words:-}" "$@" >/dev/null
}
# ask NAME TEXT REGEX SECONDS: types TEXT on the guest's serial line, and waits for an answer that matches. The connection
# stays until then, as a slow guest takes its time to read; what the guest says is read away, as a full socket stops its line.
ask() {
  local typist status=0
  rm -f "$scratch/words" && mkfifo "$scratch/words"
  socat - "UNIX-CONNECT:$root/run/$(uuid_of "$1" | cut -c1-8)/serial" <>"$scratch/words" >/dev/null &
  typist=$!
  printf '%s\n' "$2" >"$scratch/words"
  n wait "$1" serial="$3" --timeout "$4" || status=$?
  kill "$typist" 2>/dev/null
  wait "$typist" 2>/dev/null
  return "$status"
}

# The volume group on the second disk, empty.
make_vg() {
  wipefs -qa "$disk"
  pvcreate -qq -y "$disk" >/dev/null && vgcreate -qq "$vg" "$disk" >/dev/null
}
drop_vg() {
  vgchange -qq -an "$vg" >/dev/null 2>&1
  vgremove -qq -y "$vg" >/dev/null 2>&1
  pvremove -qq -y -ff "$disk" >/dev/null 2>&1
  wipefs -qa "$disk"
}

# The QEMUs and dnsmasqs in this network namespace.
our_processes() {
  local p net
  net=$(readlink /proc/self/ns/net)
  for p in /proc/[0-9]*; do
    case $({ cat "$p/comm"; } 2>/dev/null) in
      qemu-system* | dnsmasq) [[ $(readlink "$p/ns/net" 2>/dev/null) == "$net" ]] && say "${p#/proc/}" ;;
    esac
  done
}

# All that a scenario could leave behind on its host.
traces() {
  local pid
  ip -br link | awk '{print "link", $1}'
  ip netns list | sed 's/^/netns /'
  nft list tables
  if [[ $NEST_PLACE == here ]]; then
    dmsetup ls 2>/dev/null | awk -v vg="${vg//-/--}-" 'index($1, vg) == 1 {print "dm", $1}'
    lvs --noheadings -o vg_name,lv_name "$vg" 2>/dev/null | sed 's/^ */lv /'
  else
    dmsetup ls 2>/dev/null | grep -v '^No devices' | awk '{print "dm", $1}'
    lvs --noheadings -o vg_name,lv_name 2>/dev/null | sed 's/^ */lv /'
  fi
  losetup -n -O NAME,BACK-FILE -l 2>/dev/null | sed 's/^/loop /'
  for pid in $(our_processes); do say "process $pid $({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | cut -c1-120)"; done
}

cleanups=()
# on_exit COMMAND...: done when the scenario ends, however it ends; the last one first.
on_exit() { cleanups+=("${*@Q}"); }
clean_up() {
  local i pid
  [[ -z ${follower:-} ]] || kill "$follower" 2>/dev/null
  for pid in $(our_processes); do kill -9 "$pid" 2>/dev/null; done
  for ((i = 0; i < 50; i++)); do [[ -n $(our_processes) ]] || break; sleep 0.2; done
  nft list tables | sed -n 's/^table \(inet\|bridge\) nutshell/delete &/p' | nft -f -
  for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do eval "${cleanups[i]}"; done
  cleanups=()
}
trap 'clean_up >/dev/null 2>&1; rm -rf "$scratch"' EXIT
before=$(traces)

# What the machines have said, newest last: for whoever reads of a failure.
show_machines() {
  local each
  for each in "$root"/log/*/*; do
    [[ -f $each ]] || continue
    say "-- the end of $(basename "$(dirname "$each")")/$(basename "$each")"
    tail -n 40 "$each" | tr -d '\r'
  done
}

# set_stage: what the scenario itself made is there now; what is more than that at the end was left behind.
set_stage() { stage=$(traces); }

# same_as_before WHAT BEFORE
same_as_before() {
  local after
  checks=$((checks + 1))
  after=$(traces)
  if [[ $2 == "$after" ]]; then
    say "ok: $1"
  else
    fail "$1: it is not so"
    say "  before: ${2//$'\n'/ | }"
    say "  now:    ${after//$'\n'/ | }"
  fi
}

# finish: first what nutshell made must be gone, then what the scenario made goes too.
finish() {
  local i
  [[ -z ${follower:-} ]] || follow_no_more
  if [[ -n ${stage:-} ]]; then same_as_before 'no LV, tap, QEMU or dm device is left' "$stage"; fi
  ((failures == 0)) || show_machines
  for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do eval "${cleanups[i]}"; done
  cleanups=()
  same_as_before 'all is as it was before the scenario' "$before"
  say "$checks checks, $failures failed"
  ((failures == 0)) || exit 1
  exit 0
}

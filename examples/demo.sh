#!/usr/bin/env bash
# One machine from nothing to nothing: builds nutshell, makes a small ISO of Debian's kernel and busybox, boots it on the
# managed network, pings it, looks at it in every way, removes it, and proves that nothing is left. All of it happens in a
# network namespace and a folder of its own, so your network and your machines are not touched.
#
# usage: sudo examples/demo.sh [--keep]
#   --keep   leaves the machine running for you to play with, and prints how to reach it and how to remove it
#
# With NUTSHELL_BUILD_DIR it shows the nutshell that is built there, and neither installs nor builds anything.
set -euo pipefail
export LC_ALL=C.UTF-8
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
guest="${NUTSHELL_GUEST_DIR:-$root/build/guest}"
build="${NUTSHELL_BUILD_DIR:-$root/build/release}"
binary="$build/src/app/nutshell"
# shellcheck source=examples/lib/transcript.sh
source "$root/examples/lib/transcript.sh"

prepare() { # packages, program, ISO: once, and quick the next time
  [[ $EUID -eq 0 ]] || die 'a bridge and a tap need root: sudo examples/demo.sh'
  heading 'Packages, program, ISO'
  [[ -n ${NUTSHELL_BUILD_DIR:-} ]] || "$root/cmake/packages.sh" build run demo
  export PATH="$PATH:/usr/sbin:/sbin"
  local lacking
  # shellcheck source=cmake/rights.sh
  source "$root/cmake/rights.sh"
  lacking="$(lacking_rights)"
  [[ -z $lacking ]] || die "$lacking"
  cd "$root"
  [[ -n ${NUTSHELL_BUILD_DIR:-} ]] || make_program
  [[ -x $binary ]] || die "there is no $binary"
  "$root/tests/guest/build-guest.sh" "$guest" demo
  remark "built: $binary"
  remark "ISO:   $guest/demo.iso"
}

make_program() {
  mkdir -p build
  local configure=(--preset release)
  [[ -f build/release/CMakeCache.txt ]] || configure+=(-DNUTSHELL_TESTS=OFF)
  if ! { cmake "${configure[@]}" && cmake --build build/release -j "$(nproc)" --target nutshell; } >build/demo-build.log 2>&1; then
    tail -n 30 build/demo-build.log >&2
    die 'nutshell does not build; the whole log is build/demo-build.log'
  fi
}

# Runs this script again in a network namespace of its own: with --keep a named one that stays, else one that ends with us.
enter_namespace() {
  export NUTSHELL_DEMO_STAGE=inside
  if [[ $keep == yes ]]; then
    export NUTSHELL_DEMO_NAMESPACE="nutshell-demo-$$"
    ip netns add "$NUTSHELL_DEMO_NAMESPACE"
    exec nsenter --net="/run/netns/$NUTSHELL_DEMO_NAMESPACE" unshare --mount --propagation unchanged bash "${BASH_SOURCE[0]}" --keep
  fi
  exec unshare --net --mount --propagation unchanged bash "${BASH_SOURCE[0]}"
}

nutshell() { "$binary" "$@"; }

# undo: what an interrupted or failed demonstration takes back.
undo() {
  local status=$?
  trap - EXIT
  [[ -z $outside ]] || kill "$outside" 2>/dev/null || true
  if [[ $finished == no ]]; then
    nutshell --quiet rm --force demo >/dev/null 2>&1 || true
    local left
    left="$(processes_here | cut -c1-60)"
    if [[ -n $left ]]; then
      printf 'demo: stopped before its end (exit status %s), and this still runs; its files are in %s\n%s\n' "$status" "$NUTSHELL_ROOT" "$left" >&2
    else
      remove_folder
      [[ -z ${NUTSHELL_DEMO_NAMESPACE:-} ]] || ip netns del "$NUTSHELL_DEMO_NAMESPACE" || true
      echo "demo: stopped before its end (exit status $status); its machine and folder are removed" >&2
    fi
  fi
  exit "$status"
}
remove_folder() { rm -rf -- "$NUTSHELL_ROOT"; }

# A host somewhere else, 192.0.2.2, behind a link of this namespace: a namespace of its own that lives as long as a sleep.
make_outside() {
  local tries
  unshare --net sleep 600 &
  outside=$!
  for ((tries = 0; tries < 100; tries++)); do
    [[ $(readlink "/proc/$outside/ns/net") == "$(readlink /proc/self/ns/net)" ]] || break
    sleep 0.05
  done
  ip link add uplink type veth peer name eth0 netns "$outside"
  ip addr add 192.0.2.1/24 dev uplink
  ip link set uplink up
  there ip addr add 192.0.2.2/24 dev eth0
  there ip link set eth0 up
  there ip route add default via 192.0.2.1
}
there() { nsenter --target "$outside" --net "$@"; }

# in_guest COMMAND: typed into the guest's serial line, as one would in `nutshell console demo`.
in_guest() {
  printf '%s$ echo %s | nutshell console demo%s\n' "$bold" "${1@Q}" "$plain"
  { echo "$1"; sleep 2; } | timeout 4 "$binary" --quiet console demo >/dev/null || true
}

show_guest() { # what the guest said on its serial line, from the log that nutshell keeps
  local uuid
  uuid="$(nutshell ls --json | jq -r '.machines[0].uuid')"
  sed -n 's/\r*$//; /nutshell-guest: [^#]/p' "$NUTSHELL_ROOT/log/$uuid"/*.serial | sed 's/^.*nutshell-guest: /    the guest said: /'
}

demonstrate() {
  # /sys shows the links of the namespace that mounted it: mount it anew, seen by nobody else.
  if mount --make-private /sys 2>/dev/null; then mount -t sysfs sysfs /sys; fi
  ip link set lo up
  NUTSHELL_ROOT="$(mktemp -d "${TMPDIR:-/tmp}/nutshell-demo.XXXXXX")"
  export NUTSHELL_ROOT
  finished=no
  trap undo EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  local before after address png="$root/build/demo.png"
  [[ -z ${NUTSHELL_BUILD_DIR:-} ]] || png="$NUTSHELL_ROOT.png"  # of this run alone
  make_outside

  before="$(snapshot)"

  heading 'Launch: a volume, an address, a MAC, a tap on the bridge nutshell0 with its DHCP, DNS and NAT, a display, and QEMU'
  run launch demo --cdrom "$guest/demo.iso" --disk 1G --wait 'serial=nutshell-guest: eth0 [0-9.]+/' --timeout 120
  show_guest

  heading 'It answers on the address that it was leased'
  address="$(nutshell ls --json | jq -r '.machines[] | select(.name | test("(^|/)demo$")) | .nics[0].ip // empty')"
  address="${address%%/*}"
  [[ -n $address ]] || die 'nutshell ls --json names no address of the machine'
  shell ping -c 3 -i 0.3 -W 2 "$address"

  heading 'It reaches a host elsewhere through NAT, and that host does not reach it'
  in_guest 'ping -c 2 192.0.2.2'
  run wait demo 'serial=[12] packets received' --timeout 30
  if there ping -q -c 1 -W 1 "$address" >/dev/null; then die "192.0.2.2 reaches $address behind NAT"; fi
  remark "the guest's packets came back; a ping from 192.0.2.2 to $address did not"
  in_guest 'nslookup demo.default.nutshell'
  run wait demo "serial=Address: ${address//./\\.}" --timeout 30
  run network ls
  shell nft list table inet nutshell

  heading 'What there is'
  run ls
  run show demo
  run lease ls

  heading 'The QEMU line: as it runs, and why each part is there'
  run command demo
  run command demo --by-hand
  run explain demo

  heading 'Its screen'
  rm -f "$png"
  run screenshot demo "$png"
  [[ $(head -c 4 "$png" | tail -c 3) == PNG ]] || die "$png is no PNG"
  remark "$(wc -c <"$png") bytes in $png"

  if [[ $keep == yes ]]; then
    kill "$outside"
    outside=
    finished=yes
    keep_words
    return
  fi

  heading 'Away with it'
  run stop demo
  run rm demo

  heading 'Is anything left?'
  after="$(snapshot)"
  compare "$before" "$after"
  [[ -z $(nft list ruleset) && $(</proc/sys/net/ipv4/ip_forward) == 0 ]] || die 'rules or forwarding are left'
  kill "$outside"
  outside=
  remove_folder
  [[ -z ${NUTSHELL_BUILD_DIR:-} ]] || rm -f "$png"
  finished=yes
  remark "Nothing is left. The whole took $SECONDS s after the build."
}

keep_words() {
  local inside="nsenter --net=/run/netns/$NUTSHELL_DEMO_NAMESPACE env NUTSHELL_ROOT=$NUTSHELL_ROOT $binary"
  heading 'The machine is yours'
  cat <<END
Reach it (leave the console with Ctrl-]):
  sudo $inside ls
  sudo $inside console demo
  sudo nsenter --net=/run/netns/$NUTSHELL_DEMO_NAMESPACE bash
Remove everything:
  sudo $inside rm --force demo && sudo ip netns del $NUTSHELL_DEMO_NAMESPACE && sudo rm -r $NUTSHELL_ROOT
END
}

keep=no outside=
case ${1:-} in
  '') ;;
  --keep) keep=yes ;;
  -h | --help) sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
  *) echo "demo: unknown option $1; see examples/demo.sh --help" >&2; exit 2 ;;
esac
if [[ ${NUTSHELL_DEMO_STAGE:-} != inside ]]; then
  prepare
  enter_namespace
fi
demonstrate

# shellcheck shell=bash disable=SC2154  # what the one who sources it has set
# Sourced by run.sh for --here: the same scenarios on this host, on a loop device and in namespaces that end with them.

# What this host lacks, in one sentence; nothing when it has all.
lacking_here() {
  local tool kvm try
  for tool in dmsetup lvm losetup nft ip jq socat busybox qemu-system-x86_64; do
    command -v "$tool" >/dev/null || { echo "$tool is missing here; install it"; return; }
  done
  dmsetup targets 2>/dev/null | grep '^linear ' >/dev/null ||
    { echo 'this host has no device-mapper (dmsetup finds no linear target): load the module dm_mod, or leave --here out'; return; }
  dmsetup targets | grep '^thin-pool ' >/dev/null || modprobe -q dm_thin_pool
  for try in 1 2 3; do  # a busy host may need more than one
    kvm=$("$bin" --root "$work/doctor" --json doctor 2>/dev/null | jq -r '.checks[] | select(.name == "kvm") | "\(.state) \(.detail)"')
    [[ $kvm != ok\ * ]] || return 0
  done
  echo "this host has no KVM that runs guests (${kvm#* }): cure that, or leave --here out"
}

run_here() {
  work="$(mktemp -d /tmp/nutshell-nest.XXXXXX)"
  local lacks name limit failed=() status began
  loop='' # not local: the trap runs when this function has returned
  trap '[[ -z ${loop:-} ]] || losetup -d "$loop"; rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM
  chmod 755 "$work"
  need_build
  lacks="$(lacking_here)"
  [[ -z $lacks ]] || die "$lacks"
  [[ -n ${NUTSHELL_NEST_BUILT:-} ]] || bash "$here/build.sh" "$images" || return 1
  truncate -s "$vg_size" "$work/second.img"
  loop="$(losetup --find --show "$work/second.img")" || return 1
  # lvm sees that loop device alone, here and below nutshell.
  mkdir -p "$work/lvm"
  { echo "devices { use_devicesfile=0 filter=[ \"a|^$loop\$|\", \"r|.*|\" ] }"
    [[ -d /run/udev/data ]] || echo 'activation { udev_sync=0 udev_rules=0 }'; } >"$work/lvm/lvm.conf"
  for name in "${scenarios[@]}"; do
    limit=${time:-$(limit_of "$name")} began=$SECONDS status=0
    echo "nest: begin $name"
    # shellcheck disable=SC2016  # the inner shell's own words
    (cd "$here" && exec unshare --net --mount --propagation private -- env NEST_PLACE=here NEST_DISK="$loop" NEST_VG="nest$$" \
      NEST_IMAGES="$images" NUTSHELL_BIN="$bin" NEST_LVM_TEST="$lvm_test" NEST_RAW_FRAME="$raw_frame" LVM_SYSTEM_DIR="$work/lvm" bash -c \
      'mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up && exec "$@"' bash \
      timeout -k 20 "$limit" bash "scenarios/$name.sh" </dev/null 2>&1) || status=$?
    [[ $status -ne 124 && $status -ne 137 ]] || echo "nest: $name did not end within $limit s"
    echo "nest: end $name $status $((SECONDS - began))"
    [[ $status -eq 0 ]] || failed+=("$name")
  done
  [[ ${#failed[@]} -eq 0 ]] || { echo "nest: failed: ${failed[*]}" >&2; return 1; }
}

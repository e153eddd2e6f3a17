#!/usr/bin/env bash
# run.sh --here, on a host that has what it asks for (this one), and on one that lacks it.
# limit: 900
source ./lib.sh

# It takes /dev/kvm away for a moment: never from a host of somebody's.
[[ $NEST_PLACE == lab ]] || finish

NEST_LVM_TEST=${NEST_LVM_TEST:-$(dirname "$NUTSHELL_BIN")/lvm_test}
NEST_RAW_FRAME=${NEST_RAW_FRAME:-$(dirname "$NUTSHELL_BIN")/raw_frame}
export NEST_LVM_TEST NEST_RAW_FRAME NUTSHELL_NEST_DIR=$images NUTSHELL_NEST_BUILT=yes

here() { bash ./run.sh --here "$@"; }
refused() {
  local said
  said=$("$@" 2>&1 >/dev/null) && return 1
  say "   $said"
  [[ $(wc -l <<<"$said") -eq 1 && $said == "nest: "*"$words"* ]]
}
check "the smoke scenario runs on this host itself" here smoke
chmod 0 /dev/kvm
mv /dev/kvm /dev/kvm.away
words=KVM
check "without KVM it refuses, in one sentence" refused here smoke
mv /dev/kvm.away /dev/kvm
chmod 0660 /dev/kvm
mkdir "$scratch/bin"
printf '#!/bin/sh\nexit 1\n' >"$scratch/bin/dmsetup"
chmod +x "$scratch/bin/dmsetup"
words=device-mapper
check "without device-mapper, too" refused env PATH="$scratch/bin:$PATH" bash ./run.sh --here smoke
finish

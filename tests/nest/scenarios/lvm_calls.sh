#!/usr/bin/env bash
# What is made of lvm's commands, each on volume groups of its own on loop devices, with what the volumes hold read back.
# limit: 900
source ./lib.sh

check "the tests of active volumes" "${NEST_LVM_TEST:-$(dirname "$NUTSHELL_BIN")/lvm_test}" --no-intro --no-version
finish

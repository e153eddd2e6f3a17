#!/usr/bin/env bash
# The lab host is what the other scenarios take it for: device-mapper, snapshots and thin pools work, KVM runs guests, and
# nutshell finds it usable by itself.
# limit: 900
source ./lib.sh

check "a volume group" make_vg
on_exit drop_vg
check "a thick volume" lvcreate -qq -y -Wy -Zy -n thick -L 64M "$vg"
check "it can be written" dd if=/dev/zero of="/dev/$vg/thick" bs=1M count=8 oflag=direct status=none
check "a snapshot" lvcreate -qq -y -s -n snap -L 32M "$vg/thick"
check "a thin pool" lvcreate -qq -y -T -L 256M "$vg/pool"
check "a thin volume" lvcreate -qq -y -T -V 1G -n thin "$vg/pool"
check "all are there" equal "$(lvs --noheadings -o lv_name "$vg" | sort | xargs)" "pool snap thick thin"
check "lvremove" lvremove -qq -y "$vg"

finds_kvm() { json doctor | jq -e '[.checks[] | select(.name == "kvm" or .name == "nested") | .state] == ["ok", "ok"]' >/dev/null; }
check "doctor finds a KVM that runs guests, and nests" until_true 60 finds_kvm
finish

#!/usr/bin/env bash
# A machine is changed: memory, CPUs, disks, NICs, CD, boot order, screen; what the next start has is what was asked for, what is
# given back is free at once, and what cannot be taken from a running machine stays.
. "$(dirname "$0")/lib.sh"

spec() { json show c | jq -c "$1"; }
leases() { n lease ls --json | jq -r ".leases[] | select(.machine == \"c\") | .pool" | sort | uniq -c | xargs; }
tree() { n qmp c "$@"; }
booted() { n start c --wait 'serial=: up ' --timeout 120 >/dev/null && tr -d '\r' <"$root/log/$(uuid_of c)/$(spec .boots).serial" | grep -a 'nutshell-guest: up'; }

n create c --memory 256M --nested off --accel tcg --kernel "$guest/vmlinuz" --initrd "$guest/initrd" --append "console=ttyS0 quiet" \
  --nic network=nutshell0 --disk 16M >/dev/null
mac=$(spec '.nics[0].mac') ip=$(spec '.nics[0].ip')
folder=$root/state/machines/$(uuid_of c)

check "memory, CPUs, a disk, a NIC, a CD" n set c --memory 320M --cpus 2 --disk 32M,format=qcow2 --nic user --cdrom "$guest/demo.iso"
check "the registry has them" equal "$(spec '[.memory, .cpus, (.disks | length), (.nics | length), .cdrom]')" "[335544320,2,2,2,\"$guest/demo.iso\"]"
check "what was there has kept its leases" equal "$(spec '.nics[0].mac') $(spec '.nics[0].ip')" "$mac $ip"
check "the new volume is there" test -f "$folder/disk1.qcow2"
up=$(booted)
check "the guest has the CPUs" matches "$up" 'cpus=2 '
check "the guest has the disks" matches "$up" 'disks=vda/16777216,vdb/33554432 '
check "the guest has the NICs" matches "$up" "nics=eth0/${mac//\"/}/virtio_net,eth1/"
check "the guest has the CD" matches "$up" 'cds=sr0/'
check "the guest has more memory" test "$(grep -o 'memory=[0-9]*' <<<"$up" | cut -d= -f2)" -gt $((270 * 1024))

refuse 4 'is running and uses it' n set c --drop-disk 1
refuse 4 'is running and uses it' n set c --drop-nic 0
check "the running machine has kept both" equal "$(spec '[(.disks | length), (.nics | length)]')" '[2,2]'
check "what may change while it runs" matches "$(nutshell set c --memory 256M 2>&1)" 'at its next start'
n kill c

refuse 2 'nic adds a NIC, and none takes none away; .nutshell set c --drop-nic 0. drops the first of its 2' n set c --nic none
check "a disk is dropped, and its volume" n set c --drop-disk 0
check "it is gone" test ! -e "$folder/disk0.img"
check "the NIC with the leases is dropped" n set c --drop-nic 0
check "its leases are free" equal "$(leases)" "1 cid 1 mac 1 uid 1 volume"
check "the network is forgotten" equal "$(n lease ls --json | jq '[.leases[] | select(.pool == "subnet")] | length')" 0
check "no CD, and the disk first" n set c --cdrom "$guest/installer.iso" --boot once=cdrom
up=$(booted)
check "the guest has what is left" matches "$up" 'cpus=2 .*disks=vda/33554432 '
check "its one NIC is the other" matches "$up" "nics=eth0/$(spec '.nics[0].mac' | tr -d '"')/virtio_net disks"
check "boot once has had its boot" equal "$(spec .boot_once_consumed)" true
n kill c
check "set --boot once=cdrom asks again" n set c --boot once=cdrom
check "and show says so" equal "$(spec .boot_once_consumed)" false

check "no screen" n set c --vnc off
n start c >/dev/null
check "QEMU has none" equal "$(tree query-vnc | jq .enabled)" false
n kill c
check "a screen on a socket" n set c --vnc unix
n start c >/dev/null
check "QEMU has it there" equal "$(tree query-vnc | jq -r .family)" unix
n kill c

disk=$scratch/mine.img
truncate -s 8M "$disk"
check "a file of the user's" n set c --disk "path=$disk"
refuse 3 'given twice' n set c --disk "path=$folder/disk1.qcow2"
check "dropped again" n set c --drop-disk 1
check "the user's file is still his" test -f "$disk"
refuse 2 'at least one option' n set c
refuse 2 'cannot be changed afterwards' n set c --firmware uefi
refuse 3 'drop-disk' n set c --drop-disk 9
refuse 3 'memory' n set c --memory 0

# Two who change one machine at once: both changes are there, or one is told to try again.
n set c --cpus 3 2>"$scratch/err.1" & a=$!
n set c --memory 288M 2>"$scratch/err.2" & b=$!
wait "$a"; a=$?
wait "$b"; b=$?
check "two at once: none is lost without a word" equal "$(spec '[.cpus == 3, .memory == 301989888]')" "[$([[ $a -eq 0 ]] && echo true || echo false),$([[ $b -eq 0 ]] && echo true || echo false)]"

check "rm --keep-volumes" n rm c --keep-volumes
check "keeps the volume" test -s "$folder/disk1.qcow2"
check "and no spec, so that nobody takes it for a machine" test ! -e "$folder/spec.json"
check "and nothing else" equal "$(find "$folder" -type f -printf '%f\n' | sort | xargs)" "disk1.qcow2 lock"
check "no lease is left" equal "$(n lease ls --json | jq -c '.leases')" '[]'
check "no link and no process is left" equal "$(traces | grep -E '^(link|process)')" "link lo"
finish

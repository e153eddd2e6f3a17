#!/usr/bin/env bash
# What the cloud kernel cannot drive is proven with Debian's ordinary one: e1000 and rtl8139 cards, IDE, SATA and SCSI disks, on pc and q35.
. "$(dirname "$0")/lib.sh"

full() { local name=$1; shift; n launch "$name" --memory 320M --nested off --accel tcg --kernel "$guest/vmlinuz-full" --initrd "$guest/initrd-full" --append "console=ttyS0 quiet" --timeout 120 "$@" >/dev/null; }
up_line() { grep -ah 'nutshell-guest: up' "$root/log/$(uuid_of "$1")/1.serial"; }

check "launch with every card and bus of pc" full pc --nic network=nutshell0,model=e1000 --nic network=nutshell0,model=rtl8139 --nic network=nutshell0 \
  --disk 11M,bus=ide --disk 12M,bus=sata --disk 13M,bus=scsi --disk 14M --wait serial='nutshell-guest: eth2 [0-9.]+/'
line=$(up_line pc)
say "$line"
for nic in 0/e1000 1/8139 2/virtio_net; do
  mac=$(json show pc | jq -r ".nics[${nic%%/*}].mac")
  check "the guest drives NIC $nic with its MAC" matches "$line" "$mac/${nic#*/}"
done
for size in 11 12 13 14; do check "the guest has the disk of ${size}M" matches "$line" "/$((size * 1048576))[, ]"; done
for i in 0 1 2; do
  ip=$(json show pc | jq -r ".nics[$i].ip")
  check "NIC $i was leased $ip" until_true 20 grep -qa "eth[0-9] $ip/24" "$root/log/$(uuid_of pc)/1.serial"
done
n rm pc --force

check "launch on q35 under UEFI, with SATA and SCSI disks" full q35 --machine q35 --nic network=nutshell0,model=e1000 --disk 21M,bus=sata --disk 22M,bus=scsi --cdrom "$guest/demo.iso" \
  --wait serial='nutshell-guest: eth0 [0-9.]+/'
line=$(up_line q35)
say "$line"
check "the guest has the SATA disk" matches "$line" "/$((21 * 1048576))[, ]"
check "the guest has the SCSI disk" matches "$line" "/$((22 * 1048576))[, ]"
check "the guest has the CD-ROM" matches "$line" "cds=sr0/"
n rm q35 --force
finish

#!/usr/bin/env bash
# What forbids making, starting or changing a volume: room, thin pools, groups that lack something, volumes that somebody
# else uses, and an lvm that is absent, fails, hangs or floods.
# limit: 900
source ./lib.sh

names() { lvs --noheadings -o lv_name "$vg" 2>/dev/null | sort | xargs; }
idle() { local name=$1; shift; n launch "$name" --memory 64M --nested off --nic none --vnc off "$@"; }
create() { local name=$1; shift; n create "$name" --memory 64M --nested off --nic none --vnc off "$@"; }

note "room"
must "a volume group" make_vg
on_exit drop_vg
refuse 4 "$vg has [0-9.]+[MG] free, and 100T is needed; (\`vgextend|remove)" create big --disk "100T,vg=$vg"
refuse 4 "is needed" create big --disk "80G,vg=$vg" --disk "80G,vg=$vg"
refuse 4 "is needed" n volume create big --size 100T --vg "$vg"
refuse 6 "no volume group.*$vg" create big --disk 1G,vg=nosuch
refuse 6 "no thin pool" create big --disk "1G,vg=$vg,thin=nosuch"
check "nothing was made" equal "$(names)" ''
check "nothing is known" equal "$(json ls | jq '.machines | length')" 0

note "a thin pool past its limit"
lvcreate -qq -y -T -L 64M "$vg/pool0"
check "overcommitted is a warning" matches "$(nutshell volume create over --size 1G --vg "$vg" --thin pool0 2>&1)" "warning: thin pool"
check "a machine" create thin --disk "64M,vg=$vg,thin=pool0"
lvchange -qq -ay -K "$vg/over"
dd if=/dev/urandom of="/dev/$vg/over" bs=1M count=60 oflag=direct status=none
refuse 4 "past its limit of 90 %" n start thin
refuse 4 "past its limit" create another --disk "64M,vg=$vg,thin=pool0"
refuse 4 "past its limit" n volume create another --size 64M --vg "$vg" --thin pool0
check "doctor says it" bash -c "$(declare -f n nutshell); root=$root; n doctor | grep -q 'bad.*thin pool pool0.*past its limit'"
mkdir -p "$root/etc"
printf 'thin_limit = 100\n' >"$root/etc/nutshell.toml"
check "a higher limit lets it start" n start thin
rm "$root/etc/nutshell.toml"

note "the pool is full: the guest is paused, loses nothing, and says why"
check "rm" n rm thin --force
lvchange -qq --errorwhenfull y "$vg/pool0"
dd if=/dev/urandom of="/dev/$vg/over" bs=1M count=70 oflag=direct status=none 2>/dev/null
lvchange -qq --errorwhenfull n "$vg/pool0"
lvchange -qq -an "$vg/over"
lvchange -qq -an "$vg/pool0"
check "a full pool that is not active does not show it" equal "$(lvs --noheadings -o data_percent "$vg/pool0" | xargs)" ''
began=$SECONDS
refuse 4 "past its limit" create another --disk "64M,vg=$vg,thin=pool0"
refuse 4 "past its limit" n volume create another --size 64M --vg "$vg" --thin pool0
refuse 4 "past its limit" n volume snapshot over s
refuse 4 "past its limit" n volume clone over copy
check "at once" test $((SECONDS - began)) -lt 100
check "nothing was made" equal "$(names)" "over pool0"
check "nothing is active" equal "$(lvs --noheadings -o lv_active "$vg" | xargs)" ''
check "rm" n volume rm over
lvchange -qq --errorwhenfull y "$vg/pool0"
# A guest of one boot sector: it writes to the second disk (INT 13h, extended write, 127 sectors at a time), on and on.
{
  printf '\x31\xc0\x8e\xd8\xbe\x40\x7c\xb8\x00\x43\xb2\x81\xcd\x13\x81\x06\x48\x7c\x7f\x00\x73\xee\xff\x06\x4a\x7c\xeb\xe8'
  head -c 36 /dev/zero
  printf '\x10\x00\x7f\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00'
  head -c 430 /dev/zero
  printf '\x55\xaa'
} >"$scratch/writer.img"
truncate -s 1M "$scratch/writer.img"
must "the writer runs" idle writer --disk "path=$scratch/writer.img,format=raw" --disk "256M,vg=$vg,thin=pool0"
is_paused() { [[ $(state_of writer) == paused ]]; }
check "it is paused when the pool is full" until_true 120 is_paused
check "ls shows it" matches "$(n ls)" "writer +paused \(a disk could not be written\)"
check "show says what to do" matches "$(n show writer)" "then .nutshell resume writer."
check "the pool is full, and no fuller" matches "$(lvs --noheadings -o data_percent "$vg/pool0" | xargs)" '^(100|9[0-9])'
lvextend -qq -L +64M "$vg/pool0" 2>/dev/null
check "with room it goes on" n resume writer
check "until that is full, too" until_true 120 is_paused
check "rm" n rm writer --force
lvremove -qq -y "$vg/pool0"

note "in use elsewhere"
check "a volume" n volume create data --size 32M --vg "$vg"
lvchange -qq -ay -K "$vg/data"
mke2fs -q "/dev/$vg/data"
mkdir "$scratch/mnt"
mount "/dev/$vg/data" "$scratch/mnt"
on_exit umount -q "$scratch/mnt"
refuse 4 "mounted" idle user --disk "path=/dev/$vg/data"
refuse 4 "mounted" n volume rm data
umount "$scratch/mnt"
exec 9<>"/dev/$vg/data"
refuse 4 "in use" idle user --disk "path=/dev/$vg/data"
exec 9>&-
check "free again" idle user --disk "path=/dev/$vg/data"
refuse 4 "" idle second --disk "path=/dev/$vg/data"
check "rm" n rm user --force
check "rm" n volume rm data

note "a physical volume that is missing"
truncate -s 64M "$scratch/pv.img"
loop=$(losetup -f --show "$scratch/pv.img")
on_exit losetup -d "$loop"
vgextend -qq -y "$vg" "$loop" 2>/dev/null || { pvcreate -qq -y "$loop"; vgextend -qq "$vg" "$loop"; }
check "a machine" create half --disk "32M,vg=$vg"
losetup -d "$loop"
until_true 30 not losetup "$loop" 2>/dev/null
refuse 4 "lacks a physical volume" n start half
refuse 4 "lacks a physical volume" create other --disk "32M,vg=$vg"
check "doctor says it" bash -c "$(declare -f n nutshell); root=$root; n doctor | grep -q 'bad.*lacks a physical volume'"
losetup "$loop" "$scratch/pv.img"
vgextend -qq --restoremissing "$vg" "$loop" 2>/dev/null
check "back" n start half
check "rm" n rm half --force
vgreduce -qq "$vg" "$loop"
pvremove -qq -y "$loop"

note "an lvm that is absent, fails, hangs, floods, or fails half-way"
real=$(command -v lvm)
mkdir "$scratch/bin"
fake() { printf '#!/bin/bash\n%s\n' "$1" >"$scratch/bin/lvm"; chmod 755 "$scratch/bin/lvm"; }
with_fake() { PATH=$scratch/bin:$PATH "$@"; }
fake 'echo "  WARNING: something is odd" >&2; exec '"$real"' "$@"'
check "warnings on stderr do not matter" with_fake create odd --disk "32M,vg=$vg"
check "rm" with_fake n rm odd
fake 'echo "  Something broke." >&2; exit 5'
refuse 1 "Something broke" with_fake create broken --disk "32M,vg=$vg"
fake 'yes >&2'
refuse 1 "" with_fake create flood --disk "32M,vg=$vg"
fake 'case $1 in lvcreate) echo "  Cannot do it." >&2; exit 5;; esac; exec '"$real"' "$@"'
refuse 1 "Cannot do it" with_fake create half --disk "32M,vg=$vg"
fake 'case $1 in lvcreate) '"$real"' "$@"; echo "  Half of it." >&2; exit 5;; esac; exec '"$real"' "$@"'
refuse 1 "Half of it" with_fake create half --disk "32M,vg=$vg"
check "nothing was left behind" equal "$(names) $(json ls | jq '.machines | length')" " 0"
fake 'case $1 in lvchange) echo "  No activation today." >&2; exit 5;; esac; exec '"$real"' "$@"'
refuse 1 "No activation" with_fake create half --disk "32M,vg=$vg"
check "nothing was left behind" equal "$(names) $(json ls | jq '.machines | length')" " 0"
check "a machine without logical volumes starts without lvm" bash -c "$(declare -f n nutshell idle with_fake); root=$root scratch=$scratch
  printf '#!/bin/bash\ntouch %s/called\n' $scratch >$scratch/bin/lvm; with_fake idle plain --disk 1M,file=on && with_fake n rm plain --force"
n create watch --disk "32M,vg=$vg" --memory 64M --nested off --nic none --vnc off
rm -f "$scratch/called"
PATH=$scratch/bin:$PATH n ls
check "ls calls no lvm" not test -e "$scratch/called"
check "doctor says that a machine needs lvm" matches "$(unshare --mount bash -c "mount --bind /dev/null '$real' && '$NUTSHELL_BIN' --root '$root' doctor")" \
  "lvm +bad +not here, and watch has its disk on /dev/$vg/vm.default.watch.0"
check "rm" n rm watch
finish

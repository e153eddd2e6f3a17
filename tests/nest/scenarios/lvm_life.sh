#!/usr/bin/env bash
# Machines whose disks are logical volumes, thick and thin, through their whole life: made, marked, wiped, activated while
# they run and only then, changed, removed. Volumes of others are used and left as they were.
# limit: 900
source ./lib.sh

lvs_of() { lvs --noheadings --separator ' ' -o "$1" "$vg" 2>/dev/null | sed 's/^ *//; s/ *$//'; }
names() { lvs_of lv_name | sort | xargs; }
is_active() { [[ $(lvs --noheadings -o lv_active "$vg/$1" 2>/dev/null | xargs) == active ]]; }
tags_of() { lvs --noheadings -o lv_tags "$vg/$1" 2>/dev/null | xargs; }
idle() { local name=$1; shift; n launch "$name" --memory 64M --nested off --nic none --vnc off "$@"; }

must "a volume group" make_vg
on_exit drop_vg
check "a thin pool" lvcreate -qq -y -T -L 512M "$vg/pool0"
free_before=$(vgs --noheadings --units b --nosuffix -o vg_free "$vg" | xargs)

note "the extents that the first machine will get are full of somebody's data"
lvcreate -qq -y -Wn -Zn -n old -L 64M "$vg"
tr '\0' 'Q' </dev/zero | dd of="/dev/$vg/old" bs=1M count=64 iflag=fullblock oflag=direct status=none
lvremove -qq -y "$vg/old"

check "a dry run makes nothing" n --dry-run launch ciab --disk "64M,vg=$vg" --nic none
check "nothing was made" equal "$(names)" pool0
check "a machine with a thick and a thin disk" idle ciab --disk "64M,vg=$vg" --disk "1G,vg=$vg,thin=pool0,bus=scsi"
check "they have names of their own" equal "$(names)" "pool0 vm.default.ciab.0 vm.default.ciab.1"
uuid=$(uuid_of ciab)
for lv in vm.default.ciab.0 vm.default.ciab.1; do
  check "$lv carries our mark" equal "$(tags_of "$lv")" "nutshell.machine=$uuid"
  check "$lv is active while the machine runs" is_active "$lv"
  check "$lv skips activation by others" equal "$(lvs --noheadings -o lv_skip_activation "$vg/$lv" | xargs)" "skip activation"
done
check "its first megabyte is wiped" equal "$(dd if="/dev/$vg/vm.default.ciab.0" bs=1M count=1 iflag=direct status=none | tr -d '\0' | wc -c)" 0
check "what follows is not (the space is the same that was somebody's)" \
  equal "$(dd if="/dev/$vg/vm.default.ciab.0" bs=1M skip=8 count=1 iflag=direct status=none | tr -d Q | wc -c)" 0
check "ls shows it" equal "$(state_of ciab)" running
check "volume ls has both" equal "$(json volume ls | jq -r '[.volumes[] | select(.machine == "ciab") | .name] | join(" ")')" "ciab:0 ciab:1"
check "and the pool of the thin one" equal "$(json volume ls | jq -r '.volumes[] | select(.name == "ciab:1").thin_pool')" pool0
check "QEMU has them as block devices that stop the guest" \
  matches "$(n command ciab)" '"driver":"host_device".*"werror":"stop"'
check "discard is passed down" matches "$(n command ciab)" '"discard":"unmap"'
refuse 4 "running" n rm ciab
check "doctor shows the group" matches "$(n doctor)" "volume group +ok +$vg: .*thin pool pool0"

note "stop, kill, crash: inactive afterwards"
check "kill" n kill ciab
check "inactive" equal "$(lvs_of lv_name,lv_active | grep '^vm' | grep -c ' active$')" 0
check "start" n start ciab
check "active again" is_active vm.default.ciab.1
kill -9 "$(pid_of ciab)"
until_true 30 equal "$(state_of ciab)" crashed
check "crashed, and collected by the next who looks" equal "$(lvs_of lv_name,lv_active | grep '^vm' | grep -c ' active$')" 0
vgchange -qq -ay "$vg"
check "a host that activates everything leaves them alone" equal "$(lvs_of lv_name,lv_active | grep '^vm' | grep -c ' active$')" 0

note "two clouds, the same name, the same group"
check "another cloud" idle other/ciab --disk "64M,vg=$vg"
check "no collision" equal "$(names)" "pool0 vm.default.ciab.0 vm.default.ciab.1 vm.other.ciab.0"
check "rm" n rm other/ciab --force

note "set"
check "a third disk" n set ciab --disk "32M,vg=$vg"
check "is made" equal "$(names)" "pool0 vm.default.ciab.0 vm.default.ciab.1 vm.default.ciab.2"
check "and taken away" n set ciab --drop-disk 0
check "that one alone" equal "$(names)" "pool0 vm.default.ciab.1 vm.default.ciab.2"
check "the first free number" n set ciab --disk "32M,vg=$vg"
check "is used again" equal "$(names)" "pool0 vm.default.ciab.0 vm.default.ciab.1 vm.default.ciab.2"

note "a volume removed by hand"
lvremove -qq -y "$vg/vm.default.ciab.0"
refuse 6 "removed by hand" n start ciab
check "rm takes gone for done" n rm ciab
check "nothing of it is left" equal "$(names)" pool0

note "a machine whose volume somebody has mounted"
check "create" n create held --disk "32M,vg=$vg" --memory 64M --nested off --nic none --vnc off
lvchange -qq -ay -K "$vg/vm.default.held.0"
mke2fs -q "/dev/$vg/vm.default.held.0"
mkdir "$scratch/held"
mount "/dev/$vg/vm.default.held.0" "$scratch/held"
on_exit umount -q "$scratch/held"
for more in "" --wipe; do refuse 4 "mounted.*--keep-volumes" n rm held $more; done
refuse 4 "mounted" n set held --drop-disk 0
check "it is still known" equal "$(state_of held)" defined
umount "$scratch/held"
check "rm" n rm held

note "a stranger's volume, named by path"
lvcreate -qq -y -n theirs -L 32M "$vg"
lvchange -qq -an "$vg/theirs"
check "it is activated for the run" idle guest --disk "path=/dev/$vg/theirs"
check "active" is_active theirs
check "stop" n kill guest
check "and not afterwards" not is_active theirs
lvchange -qq -ay "$vg/theirs"
check "active before" n start guest
check "kill" n kill guest
check "active after" is_active theirs
check "rm" n rm guest
check "it is there, without a mark" equal "$(names) $(tags_of theirs)" "pool0 theirs "
refuse 4 "no mark" n volume rm "$vg/theirs"
refuse 4 "no mark" n volume resize "/dev/$vg/theirs" +32M

note "standalone volumes"
check "made" n volume create data --size 32M --vg "$vg"
check "inactive, marked" matches "$(tags_of data) $(lvs --noheadings -o lv_active "$vg/data" | xargs)" '^nutshell.volume=[0-9a-f-]{36}/[0-9a-f]{4} $'
refuse 4 "already" n volume create data --size 32M --vg "$vg"
check "used by a machine" idle user --disk "path=/dev/$vg/data"
check "active" is_active data
refuse 4 "disk 0 of user" n volume rm data
check "removed with it? no" n rm user --force
check "it stays, inactive" not is_active data
other() { local root=$scratch/other; n "$@"; }
for verb in "rm $vg/data" "resize $vg/data +32M" "snapshot $vg/data s"; do
  refuse 4 "belongs to another registry" other volume $verb
done
check "another registry does not list it" equal "$(other volume ls 2>/dev/null | grep -c data)" 0
check "its machine may use it" other launch visitor --memory 64M --nested off --nic none --vnc off --disk "path=/dev/$vg/data"
check "rm" other rm visitor --force
rm "$root"/state/registry.db*
check "a registry made anew" n recover
check "volume rm" n volume rm data
check "gone" equal "$(names)" "pool0 theirs"

note "rm --keep-volumes, and gc"
check "launch" idle keeper --disk "32M,vg=$vg"
uuid=$(uuid_of keeper)
check "rm --keep-volumes" n rm keeper --force --keep-volumes
check "the volume stays" equal "$(names)" "pool0 theirs vm.default.keeper.0"
check "a machine that has it by path=" n create heir --disk "path=/dev/mapper/$vg-vm.default.keeper.0" --memory 64M --nested off --nic none --vnc off
check "gc --volumes keeps that" matches "$(n gc --volumes)" "kept: .*keeper.0 is disk 0 of heir"
check "still there" equal "$(names)" "pool0 theirs vm.default.keeper.0"
check "rm" n rm heir
check "gc keeps it" matches "$(n gc)" "kept:.*$uuid"
check "still there" equal "$(names)" "pool0 theirs vm.default.keeper.0"
check "gc --volumes deletes it" n gc --volumes
check "gone" equal "$(names)" "pool0 theirs"
lvcreate -qq -y -n lost -L 32M --addtag "nutshell.machine=11111111-2222-4333-8444-555555555555" "$vg"
check "a mark that this registry does not know is shown" matches "$(n gc --volumes)" "kept:.*$vg/lost"
check "and never deleted" equal "$(names)" "lost pool0 theirs"
refuse 4 "does not know" n volume rm "$vg/lost"
lvremove -qq -y "$vg/lost" "$vg/theirs"
check "all space is free again" equal "$(vgs --noheadings --units b --nosuffix -o vg_free "$vg" | xargs)" "$free_before"
finish

#!/usr/bin/env bash
# Volumes where there is no device-mapper: files in whole, and the metadata half of logical volumes on a loop device. What a
# volume that can be activated does is tested in the nest.
. "$(dirname "$0")/refusals.sh"

machine=(--memory 64M --accel tcg --nested off --nic none --vnc off)
vg=nut$$
loop=
end_lvm() {
  [[ -z $loop ]] && return
  lvm vgremove -qq -f -y "$vg"
  losetup -d "$loop"
} >/dev/null 2>&1
trap 'end_lvm; cleanup' EXIT
sizes() { json volume ls | jq -r '[.volumes[] | "\(.name)=\(.size)"] | sort | join(" ")'; }
files() { (cd "$root/state/volumes" 2>/dev/null && find . -type f -printf '%f\n' | sort | xargs); }

say "-- files"
check "no volumes yet" equal "$(json volume ls | jq '.volumes | length')" 0
check "raw" quiet n volume create data --size 8M
check "qcow2" quiet n volume create small --size 8M --format qcow2
check "a dry run makes none" quiet n --dry-run volume create other --size 8M
check "where they are" equal "$(files)" "data.img small.qcow2"
check "how large" equal "$(sizes)" "data=8388608 small=8388608"
check "every field is there" equal "$(json volume ls | jq -r '.volumes[0] | keys_unsorted | join(" ")')" \
  "name path size vg machine disk format thin_pool origin snapshot active missing data_percent"
printf 'some bytes' | dd of="$root/state/volumes/data.img" bs=1 seek=4M conv=notrunc status=none
check "grow" quiet n volume resize data +8M
check "grow qcow2" quiet n volume resize small 32M
check "how large" equal "$(sizes)" "data=16777216 small=33554432"
check "the bytes are where they were" equal "$(dd if="$root/state/volumes/data.img" bs=1 skip=4M count=10 status=none)" "some bytes"
check "the same size is no change" quiet n volume resize data 16M
check "clone" quiet n volume clone data copy
check "the same bytes" cmp "$root/state/volumes/data.img" "$root/state/volumes/copy.img"
check "clone qcow2" quiet n volume clone small copy2
check "the same content" qemu-img compare -q "$root/state/volumes/small.qcow2" "$root/state/volumes/copy2.qcow2"
check "rm --wipe" quiet n volume rm copy --wipe
check "rm" quiet n volume rm copy2
check "they are gone" equal "$(files)" "data.img small.qcow2"

check "the group's help" matches "$(n volume --help)" "volume resize VOLUME SIZE"
before=$(traces)
bad 3 "IMAGE: it is empty" volume import "" x
bad 3 "image-format: it is empty" volume import /etc/hostname x --image-format ""

say "-- import"
head -c 3M /dev/urandom >"$scratch/raw.img"
truncate -s 8M "$scratch/raw.img"
for format in qcow2 vmdk vdi vpc; do
  qemu-img convert -f raw -O $format "$scratch/raw.img" "$scratch/image.$format"
  check "$format" quiet n volume import "$scratch/image.$format" "from-$format"
  check "the bytes" cmp -n 8388608 "$scratch/raw.img" "$root/state/volumes/from-$format.img"
  check "rm" n volume rm "from-$format"
done
check "what it is, is said" matches "$(nutshell volume import "$scratch/image.vmdk" said 2>&1)" "vmdk image of 8M \(detected\)"
check "into qcow2, larger" quiet n volume import "$scratch/image.vdi" larger --image-format vdi --format qcow2 --size 20M
check "its size" matches "$(sizes)" "larger=20971520"
check "its content" qemu-img compare -q -f raw -F qcow2 "$scratch/raw.img" "$root/state/volumes/larger.qcow2"
for name in said larger; do n volume rm $name; done

say "-- ended half-way"
mkdir "$scratch/bin"
printf '#!/bin/bash\n[[ $1 != convert ]] || exec sleep 60\nexec %s "$@"\n' "$(command -v qemu-img)" >"$scratch/bin/qemu-img"
chmod 755 "$scratch/bin/qemu-img"
PATH=$scratch/bin:$PATH "$nutshell_bin" --root "$root" volume import "$scratch/image.vmdk" half >"$scratch/out" 2>&1 &
importing=$!
filling() { grep -q 'copy the vmdk image' "$scratch/out"; }
check "it copies" until_true 20 filling
sleep 0.3
kill -INT "$importing"
wait "$importing"
check "Ctrl-C: exit 130" equal $? 130
check "nothing is left" equal "$(files)" "data.img small.qcow2"
PATH=$scratch/bin:$PATH "$nutshell_bin" --root "$root" volume import "$scratch/image.vmdk" half >"$scratch/out" 2>&1 &
importing=$!
check "it copies" until_true 20 filling
kill -9 "$importing"
wait "$importing" 2>/dev/null
check "killed: the next command takes it back" quiet n volume ls
check "nothing is left" equal "$(files)" "data.img small.qcow2"
truncate -s 32M "$root/state/volumes/data.img"
check "a bar on a terminal" matches "$(script -qec "$nutshell_bin --root $root volume rm data --wipe" /dev/null | tr '\r' '\n')" \
  '100 % +\[#{20}\].* zeroing '
check "none through a pipe" quiet n volume create data --size 8M
check "rm" equal "$(nutshell volume rm data --wipe 2>&1 | grep -c '%')" 0

say "-- machines and their volumes"
check "a machine with two disks" quiet n create web "${machine[@]}" --disk 8M --disk 8M,format=qcow2
check "its volumes" equal "$(json volume ls | jq -r '[.volumes[] | select(.machine == "web") | "\(.name) \(.disk)"] | join(", ")')" "web:0 0, web:1 1"
check "grow its first" quiet n volume resize web 16M
check "grow its second" quiet n volume resize web:1 16M
check "the spec has it" equal "$(json show web | jq -c '[.disks[].size]')" "[16777216,16777216]"
check "the spec beside the disks, too" equal "$(jq -c '[.disks[].size]' "$root"/state/machines/*/spec.json)" "[16777216,16777216]"
check "start" quiet n start web
virtual() { json qmp web query-block | jq -r ".return[] | select(.qdev | test(\"disk$1\")).inserted.image[\"virtual-size\"]"; }
for disk in 0 1; do
  check "grow disk $disk while it runs" quiet n volume resize "web:$disk" +16M
  check "its guest has it" equal "$(virtual $disk)" 33554432
done
check "the qcow2 has grown" equal "$(qemu-img info -U --output=json "$root"/state/machines/*/disk1.qcow2 | jq '.["virtual-size"]')" 33554432
before=$(traces)
bad 4 "stop it first" volume clone web:0 copy
bad 4 "nutshell set web --drop-disk 1" volume rm web:1
check "stop" quiet n kill web
check "clone" quiet n volume clone web:0 copy
check "used by another machine" quiet n create user "${machine[@]}" --disk "path=$root/state/volumes/copy.img"
before=$(traces)
bad 4 "disk 0 of user" volume rm copy
check "rm --wipe" quiet n rm web --wipe
check "its disks are gone" equal "$(json volume ls | jq -r '[.volumes[].name] | sort | join(" ")')" "copy small"
check "rm leaves a standalone volume" quiet n rm user
check "there" equal "$(files)" "copy.img small.qcow2"

say "-- logical volumes, as far as their metadata"
if grep -q device-mapper /proc/devices; then
  say "this kernel has device-mapper: the nest's scenarios say it all"
  finish
fi
mkdir "$scratch/lvm"
export PATH=$path_with_lvm
printf 'global { activation = 0 }\n' >"$scratch/lvm/lvm.conf"
export LVM_SYSTEM_DIR=$scratch/lvm LVM_SUPPRESS_FD_WARNINGS=1
truncate -s 256M "$scratch/pv.img"
loop=$(losetup -f --show "$scratch/pv.img")
check "a volume group" lvm vgcreate -qq -y "$vg" "$loop"
lvs() { lvm lvs --noheadings -o lv_name "$vg" 2>/dev/null | xargs; }
check "doctor shows it" matches "$(n doctor)" "volume group +ok +$vg: 252M free of 252M"
before=$(traces)
check "a dry run" matches "$(n --dry-run create lv "${machine[@]}" --disk "32M,vg=$vg")" "make logical volume $vg/vm.default.lv.0: 32M"
check "sizes are whole extents" matches "$(n --dry-run create lv "${machine[@]}" --disk "33000001,vg=$vg")" "vm.default.lv.0: 32M"
check "made nothing" equal "$(lvs)" ""
bad 1 "cannot be activated: this kernel has no device-mapper" create lv "${machine[@]}" --disk "32M,vg=$vg"
bad 1 "cannot be activated" launch lv "${machine[@]}" --disk "32M,vg=$vg"
bad 1 "cannot be activated" volume create lv --size 32M --vg "$vg"
bad 1 "cannot be activated" volume import "$scratch/raw.img" lv --vg "$vg"
check "undone" equal "$(lvs)" ""
bad 4 "$vg has 252M free, and 1G is needed" create lv "${machine[@]}" --disk "1G,vg=$vg"
bad 4 "is needed" create lv "${machine[@]}" --disk "128M,vg=$vg" --disk "128M,vg=$vg"
bad 6 "no thin pool" create lv "${machine[@]}" --disk "1M,vg=$vg,thin=pool0"
mkdir -p "$root/etc"
printf 'vg = "%s"\n' "$vg" >"$root/etc/nutshell.toml"
check "the configuration's group is the default" matches "$(n --dry-run create lv "${machine[@]}" --disk 32M)" "make logical volume $vg/"
check "file=on is a file nevertheless" matches "$(n --dry-run create lv "${machine[@]}" --disk 32M,file=on)" "make volume $root/"
check "so is a qcow2" matches "$(n --dry-run create lv "${machine[@]}" --disk 32M,format=qcow2)" "make volume $root/"
check "a standalone volume" matches "$(n --dry-run volume create lv --size 32M)" "make logical volume $vg/lv"
check "or a file" matches "$(n --dry-run volume create lv --size 32M --file)" "make volume $root/"
rm "$root/etc/nutshell.toml"

registry=$(sqlite3 "$root/state/registry.db" "SELECT value FROM setting WHERE name = 'tag'")
lvm lvcreate -qq -y -an -Zn -Wn -n theirs -L 16M "$vg" >/dev/null 2>&1
lvm lvcreate -qq -y -an -Zn -Wn -n ours -L 16M --addtag "nutshell.volume=11111111-2222-4333-8444-555555555555/$registry" "$vg" >/dev/null 2>&1
lvm lvcreate -qq -y -an -Zn -Wn -n lost -L 16M --addtag nutshell.machine=21111111-2222-4333-8444-555555555555 "$vg" >/dev/null 2>&1
lvm lvcreate -qq -y -an -Zn -Wn -n another -L 16M --addtag nutshell.volume=41111111-2222-4333-8444-555555555555/zzzz "$vg" >/dev/null 2>&1
# Disks on LVM cannot be made here, so the registry is told of them: on_lvm MACHINE LV, uses MACHINE PATH.
set_disk() { sqlite3 "$root/state/registry.db" "UPDATE machine SET spec = json_set(spec, $2) WHERE name = '$1'"; }
on_lvm() {
  quiet n create "$1" "${machine[@]}" --disk 16M
  rm "$root/state/machines/$(uuid_of "$1")/disk0.img"
  set_disk "$1" "'\$.disks[0].path', '/dev/$vg/$2', '\$.disks[0].vg', '$vg'"
}
uses() {
  json show "$1" >/dev/null 2>&1 || quiet n create "$1" "${machine[@]}" --disk "path=$scratch/raw.img,format=raw"
  set_disk "$1" "'\$.disks[0].path', '$2'"
}
not() { ! "$@"; }
check "ours are listed, a stranger's is not" equal "$(json volume ls | jq -r --arg vg "$vg" '[.volumes[] | select(.vg == $vg).name] | sort | join(" ")')" "lost ours"
before=$(traces)
bad 4 "no mark" volume rm "$vg/theirs"
bad 4 "no mark" volume resize "/dev/$vg/theirs" +16M
bad 4 "a machine that this registry does not know" volume rm lost
bad 4 "belongs to another registry" volume rm "$vg/another"
bad 4 "belongs to another registry" volume resize "/dev/$vg/another" +16M
bad 4 "belongs to another registry" volume snapshot "$vg/another" s
bad 6 "no volume another" volume rm another
bad 6 "no volume gone" volume rm gone
bad 6 "did you mean ours" volume rm our
bad 1 "cannot be activated" launch guest "${machine[@]}" --disk "path=/dev/$vg/theirs"
say "-- a kept volume, and one that a machine uses by path="
on_lvm kept vm.default.kept.0
mark=$(json show kept | jq -r '"nutshell.machine=" + .uuid')
lvm lvcreate -qq -y -an -Zn -Wn -n vm.default.kept.0 -L 16M --addtag "$mark" "$vg" >/dev/null 2>&1
check "rm --keep-volumes" quiet n rm kept --keep-volumes
check "it is listed as kept" matches "$(n volume ls)" "vm.default.kept.0 .*kept by rm"
before=$(traces)
bad 4 "kept when its machine was removed.*gc --volumes" volume rm "$vg/vm.default.kept.0"
mapped=/dev/mapper/$vg-vm.default.kept.0
uses user "$mapped"
check "gc --volumes says that a machine uses it" matches "$(n --dry-run gc --volumes)" "kept: the folder .* with the logical volumes $vg/vm.default.kept.0 .*vm.default.kept.0 is disk 0 of user"
check "and keeps it" matches "$(n gc --volumes)" "kept: .*is disk 0 of user"
check "there" matches "$(lvs)" "vm.default.kept.0"
uses user "/dev/mapper/$vg-ours"
before=$(traces)
bad 4 "ours is disk 0 of user; .nutshell set user --drop-disk 0. first" volume rm ours
check "a dry run names what it would delete" matches "$(n --dry-run gc --volumes)" "would remove the folder .* with the logical volumes $vg/vm.default.kept.0 "
check "gc --volumes" matches "$(n gc --volumes)" "^removed the folder .* with the logical volumes $vg/vm.default.kept.0 "
check "gone" not matches "$(lvs)" "vm.default.kept.0"
check "rm" quiet n rm user

say "-- a machine whose volume cannot go"
on_lvm stuck vm.default.stuck.0
mark=$(json show stuck | jq -r '"nutshell.machine=" + .uuid')
lvm lvcreate -qq -y -an -Zn -Wn -n vm.default.stuck.0 -L 16M "$vg" >/dev/null 2>&1
before=$(traces)
for more in "" --wipe; do bad 4 "does not carry the mark .*lvchange --addtag $mark .*keep-volumes" rm stuck $more; done
bad 4 "lvchange --addtag" set stuck --drop-disk 0
lvm lvchange -qq --addtag "$mark" "$vg/vm.default.stuck.0" >/dev/null 2>&1
lvm vgexport -qq "$vg" >/dev/null 2>&1
bad 4 "is exported.*vgimport.*keep-volumes" rm stuck
lvm vgimport -qq "$vg" >/dev/null 2>&1
uses user "/dev/$vg/vm.default.stuck.0"
before=$(traces)
bad 4 "is disk 0 of user, too; .nutshell set user --drop-disk 0. first, or keep" rm stuck
check "rm" quiet n rm user
lvm lvremove -qq -y "$vg/vm.default.stuck.0" >/dev/null 2>&1
check "a volume that is gone already is no hindrance, not even to --wipe" quiet n rm stuck --wipe
check "nothing of it is known" equal "$(json ls | jq -r '[.machines[].name] | join(" ")')" ""

check "grow ours" quiet n volume resize ours +16M
check "its size" equal "$(lvm lvs --noheadings --units m --nosuffix -o lv_size "$vg/ours" 2>/dev/null | xargs)" 32.00
check "remove ours, by VG/LV" quiet n volume rm "$vg/ours"
check "gc shows what is lost, and keeps it" matches "$(n gc --volumes)" "kept: the logical volume $vg/lost"
check "only that one went" equal "$(lvs | tr ' ' '\n' | sort | xargs)" "another lost theirs"

say "-- the guest of a snapshot is held, and let go"
# The volume's device is a plain loop device here, and lvm says yes to the snapshot without making it.
real=$(command -v lvm)
lvm lvcreate -qq -y -an -Zn -Wn -n held -L 16M --addtag "nutshell.volume=31111111-2222-4333-8444-555555555555/$registry" "$vg" >/dev/null 2>&1
truncate -s 16M "$scratch/held.img"
held=$(losetup -f --show "$scratch/held.img")
mkdir "/dev/$vg" && ln -s "$held" "/dev/$vg/held"
end_held() { n rm guest --force; losetup -d "$held"; rm -r "/dev/${vg:?}"; } >/dev/null 2>&1
trap 'end_held; end_lvm; cleanup' EXIT
cat >"$scratch/bin/lvm" <<LVM
#!/bin/bash
case \$* in
  *lvcreate*-s*) [[ ! -e $scratch/refuse ]] || exit 5; [[ ! -e $scratch/murder ]] || kill -9 \$PPID; exit 0 ;;
esac
exec $real "\$@"
LVM
chmod 755 "$scratch/bin/lvm"
snapshot() { PATH=$scratch/bin:$PATH n volume snapshot held "$1" >/dev/null 2>&1; }
times_paused() { grep -c 'runstate_set.*(paused)$' "$root"/log/"$(uuid_of guest)"/1.log; }
check "a guest without an agent" quiet n launch guest "${machine[@]}" --disk "path=/dev/$vg/held"
check "snapshot" snapshot one
check "it was paused for it, and runs" equal "$(times_paused) $(state_of guest)" "1 running"
touch "$scratch/refuse"
check "a snapshot that fails" not snapshot two
check "it runs on" equal "$(times_paused) $(state_of guest)" "2 running"
rm "$scratch/refuse"
touch "$scratch/murder"
check "a command that is killed while it holds the guest" not snapshot three
check "the next one lets it go" equal "$(n ls >/dev/null; state_of guest)" running
rm "$scratch/murder"
check "one that the user has paused" n pause guest
check "snapshot" snapshot four
check "stays paused" equal "$(state_of guest)" paused
n rm guest --force
check "a guest with an agent" quiet n launch guest --memory 256M --nested off --accel tcg --nic none --vnc off --disk "path=/dev/$vg/held" \
  --kernel "$guest/vmlinuz" --initrd "$guest/initrd-agent" --append "console=ttyS0 quiet" --wait agent --timeout 120
check "what is planned" matches "$(n --dry-run volume snapshot held five)" "guest agent freeze"
check "snapshot" snapshot five
check "frozen by its agent, it was not paused" equal "$(times_paused) $(state_of guest)" "0 running"
end_held
lvm lvremove -qq -y "$vg/held" >/dev/null 2>&1
trap 'end_lvm; cleanup' EXIT

say "-- an lvm that is not there, hangs, or floods"
fake() { printf '#!/bin/bash\n%s\n' "$1" >"$scratch/bin/lvm"; chmod 755 "$scratch/bin/lvm"; }
export PATH=$scratch/bin:$PATH
fake 'echo "  WARNING: odd" >&2; exec '"$real"' "$@"'
check "warnings do not matter" matches "$(n --dry-run create lv "${machine[@]}" --disk "32M,vg=$vg")" "make logical volume"
fake 'echo "  It broke." >&2; exit 5'
before=$(traces)
bad 1 "It broke" create lv "${machine[@]}" --disk "32M,vg=$vg"
fake 'yes >&2'
bad 1 "lvm" create lv "${machine[@]}" --disk "32M,vg=$vg"
fake 'exec sleep 600'
began=$SECONDS
wrong 1 "lvm fullreport failed .did not end within 60 s.*another lvm command may hold the lock" create lv "${machine[@]}" --disk "32M,vg=$vg"
check "a hanging lvm is given up in time" test $((SECONDS - began)) -lt 120
fake "touch $scratch/called"
check "a machine without logical volumes is started without lvm" quiet n launch plain "${machine[@]}" --disk 1M
check "listed" quiet n ls
check "and removed" quiet n rm plain --force
check "lvm was not called" test ! -e "$scratch/called"
finish

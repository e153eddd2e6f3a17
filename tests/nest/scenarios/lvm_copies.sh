#!/usr/bin/env bash
# Snapshots, restoring, clones, growth, import and wiping, each verified by reading the bytes.
# limit: 900
source ./lib.sh

names() { lvs --noheadings -o lv_name "$vg" 2>/dev/null | sort | xargs; }
idle() { local name=$1; shift; n launch "$name" --memory 64M --nested off --nic none --vnc off "$@"; }
# fill LETTER DEVICE MIB: all of it.
fill() { tr '\0' "$1" </dev/zero | dd of="$2" bs=1M count="$3" iflag=fullblock oflag=direct conv=fsync status=none; }
# only LETTER DEVICE: nothing else is on it.
only() { [[ $(dd if="$2" bs=1M iflag=direct status=none | tr -d "$1" | wc -c) -eq 0 ]]; }
# same_bytes FILE DEVICE: as far as the file goes.
same_bytes() { [[ $(sha256sum <"$1") == "$(head -c "$(stat -c %s "$1")" "$2" | sha256sum)" ]]; }
# on LV COMMAND...: with that volume active.
on() { local lv=$1 status=0; shift; lvchange -qq -ay -K "$vg/$lv" && "$@" || status=1; lvchange -qq -an "$vg/$lv"; return $status; }
# The guest of a machine stood still while its snapshot was made, and runs now.
was_held() {
  local log
  log=$(find "$root/log/$(uuid_of "$1")" -name '*.log' | sort -V | tail -n 1)
  [[ $(grep -c 'runstate_set.*(paused)$' "$log") -ge $2 && $(state_of "$1") == running ]]
}

must "a volume group" make_vg
on_exit drop_vg
must "a thin pool" lvcreate -qq -y -T -L 512M "$vg/pool0"

for kind in thick thin; do
  note "$kind"
  pool=''
  [[ $kind == thick ]] || pool=,thin=pool0
  must "a machine" n create $kind --disk "16M,vg=$vg$pool" --memory 64M --nested off --nic none --vnc off
  lv=vm.default.$kind.0
  on $lv fill A "/dev/$vg/$lv" 16

  check "snapshot of a stopped machine" n volume snapshot $kind before
  check "it has the machine's mark" equal "$(lvs --noheadings -o lv_tags "$vg/$lv.before" | xargs)" "$(lvs --noheadings -o lv_tags "$vg/$lv" | xargs)"
  check "a thick one cannot overflow" test "$kind" = thin -o "$(lvs --noheadings --units m --nosuffix -o lv_size "$vg/$lv.before" | cut -d. -f1 | xargs)" -ge 16
  refuse 4 "already" n volume snapshot $kind before
  on $lv fill B "/dev/$vg/$lv" 16
  refuse 4 "snapshots \($lv.before\)" n rm $kind
  check "restore" n volume restore "$lv.before"
  check "the bytes are back" on $lv only A "/dev/$vg/$lv"
  check "the snapshot is kept" matches "$(names)" "$lv.before"
  on $lv fill C "/dev/$vg/$lv" 16
  check "restore again" n volume restore "$lv.before"
  check "the same bytes" on $lv only A "/dev/$vg/$lv"

  note "$kind, running"
  check "start" n start $kind
  refuse 4 "stop it before" n volume restore "$lv.before"
  check "snapshot while it runs" n volume snapshot $kind running
  check "its guest was held, and let go" was_held $kind 1
  fill D "/dev/$vg/$lv" 16
  check "clone while it runs" n volume clone "$kind:0" copy-$kind
  check "the guest runs on" equal "$(state_of $kind)" running
  check "nothing but the copy was added" equal "$(names)" \
    "$(printf '%s\n' copy-$kind pool0 $lv $lv.before $lv.running | sort | xargs)"
  check "the copy has the bytes" on copy-$kind only D "/dev/$vg/copy-$kind"
  check "it is inactive" equal "$(lvs --noheadings -o lv_active "$vg/copy-$kind" | xargs)" ''
  check "the snapshot has those of before" only A "/dev/$vg/$lv.running" || on "$lv.running" only A "/dev/$vg/$lv.running"

  note "$kind, growing while it runs"
  if [[ $kind == thick ]]; then
    refuse 4 "snapshots" n volume resize $kind +16M
  fi
  check "kill" n kill $kind
  check "snapshots go one by one" n volume rm "$lv.before"
  check "and the other, by VG/LV" n volume rm "$vg/$lv.running"
  check "start" n start $kind
  check "grow" n volume resize $kind +16M
  check "the volume" equal "$(lvs --noheadings --units m --nosuffix -o lv_size "$vg/$lv" | xargs)" 32.00
  check "the guest's disk" equal "$(json qmp $kind query-block | jq '[.return[] | select(.qdev | test("disk0")).inserted.image["virtual-size"]][0]')" 33554432
  check "the spec" equal "$(json show $kind | jq '.disks[0].size')" 33554432
  check "the spec beside the machine" equal "$(jq '.disks[0].size' "$root/state/machines/$(uuid_of $kind)/spec.json")" 33554432
  refuse 3 "never made smaller" n volume resize $kind 16M
  check "kill" n kill $kind
  check "grow a stopped one" n volume resize $kind 40M
  check "the old bytes are there" on $lv equal "$(lvchange -qq -ay -K "$vg/$lv"; dd if="/dev/$vg/$lv" bs=1M count=16 iflag=direct status=none | tr -d D | wc -c)" 0

  note "$kind, rm --wipe"
  check "clone goes" n volume rm copy-$kind --wipe
  on $lv fill E "/dev/$vg/$lv" 40
  check "rm --wipe" n rm $kind --wipe
  if [[ $kind == thick ]]; then
    check "the same space, made anew, holds zeros" lvcreate -qq -y -Wn -Zn -n again -l 100%FREE "$vg"
    check "no byte of it" bash -c '! dd if="$1" bs=1M count=96 iflag=direct status=none | grep -aq EEEE' bash "/dev/$vg/again"
    lvremove -qq -y "$vg/again"
  fi
done

note "several thin snapshots, one of them put back: lvm forgets what the others are of"
must "a machine" n create many --disk "16M,vg=$vg,thin=pool0" --memory 64M --nested off --nic none --vnc off
lv=vm.default.many.0
on $lv fill A "/dev/$vg/$lv" 16
check "snapshot" n volume snapshot many one
on $lv fill B "/dev/$vg/$lv" 16
check "snapshot" n volume snapshot many two
check "grow" n volume resize many 32M
on $lv fill C "/dev/$vg/$lv" 32
sized() { equal "$(lvs --noheadings --units m --nosuffix -o lv_size "$vg/$lv" | xargs) $(json show many | jq '.disks[0].size') $(json volume ls | jq '.volumes[] | select(.name == "many:0").size')" "$1"; }
first() { [[ $(dd if="$2" bs=1M count=16 iflag=direct status=none | tr -d "$1" | wc -c) -eq 0 ]]; }
check "restore" n volume restore $lv.one
check "it is as large as before" sized "32.00 33554432 33554432"
check "the bytes" on $lv first A "/dev/$vg/$lv"
check "lvm has forgotten the other" equal "$(lvs --noheadings -o origin "$vg/$lv.two" | xargs)" ''
check "nutshell has not" matches "$(n volume ls)" "$lv.two .*snapshot of $lv"
refuse 4 "snapshots \($lv.one, $lv.two\)" n rm many
check "restore the other" n volume restore $lv.two
check "the bytes" on $lv first B "/dev/$vg/$lv"
check "nothing beyond it" on $lv equal "$(lvchange -qq -ay -K "$vg/$lv"; dd if="/dev/$vg/$lv" bs=1M skip=16 iflag=direct status=none | tr -d '\0' | wc -c)" 0
check "it is as large as before" sized "32.00 33554432 33554432"
check "the first again" n volume restore $lv.one
check "the bytes" on $lv first A "/dev/$vg/$lv"
check "the snapshots go" n volume rm $lv.two
check "both" n volume rm $lv.one
check "rm" n rm many
check "nothing is left" equal "$(names)" pool0

note "Ctrl-C in a restore"
must "a volume" n volume create slow --size 96M --vg "$vg"
on slow fill A "/dev/$vg/slow" 96
check "snapshot" n volume snapshot slow s
on slow fill B "/dev/$vg/slow" 96
restore_and_interrupt() {
  "$NUTSHELL_BIN" --root "$root" volume restore slow.s >"$scratch/restore.log" 2>&1 &
  local pid=$! status
  until_true 20 grep -q 'put the content' "$scratch/restore.log"
  kill -INT $pid
  wait $pid
  status=$?
  [[ $status -eq 130 ]] || { cat "$scratch/restore.log"; return 1; }
}
check "exit 130" restore_and_interrupt
check "what happens now is said" matches "$(cat "$scratch/restore.log")" "interrupted; the restore goes on with the next command"
check "the next command does it" n volume ls
check "the bytes" on slow only A "/dev/$vg/slow"
check "rm" n volume rm slow.s
check "rm" n volume rm slow

note "import"
head -c 3M /dev/urandom >"$scratch/raw.img"
truncate -s 8M "$scratch/raw.img"
for format in qcow2 vmdk; do
  qemu-img convert -O $format "$scratch/raw.img" "$scratch/image.$format"
  check "import $format" n volume import "$scratch/image.$format" "from-$format" --vg "$vg"
  check "the bytes" on "from-$format" same_bytes "$scratch/raw.img" "/dev/$vg/from-$format"
  check "rm" n volume rm "from-$format"
done
check "import into a thin volume, larger than the image" n volume import "$scratch/image.qcow2" roomy --vg "$vg" --thin pool0 --size 32M
check "its size" equal "$(json volume ls | jq '.volumes[] | select(.name == "roomy").size')" 33554432
check "the bytes" on roomy same_bytes "$scratch/raw.img" "/dev/$vg/roomy"
check "rm" n volume rm roomy
refuse 3 "smaller than what is in the image" n volume import "$scratch/image.qcow2" small --vg "$vg" --size 4M
refuse 3 "URL" n volume import https://example.org/x.qcow2 x --vg "$vg"
head -c 1M /dev/urandom >"$scratch/half.qcow2"
printf 'QFI\373\0\0\0\003' | dd of="$scratch/half.qcow2" conv=notrunc status=none
refuse 3 "" n volume import "$scratch/half.qcow2" half --vg "$vg"
check "a half-done import leaves nothing" equal "$(names)" pool0

note "wipe of a standalone volume that a guest made a volume group in"
must "a volume" n volume create nested --size 64M --vg "$vg"
lvchange -qq -ay -K "$vg/nested"
pvcreate -qq -y --config 'devices { scan_lvs=1 }' "/dev/$vg/nested" && vgcreate -qq -y --config 'devices { scan_lvs=1 }' ${vg}guest "/dev/$vg/nested" &&
  lvcreate -qq -y -Wn -Zn --config 'devices { scan_lvs=1 }' -n root -L 16M ${vg}guest
check "the guest's volume is active on the host, as a careless host does it" dmsetup info ${vg}guest-root
check "volume rm works all the same" n volume rm nested
check "nothing is left of either" equal "$(names) $(dmsetup ls | grep -c ${vg}guest)" "pool0 0"
finish

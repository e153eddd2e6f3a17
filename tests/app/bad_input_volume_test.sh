#!/usr/bin/env bash
# Every word and option of the volume commands, and of disks on LVM, given wrongly: one sentence each, and no trace.
. "$(dirname "$0")/refusals.sh"

machine=(--memory 64M --accel tcg --nested off --nic none --vnc off)
# No volume group of this host is ours to play with.
mkdir "$scratch/bin"
printf '#!/bin/sh\necho \x27{"report":[]}\x27\n' >"$scratch/bin/lvm"
chmod 755 "$scratch/bin/lvm"
export PATH=$scratch/bin:$PATH
n volume create data --size 1M >/dev/null
n create web "${machine[@]}" --disk 1M
truncate -s 1M "$scratch/image.img"
before=$(traces)

say "-- disks"
bad 3 "vg needs a value" create x --disk 1G,vg=
bad 3 "vg is given twice" create x --disk 1G,vg=a,vg=b
bad 3 "volume group" create x --disk 1G,vg=a/b
bad 3 "volume group" create x --disk '1G,vg=.'
bad 3 "volume group" create x --disk '1G,vg=-a'
bad 3 "thin= names a pool of a volume group" create x --disk 1G,thin=p
bad 3 "always raw" create x --disk 1G,vg=a,format=qcow2
bad 3 "no backing file" create x --disk "1G,vg=a,backing=$scratch/image.img,backing_format=raw"
bad 3 "give one of them" create x --disk 1G,vg=a,file=on
bad 3 "file=.* is not known" create x --disk 1G,file=perhaps
bad 3 "path= uses one that exists" create x --disk "path=$scratch/image.img,vg=a"
bad 6 "no volume group nosuch" create x --disk 1G,vg=nosuch
bad 6 "no volume group nosuch" --dry-run create x --disk 1G,vg=nosuch
bad 6 "no such file|there is no" create x --disk path=/dev/nosuch/lv

say "-- the configuration"
for line in 'vg = "a/b"' 'vg = 7' 'thin = "p"' 'thin_limit = 0' 'thin_limit = 101' 'thin_limit = "90"'; do
  printf '%s\n' "$line" >"$scratch/bad.toml"
  bad 3 "bad.toml:1: " --config "$scratch/bad.toml" volume ls
done

say "-- volume create"
bad 2 "wants NAME" volume create
bad 2 "wants --size" volume create x
bad 2 "does not know what to do with 'y'" volume create x y --size 1M
bad 3 "size" volume create x --size 0
bad 3 "size" volume create x --size -1
bad 3 "size" volume create x --size huge
bad 3 "size" volume create x --size 99999999999999T
bad 2 "" volume create x --size 1M --vgg a
for name in '' . .. -x a/b 'a b' a:b $'a\nb' "$(printf 'x%.0s' {1..200})" .hidden vm.default.web.0 snapshot1 pvmove0 a_tdata $'\xff'; do
  case $name in -x) continue ;; esac
  wrong 3 "NAME: " volume create "$name" --size 1M
done
wrong 4 "there is a volume data already" volume create data --size 1M
bad 3 "format: 'vmdk' is not known" volume create x --size 1M --format vmdk
bad 3 "always raw" volume create x --size 1M --format qcow2 --vg a
bad 3 "give one" volume create x --size 1M --file --vg a
bad 3 "add --vg" volume create x --size 1M --thin p
bad 3 "vg: " volume create x --size 1M --vg a/b
bad 3 "thin: " volume create x --size 1M --vg a --thin a/b
bad 6 "no volume group nosuch" volume create x --size 1M --vg nosuch

say "-- names of volumes"
for verb in rm "resize@1M" "snapshot@s" "clone@x"; do
  more=${verb#*@}
  [[ $verb == *@* ]] || more=
  bad 6 "there is no volume" volume "${verb%@*}" nosuch $more
  bad 6 "there is no volume" volume "${verb%@*}" /nosuch/file $more
  bad 6 "there is no volume|no volume group" volume "${verb%@*}" nosuch/lv $more
  bad 6 "web has no volume 7" volume "${verb%@*}" web:7 $more
  bad 6 "there is no volume" volume "${verb%@*}" web:x $more
  bad 6 "there is no volume" volume "${verb%@*}" web: $more
  bad 6 "there is no volume" volume "${verb%@*}" web:99999999999999999999 $more
  bad 6 "did you mean data" volume "${verb%@*}" dada $more
  wrong 2 "is empty" volume "${verb%@*}" '' $more
  bad 4 "no volume of nutshell's" volume "${verb%@*}" "$scratch/image.img" $more
done
n create data "${machine[@]}" --disk 1M
before=$(traces)
bad 4 "several volumes are called data: .*data.img" volume rm data
check "its path is one" quiet n --dry-run volume rm "$root/state/volumes/data.img"
n rm data
before=$(traces)

say "-- volume rm, resize, snapshot, restore, clone"
bad 4 "set web --drop-disk 0" volume rm web
bad 4 "set web --drop-disk 0" volume rm web:0 --wipe
bad 3 "never made smaller" volume resize data 1K
bad 3 "SIZE" volume resize data +
bad 3 "SIZE" volume resize data +0
bad 2 "has no option -1M" volume resize data -1M
bad 3 "SIZE" volume resize data lots
bad 3 "" volume resize data 8388608T
bad 2 "wants VOLUME SIZE" volume resize data
bad 4 "is a file, of which there are no snapshots; .nutshell volume clone data NAME." volume snapshot data s
bad 4 "is no snapshot" volume restore data
bad 2 "wants SNAPSHOT" volume restore
bad 4 "there is a volume data already" volume clone web data
bad 3 "NAME: " volume clone web a/b
bad 2 "wants VOLUME NAME" volume clone web

say "-- volume import"
bad 3 "is a URL.*download it first" volume import https://example.org/x.qcow2 x
bad 3 "is a URL" volume import nbd://host/x x
bad 6 "there is no file" volume import /nosuch.img x
bad 3 "is a directory" volume import "$scratch" x
bad 3 "is no plain file" volume import /dev/null x
: >"$scratch/empty.img"
bad 3 "is empty" volume import "$scratch/empty.img" x
bad 3 "" volume import "$scratch/image.img" x --image-format nosuch
bad 3 "" volume import "$scratch/image.img" x --image-format qcow2
bad 3 "smaller than what is in the image" volume import "$scratch/image.img" x --size 1K
bad 4 "there is a volume data already" volume import "$scratch/image.img" data
bad 2 "wants IMAGE NAME" volume import "$scratch/image.img"
mkfifo "$scratch/fifo"
bad 3 "is no plain file" volume import "$scratch/fifo" x
head -c 64K /dev/urandom >"$scratch/noise.qcow2"
printf 'QFI\373\0\0\0\003' | dd of="$scratch/noise.qcow2" conv=notrunc status=none
bad 3 "" volume import "$scratch/noise.qcow2" x
truncate -s 4M "$scratch/secret.img"
qemu-img create -q -f qcow2 -b "$scratch/secret.img" -F raw "$scratch/layer.qcow2"

say "-- rm"
bad 2 "contradict" rm web --wipe --keep-volumes

say "-- an ordinary user"
as_user
before=$(traces)
bad 3 "needs root" create x "${machine[@]}" --disk 1M,vg=a
bad 4 "needs root" volume create x --size 1M --vg a
check "files are his own" quiet n volume create x --size 1M
check "and listed" equal "$(json volume ls | jq -r '.volumes[0].name')" x
check "removed" n volume rm x
finish

#!/usr/bin/env bash
# Files: names that are awkward and must work all the same, names that QEMU cannot be given, files that are not there or not to
# be read.
. "$(dirname "$0")/refusals.sh"

machine=(--memory 256M --accel tcg --nested off)

say "-- awkward paths work: commas, quotes, spaces, equals signs, in the root directory too"
plain_root=$root
odd="$scratch/a, b=\"c\" 'd' \\e \$f"
mkdir "$odd"
root="$odd/n,n"
cp "$guest/demo.iso" "$odd/de,mo \"1\" it's.iso"
truncate -s 8M "$odd/da,ta '2'.img"
qemu-img create -q -f qcow2 "$odd/ba,se.qcow2" 8M
comma=${odd//,/,,}
before=$(traces)
check "a machine boots from such an ISO, with such disks" quiet n launch odd "${machine[@]}" --cdrom "$odd/de,mo \"1\" it's.iso" \
  --disk "path=$comma/da,,ta '2'.img" --disk "8M,format=qcow2,backing=$comma/ba,,se.qcow2,backing_format=qcow2" \
  --wait serial='nutshell-guest: eth0 [0-9.]+/' --timeout 120
said=$(cat "$root"/log/*/1.serial)
check "it sees both disks and the CD" matches "$said" 'disks=vda/8388608,vdb/8388608 cds=sr0'
check "the line by hand names them" matches "$(n command odd --by-hand)" 'da,,ta'
check "a kernel may be called so, too" cp "$guest/vmlinuz" "$odd/ker,nel 'x'"
check "set" quiet n set odd --kernel "$odd/ker,nel 'x'" --initrd "$guest/initrd" --append 'console=ttyS0 a="b, c"'
check "kill" n kill odd
check "start by it" quiet n start odd --wait serial='nutshell-guest: up .*from=kernel' --timeout 60
check "rm" n rm --force odd
check "the disk that was there is still there" test -f "$odd/da,ta '2'.img"
check "no trace" equal "$(traces)" "$before"

say "-- a newline or an escape sequence in a path"
root=$plain_root
before=$(traces)
newline=$scratch/$'new\nline.iso'
cp "$guest/demo.iso" "$newline"
for option in --cdrom --kernel; do bad 3 'newline' launch x "$option" "$newline"; done
bad 3 'newline' launch x --disk "path=$newline"
bad 3 'newline' launch x --disk "1M,backing=$newline,backing_format=raw"
bad 3 'control character' launch x --cdrom $'/tmp/\e[31mred.iso'
bad 3 'control character' launch x --kernel "$guest/vmlinuz" --append $'console=ttyS0\e[2J'
bad 3 '--root.*newline' --root $'/tmp/a\nb' launch x --nic user

say "-- an ISO that is missing, a directory, no file"
bad 6 'no file .*nope.iso; check the path' launch x --cdrom "$scratch/nope.iso"
bad 6 'no file' launch x --cdrom "$guest/demo.iso/x"
bad 3 'is a directory; name the file in it' launch x --cdrom "$scratch"
bad 3 'no plain file or block device' launch x --cdrom /dev/null
bad 6 'no file|no such file' launch x --kernel "$scratch/nope"
bad 6 'no such file' launch x --disk "path=$scratch/nope.img"
bad 3 'folder|directory' launch x --disk "path=$scratch"
bad 3 'neither a file nor a block device' launch x --disk path=/dev/null
ln -s loop "$scratch/loop"
bad 1 'loop' launch x --cdrom "$scratch/loop"
cp "$guest/demo.iso" "$scratch/gone.iso"
check "create" quiet n create gone --nic user --memory 64M --accel tcg --nested off --cdrom "$scratch/gone.iso"
rm "$scratch/gone.iso"
before=$(traces)
bad 6 'no file .*gone.iso' start gone
bad 6 'no file .*nope.iso' cdrom gone "$scratch/nope.iso"
check "rm" n rm gone

say "-- an ordinary user and files that are not his"
cp "$guest/demo.iso" "$scratch/secret.iso"
truncate -s 1M "$scratch/secret.img"
chmod 600 "$scratch/secret.iso" "$scratch/secret.img"
as_user
before=$(traces)
bad 1 'secret.iso cannot be read: Permission denied' launch x --cdrom "$scratch/secret.iso"
bad 1 'secret.img.*Permission denied' launch x --disk "path=$scratch/secret.img"
finish

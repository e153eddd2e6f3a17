#!/usr/bin/env bash
# An ordinary user, without any right of root's: what works works, and what needs root says which part it is, and what would do.
. "$(dirname "$0")/refusals.sh"

machine=(--memory 64M --accel tcg --nested off)
ip link add br7 type bridge
ip link set br7 up
check "root's machine" quiet n create roots --nic user
chmod 755 "$root"  # the config may be read there, but not the state
roots=$root
as_user
before=$(traces)

say "-- what works"
check "launch, with user-mode networking" quiet n launch mine "${machine[@]}" --disk 1M
check "it is user-mode networking" equal "$(json show mine | jq -r '.nics[0].bridge // .nics[0].kind')" user
check "QEMU runs as the user" equal "$(awk '/^Uid/{print $2}' "/proc/$(pid_of mine)/status")" 12345
check "ls" matches "$(n ls)" 'mine +running'
check "stop by force" n kill mine
check "start again" quiet n start mine
check "doctor says what is missing" matches "$(n doctor 2>&1)" 'root|ordinary'
check "rm" n rm --force mine
check "no trace" equal "$(traces)" "$before"

say "-- what needs root"
bad 3 'managed network nutshell0 needs root; use --nic user, or --nic bridge=BR where .*bridge.conf allows it' launch x "${machine[@]}" --nic network=nutshell0
bad 1 'bridge br7 needs root, or a qemu-bridge-helper that is setuid root and .allow br7. in /etc/qemu/bridge.conf' launch x "${machine[@]}" --nic bridge=br7
mkdir "$scratch/etc-qemu"
mount --bind "$scratch/etc-qemu" /etc/qemu
cp /usr/lib/qemu/qemu-bridge-helper "$scratch/helper"
chmod 4755 "$scratch/helper"
mount --bind "$scratch/helper" /usr/lib/qemu/qemu-bridge-helper
echo 'allow br8' >/etc/qemu/bridge.conf
chmod -R a+rX "$scratch/etc-qemu"
bad 1 'bridge br7: .*root may allow it with .nutshell setup --bridge br7.' launch x "${machine[@]}" --nic bridge=br7
echo 'allow br7' >/etc/qemu/bridge.conf
check "where the ACL allows it, it works" quiet n launch x "${machine[@]}" --nic bridge=br7
check "its tap is in the bridge" equal "$(ip -o link show master br7 | grep -c tap)" 1
check "rm" n rm --force x
check "no trace" equal "$(traces)" "$before"
umount /usr/lib/qemu/qemu-bridge-helper /etc/qemu
bad 1 'disk /dev/loop0: cannot open: Permission denied' launch x "${machine[@]}" --disk path=/dev/loop0
bad 1 'Permission denied' launch x "${machine[@]}" --cdrom /proc/1/environ

say "-- root's registry"
own=$root
root=$roots
for command in ls "show roots" "start roots" "launch x --nic user"; do
  wrong 1 'registry .* cannot be looked at \(Permission denied\); run as its owner, or use --root DIR' $command
done
root=$own
check "no trace" equal "$(traces)" "$before"
finish

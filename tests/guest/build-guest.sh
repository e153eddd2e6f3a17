#!/usr/bin/env bash
# Makes the guests that the tests and the demonstration boot, out of Debian's own packages: they are downloaded and
# unpacked below OUTDIR, never installed. Safe to run twice, in parallel with itself, and after being killed: everything
# is made in a scratch folder under a lock, and renamed into place when it is whole.
#
# usage: build-guest.sh OUTDIR [demo|installer|disk|full|agent|all]...      (default: all; README.md lists what comes out)
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=tests/guest/parts.sh
source "$here/parts.sh"

die() { echo "build-guest: $*" >&2; exit 1; }
note() { echo "build-guest: $*"; }

[[ $# -ge 1 && $1 != -* ]] || die "usage: build-guest.sh OUTDIR [demo|installer|disk|full|agent|all]..."
mkdir -p "$1"
out="$(cd "$1" && pwd)"
shift
known=(demo disk installer full agent)
wanted=("$@")
[[ ${#wanted[@]} -gt 0 && ${wanted[0]} != all ]] || wanted=("${known[@]}")
for each in "${wanted[@]}"; do
  [[ " ${known[*]} " == *" $each "* ]] || die "there is no guest $each; there are: ${known[*]} all"
done

# A guest is fresh when its stamp was made by these very files; the kernel's version is part of what was made.
source_hash="$(cat "$here"/build-guest.sh "$here"/parts.sh "$here"/init "$here"/udhcpc.script "$here"/power-button | sha256sum | cut -c1-16)"
fresh() { [[ -f $out/.stamp-$1 && $(<"$out/.stamp-$1") == "$source_hash" ]]; }
all_fresh() { local each; for each in "${wanted[@]}"; do fresh "$each" || return 1; done; }
all_fresh && exit 0

for tool in dpkg-deb apt-get apt-cache depmod modprobe cpio gzip grub-mkrescue grub-mkimage xorriso mformat flock; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$tool" >/dev/null || die "$tool is missing; cmake/packages-demo.txt names the packages (tests/run.sh and examples/demo.sh install them)"
done
PATH="$PATH:/usr/sbin:/sbin"

exec 9>"$out/.lock"
flock 9
all_fresh && exit 0
rm -rf "$out"/.making.*
work="$(mktemp -d "$out/.making.XXXXXX")"
trap 'rm -rf "$work"' EXIT
mkdir -p "$out/cache"

stamp() { echo "$source_hash" >"$work/stamp"; mv -f "$work/stamp" "$out/.stamp-$1"; }

make_kernel() { # the cloud kernel, unpacked once per run
  [[ ! -d $work/cloud ]] || return 0
  unpack "$(kernel_package linux-image-cloud-amd64)" "$work/cloud"
  make_initrd "$work/cloud" "$work/initrd" "${virtio_modules[@]}"
  cp "$work"/cloud/boot/vmlinuz-* "$work/vmlinuz"
}

# grub_config FROM WORDS INITRD...: GRUB on the serial line and on the screen, no menu, one entry.
grub_config() {
  local from=$1 words=$2
  shift 2
  cat <<END
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=0
set default=0
set gfxpayload=text
if [ "\$grub_platform" = efi ]; then
  insmod all_video
  set gfxpayload=keep
fi
menuentry "nutshell guest" {
  echo "nutshell-guest: GRUB from $from"
  linux /boot/vmlinuz console=tty0 console=ttyS0 quiet nutshell.from=$from $words
  initrd $*
}
END
}

# make_iso OUTPUT WORDS [EXTRA_INITRD]: bootable by BIOS and, where grub-efi-amd64-bin is there, by UEFI.
make_iso() {
  local output=$1 words=$2 extra=${3:-} tree=$work/iso
  rm -rf "$tree"
  mkdir -p "$tree/boot/grub"
  cp "$work/vmlinuz" "$work/initrd" "$tree/boot/"
  [[ -z $extra ]] || cp "$extra" "$tree/boot/disk.cpio"
  grub_config cdrom "$words" /boot/initrd ${extra:+/boot/disk.cpio} >"$tree/boot/grub/grub.cfg"
  grub-mkrescue -o "$output" --fonts= --locales= --themes= --compress=no \
    --install-modules="${grub_modules[*]} iso9660 $(cd /usr/lib/grub/i386-pc && echo part_*.mod | sed 's/\.mod//g')" \
    "$tree" -- -volid NUTSHELL >"$work/mkrescue.log" 2>&1 || { cat "$work/mkrescue.log" >&2; die "grub-mkrescue failed"; }
}

# make_disk OUTPUT WORDS: a raw disk of one FAT partition, which BIOS boots by the boot sector and the image behind it,
# and UEFI by the file EFI/BOOT/BOOTX64.EFI in the partition.
make_disk() {
  local output=$1 words=$2 image=$work/disk.raw config=$work/grub.cfg first=2048 size_k sectors
  grub_config disk "$words" /boot/initrd >"$config"
  size_k=$((($(stat -c %s "$work/vmlinuz") + $(stat -c %s "$work/initrd")) / 1024 + 4096))
  sectors=$(((size_k * 2 + 2047) / 2048 * 2048))
  rm -f "$image"
  truncate -s $(((first + sectors + 2048) * 512)) "$image"
  grub-mkimage -O i386-pc -o "$work/core.img" -p '(hd0,msdos1)/boot/grub' biosdisk fat "${grub_modules[@]}"
  [[ $(stat -c %s "$work/core.img") -lt $(((first - 1) * 512)) ]] || die "GRUB's image is larger than the gap before the partition"
  dd if=/usr/lib/grub/i386-pc/boot.img of="$image" bs=440 count=1 conv=notrunc status=none
  dd if="$work/core.img" of="$image" bs=512 seek=1 conv=notrunc status=none
  # One partition of type EF (a UEFI system partition), marked active; then the boot signature.
  { printf '\200\376\377\377\357\376\377\377'; le32 "$first"; le32 "$sectors"; } | dd of="$image" bs=1 seek=446 conv=notrunc status=none
  printf '\125\252' | dd of="$image" bs=1 seek=510 conv=notrunc status=none
  local part="$image@@$((first * 512))"
  mformat -i "$part" -T "$sectors" -h 64 -s 32 -H "$first" -v NUTSHELL ::
  mmd -i "$part" ::/boot ::/boot/grub
  mcopy -i "$part" "$work/vmlinuz" "$work/initrd" ::/boot/
  mcopy -i "$part" "$config" ::/boot/grub/grub.cfg
  if [[ -d /usr/lib/grub/x86_64-efi ]]; then
    printf '%s\n' "search --file --set=root /boot/vmlinuz --hint \$root" "set prefix=(\$root)/boot/grub" >"$work/early.cfg"
    grub-mkimage -O x86_64-efi -o "$work/bootx64.efi" -c "$work/early.cfg" -p /boot/grub fat "${grub_modules[@]}"
    mmd -i "$part" ::/EFI ::/EFI/BOOT
    mcopy -i "$part" "$work/bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI
  fi
  mv -f "$image" "$output"
}
make_demo() {
  make_kernel
  make_iso "$work/demo.iso" ''
  cp "$work/vmlinuz" "$work/publish-vmlinuz" && publish "$work/publish-vmlinuz" vmlinuz
  cp "$work/initrd" "$work/publish-initrd" && publish "$work/publish-initrd" initrd
  publish "$work/demo.iso" demo.iso
}

make_disk_image() {
  make_kernel
  make_disk "$work/disk.img" ''
  publish "$work/disk.img" disk.img
}

# Boot 1 is the installer's own, from the CD; boots 2, 3, 4 are the installed system's: reboot, power off, stay.
make_installer() {
  make_kernel
  rm -rf "$work/payload"
  mkdir -p "$work/payload"
  make_disk "$work/payload/disk.img" 'nutshell.do=-,reboot,poweroff,idle'
  pack_cpio "$work/payload" | gzip -n -1 >"$work/disk.cpio"
  make_iso "$work/installer.iso" 'nutshell.do=install' "$work/disk.cpio"
  publish "$work/installer.iso" installer.iso
}

make_full() {
  unpack "$(kernel_package linux-image-amd64)" "$work/full"
  make_initrd "$work/full" "$work/initrd-full" "${virtio_modules[@]}" "${full_modules[@]}"
  cp "$work"/full/boot/vmlinuz-* "$work/vmlinuz-full"
  publish "$work/vmlinuz-full" vmlinuz-full
  publish "$work/initrd-full" initrd-full
}

# Debian's own QEMU guest agent, with the libraries it needs, behind the usual initrd.
make_agent() {
  local root=$work/agent tree=$work/agent-tree package library
  make_kernel
  for package in qemu-guest-agent libc6 libglib2.0-0 libnuma1 libpcre2-8-0 libudev1 liburing2; do
    unpack "$package" "$tree"
  done
  mkdir -p "$root/lib64" "$root/lib/x86_64-linux-gnu" "$root/usr/sbin"
  cp "$tree/usr/sbin/qemu-ga" "$root/usr/sbin/"
  cp -L "$tree/lib64/ld-linux-x86-64.so.2" "$root/lib64/" 2>/dev/null || cp -L "$tree/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" "$root/lib64/"
  while read -r library; do
    cp -L "$(find "$tree/lib" "$tree/usr/lib" -name "$library" -print -quit)" "$root/lib/x86_64-linux-gnu/"
  done < <(LD_LIBRARY_PATH="$tree/lib/x86_64-linux-gnu:$tree/usr/lib/x86_64-linux-gnu" ldd "$tree/usr/sbin/qemu-ga" | sed -n 's/^\s*\(lib[^ ]*\) => .*$/\1/p')
  pack_cpio "$root" | gzip -n -1 | cat "$work/initrd" - >"$work/initrd-agent"
  publish "$work/initrd-agent" initrd-agent
}

for each in "${wanted[@]}"; do
  fresh "$each" && continue
  note "makes $each"
  case $each in
    demo) make_demo ;;
    disk) make_disk_image ;;
    installer) make_installer ;;
    full) make_full ;;
    agent) make_agent ;;
  esac
  stamp "$each"
done
note "done: $out"

# shellcheck shell=bash disable=SC2154  # what the one who sources it has set
# Sourced by build.sh: what runs inside the lab host. The installer's ISO (our stand-in for a FastStart one), the cloud
# that it installs, and the instance that the cloud starts; all of them have the lab host's kernel and Debian's programs.

# take_programs TREE PROGRAM...: programs of the lab host's root, with the libraries that they load.
take_programs() {
  local tree=$1 program library
  shift
  for program in "$@"; do
    install -D -m 0755 "$work/lab$program" "$tree$program"
    while read -r library; do
      [[ -e $tree$library ]] || install -D -m 0755 "$(chroot "$work/lab" readlink -f "$library" | sed "s#^#$work/lab#")" "$tree$library"
    done < <(chroot "$work/lab" /usr/bin/ldd "$program" | grep -o '/[^ ]*')
  done
}

busybox_root() { # busybox_root TREE
  local tree=$1 applet
  mkdir -p "$tree"/{bin,usr/bin,usr/sbin,dev,proc,sys,tmp,run,root,etc/acpi/PWRF,lib/modules,mnt}
  cp "$work/lab/bin/busybox" "$tree/bin/"
  for applet in $("$tree/bin/busybox" --list); do [[ $applet == busybox ]] || ln -s busybox "$tree/bin/$applet"; done
  install -m 0755 "$here/cloud-power-button" "$tree/etc/acpi/PWRF/00000080"
  echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
  echo 'root:x:0:' >"$tree/etc/group"
}

make_instance_initrd() {
  local tree=$work/instance-tree
  mkdir -p "$tree/www/cgi-bin"
  install -m 0755 "$here/counters" "$tree/www/cgi-bin/counters"
  cp "$here/leaf" "$tree/leaf"
  head -c 1048576 /dev/urandom >"$tree/www/blob"
  sha256sum "$tree/www/blob" | cut -d' ' -f1 >"$tree/www/sum"
  # Whom the server sees: the address at the other end of the connection.
  # shellcheck disable=SC2016  # the script's own words
  printf '#!/bin/busybox sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\necho "$REMOTE_ADDR"\n' >"$tree/www/cgi-bin/peer"
  # And whom another server sees, when the instance itself asks: its peer program's answer, brought here.
  # shellcheck disable=SC2016
  printf '#!/bin/busybox sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\n/bin/busybox wget -q -O - "http://$QUERY_STRING/cgi-bin/peer"\n' >"$tree/www/cgi-bin/out"
  chmod 755 "$tree"/www/cgi-bin/{peer,out}
  initrd_init=$here/instance-init initrd_tree=$tree make_initrd "$work/lab" "$work/instance-initrd" virtio_mmio virtio_net cpuid
}

make_cloud_system() {
  local tree=$work/cloud each version
  busybox_root "$tree"
  take_programs "$tree" /usr/bin/qemu-system-x86_64 /usr/sbin/nft /bin/ip
  mkdir -p "$tree/usr/share/qemu" "$tree/sbin" "$tree/www/cgi-bin" "$tree/boot/grub"
  for each in bios-microvm.bin linuxboot_dma.bin; do
    cp -L "$(find -L "$work/lab/usr/share/qemu" "$work/lab/usr/share/seabios" -name "$each" -print -quit)" "$tree/usr/share/qemu/"
  done
  install -m 0755 "$here/cloud-init" "$tree/sbin/init"
  cp "$here/leaf" "$tree/sbin/leaf"
  install -m 0755 "$here/counters" "$tree/www/cgi-bin/counters"
  version="$(basename "$work"/lab/lib/modules/*)"
  for each in kvm_amd ata_piix sr_mod tun bridge nf_tables nft_chain_nat nft_nat nft_ct virtio_net virtio_rng virtio_balloon virtio_console evdev button cpuid pvpanic-mmio; do
    while read -r path; do
      install -D -m 0644 "$path" "$tree/${path#"$work/lab/"}"
    done < <(modprobe -d "$work/lab" -S "$version" --show-depends "$each" | sed -n 's/^insmod \([^ ]*\).*$/\1/p')
  done
  cp "$work/lab/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$tree/lib/modules/$version/"
  depmod -b "$tree" "$version"
  cp "$work/vmlinuz" "$work/initrd" "$work/instance-initrd" "$tree/boot/"
  boot_config disk 'root=/dev/vda1' /boot/initrd >"$tree/boot/grub/grub.cfg"
}

# boot_config FROM WORDS INITRD: its kernel uses one processor, however many the machine has, as the lab host has no more.
boot_config() {
  cat <<END
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=0
set default=0
set gfxpayload=text
menuentry "cloud" {
  echo "cloud: GRUB from $1"
  linux /boot/vmlinuz console=ttyS0 quiet panic=-1 maxcpus=1 cloud.from=$1 $2
  initrd $3
}
END
}

# The installer: its tools are in its initrd, what it installs is on the CD, and so are the boot loader's two parts.
make_installer_iso() {
  local iso=$work/iso tree=$work/installer-tree
  mkdir -p "$iso/boot/grub" "$tree"
  take_programs "$tree" /sbin/sfdisk /sbin/mke2fs
  install -D -m 0644 "$work/lab/etc/mke2fs.conf" "$tree/etc/mke2fs.conf"
  initrd_init=$here/cloud-install initrd_tree=$tree make_initrd "$work/lab" "$work/installer-initrd" virtio_ring virtio virtio_pci virtio_blk \
    ata_piix sr_mod cdrom isofs
  cp "$work/vmlinuz" "$iso/boot/vmlinuz"
  cp "$work/installer-initrd" "$iso/boot/initrd"
  tar -C "$work/cloud" --owner=0 --group=0 --numeric-owner -cf "$iso/system.tar" .
  grub-mkimage -O i386-pc -o "$iso/core.img" -p '(hd0,msdos1)/boot/grub' biosdisk ext2 "${grub_modules[@]}"
  cp /usr/lib/grub/i386-pc/boot.img "$iso/boot.img"
  boot_config cdrom '' /boot/initrd >"$iso/boot/grub/grub.cfg"
  grub-mkrescue -d /usr/lib/grub/i386-pc -o "$work/installer.iso" --fonts= --locales= --themes= --compress=no \
    --install-modules="${grub_modules[*]} iso9660 biosdisk" "$iso" -- -volid CLOUD >"$work/mkrescue.log" 2>&1 ||
    { cat "$work/mkrescue.log" >&2; die 'grub-mkrescue failed'; }
}

make_cloud() {
  make_initrd "$work/lab" "$work/guest-initrd" "${virtio_modules[@]}"
  make_instance_initrd
  make_cloud_system
  make_installer_iso
  cp "$work/installer.iso" "$work/vmlinuz" "$work/instance-initrd" "$work/guest-initrd" "$work/lab/images/"
}

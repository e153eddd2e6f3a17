#!/usr/bin/env bash
# Makes the lab host and what it needs inside, out of Debian's packages: they are downloaded and unpacked below OUTDIR,
# never installed. Safe to run twice, in parallel with itself, and after being killed: everything is made in a scratch
# folder under a lock, and renamed into place when it is whole.
#
# usage: build.sh [OUTDIR]      (default: build/nest; README.md lists what comes out)
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=1 PATH="$PATH:/usr/sbin:/sbin"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=tests/guest/parts.sh
source "$here/../guest/parts.sh"

die() { echo "nest/build: $*" >&2; exit 1; }
note() { echo "nest/build: $*"; }

out=${1:-$here/../../build/nest}
[[ $out != -* ]] || die 'usage: build.sh [OUTDIR]'
mkdir -p "$out/cache"
out="$(cd "$out" && pwd)"

# What is there is fresh when these very files made it.
source_hash="$(cd "$here" && cat build.sh cloud.sh packages.txt lab-* cloud-* instance-init counters leaf ../guest/parts.sh ../guest/init ../guest/udhcpc.script ../guest/power-button | sha256sum | cut -c1-16)"
fresh() { [[ -f $out/.stamp && $(<"$out/.stamp") == "$source_hash" ]]; }
! fresh || exit 0
[[ $EUID -eq 0 ]] || die 'the files of the root belong to root: run this as root'
for tool in dpkg-deb apt-get depmod modprobe cpio gzip mke2fs ldconfig flock grub-mkimage grub-mkrescue xorriso; do
  command -v "$tool" >/dev/null || die "$tool is missing; tests/run.sh installs what the tests need"
done
exec 9>"$out/.lock"
flock 9
! fresh || exit 0
rm -rf "$out"/.making.*
work="$(mktemp -d "$out/.making.XXXXXX")"
trap 'rm -rf "$work"' EXIT

# download FOLDER PACKAGE...: them and all that they depend on, as on a machine that has nothing yet.
download() {
  local folder=$1 try
  shift
  : >"$work/no-status"
  mkdir -p "$out/cache/partial" "$work/empty/partial"
  for try in 1 2; do
    apt-get -qq -y --no-install-recommends -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Dir::State::status="$work/no-status" \
      -o Dir::Cache::archives="$work/empty" --print-uris install "$@" >"$work/uris" 2>"$work/apt.log" &&
      apt-get -qq -y -d --no-install-recommends -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Dir::Cache::archives="$out/cache" \
        -o Dir::State::status="$work/no-status" install "$@" >"$work/apt.log" 2>&1 && break
    [[ $try -eq 1 ]] || die "apt-get could not download the lab host's packages: $(tail -n 1 "$work/apt.log")"
    refresh
  done
  awk '{ print $2 }' "$work/uris" >"$folder"
}

# What nobody reads in a lab host that lives for minutes.
not_needed=(./usr/share/doc/\* ./usr/share/man/\* ./usr/share/locale/\* ./usr/share/info/\* ./usr/share/perl\* ./usr/share/iso-codes/\*
  ./usr/share/xml/\* ./usr/share/bash-completion/\* ./usr/share/lintian/\* ./lib/systemd/\* ./lib/udev/hwdb.d/\* ./usr/lib/x86_64-linux-gnu/perl\*)

make_root() {
  local root=$work/lab name version
  mkdir -p "$root"
  while read -r name; do
    dpkg-deb --fsys-tarfile "$out/cache/$name" | tar -x -C "$root" --keep-directory-symlink "${not_needed[@]/#/--exclude=}"
  done <"$work/packages"
  version="$(basename "$root"/lib/modules/*)"
  depmod -b "$root" "$version"
  cp "$root"/boot/vmlinuz-* "$work/vmlinuz"
  rm -rf "${root:?}"/boot/*
  mkdir -p "$root"/{images,nest,root,dev,proc,sys,run,tmp}
  ln -sf gawk "$root/usr/bin/awk"
  [[ -e $root/bin/sh ]] || ln -s dash "$root/bin/sh"
  ldconfig -r "$root"
  cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
  cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
  echo 'kvm:x:106:' >>"$root/etc/group"
  echo 'root:x:0:0::/root:/bin/bash' | cat - <(grep -v '^root:' "$root/etc/passwd") >"$work/passwd"
  cp "$work/passwd" "$root/etc/passwd"
  make_firewalls "$root"
  printf '%s\n' '127.0.0.1 localhost lab' >"$root/etc/hosts"
  rm -f "$root/sbin/init"
  install -m 0755 "$here/lab-init" "$root/sbin/init"
  # There is no udev: lvm makes its own nodes, and waits for nobody.
  sed -e 's/^\([[:space:]]*\)# *udev_sync = .*/\1udev_sync = 0/' -e 's/^\([[:space:]]*\)# *udev_rules = .*/\1udev_rules = 0/' \
    -e 's/^\([[:space:]]*\)udev_sync = 1/\1udev_sync = 0/' -e 's/^\([[:space:]]*\)udev_rules = 1/\1udev_rules = 0/' \
    -e 's/^\([[:space:]]*\)# *obtain_device_list_from_udev = .*/\1obtain_device_list_from_udev = 0/' -i "$root/etc/lvm/lvm.conf"
  grep -q '^[[:space:]]*udev_sync = 0' "$root/etc/lvm/lvm.conf" || die "lvm.conf has no udev_sync to change"
  grep -q '^[[:space:]]*udev_rules = 0' "$root/etc/lvm/lvm.conf" || die "lvm.conf has no udev_rules to change"
}

# What the packages of other firewalls are given when they are installed: iptables through nft, ufw's rules as it comes, the
# system bus's user, Python's programs compiled. firewalld asks polkit, which does not run here, about each service that it
# knows: it has only those that its zones name.
make_firewalls() {
  local root=$1 program
  for program in iptables ip6tables iptables-restore ip6tables-restore iptables-save ip6tables-save; do
    ln -sf xtables-nft-multi "$root/usr/sbin/$program"
  done
  cp "$root"/usr/share/ufw/iptables/*.rules "$root"/usr/share/ufw/{ufw.conf,before.init,after.init} "$root/etc/ufw/"
  echo 'messagebus:x:107:107::/nonexistent:/usr/sbin/nologin' >>"$root/etc/passwd"
  echo 'messagebus:x:107:' >>"$root/etc/group"
  find "$root/usr/lib/firewalld/services" -name '*.xml' | grep -v -E '/(ssh|mdns|samba-client|netbios-ns|dhcpv6-client|dhcp|dns)\.xml$' | xargs rm
  rm "$root/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service"
  chroot "$root" /usr/bin/python3 -m compileall -q /usr/lib/python3 /usr/lib/python3.11 >/dev/null || die 'the Python programs of the lab host cannot be compiled'
}

make_lab() {
  local root=$work/lab size_m
  size_m=$(($(du -s --apparent-size -m "$root" | cut -f1) * 5 / 4 + 400))
  truncate -s "${size_m}M" "$work/lab-root.img"
  mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1,root_owner=0:0 -m 0 -L lab -d "$root" "$work/lab-root.img"
}

note 'makes the lab host'
mapfile -t packages < <(grep -v '^#' "$here/packages.txt")
download "$work/packages" "${packages[@]}" "$(kernel_package linux-image-cloud-amd64)"
make_root
# shellcheck source=tests/nest/cloud.sh
source "$here/cloud.sh"
initrd_init=$here/lab-initrd-init make_initrd "$work/lab" "$work/initrd" virtio_ring virtio virtio_pci virtio_blk
make_cloud
make_lab
for each in vmlinuz initrd lab-root.img installer.iso instance-initrd guest-initrd; do publish "$work/$each" "$each"; done
echo "$source_hash" >"$work/stamp"
mv -f "$work/stamp" "$out/.stamp"
note "done: $out"

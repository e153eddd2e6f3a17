# What the builders of guests share, to be sourced: Debian's packages, downloaded once and unpacked; an initrd of busybox
# and modules; GRUB's modules. Who sources it has set out (where the results are, and cache/) and work (a scratch folder).
guest_here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# publish FILE NAME: FILE appears as OUTDIR/NAME, whole or not at all.
publish() { mv -f "$1" "$out/$2"; }

# Sets $deb to the newest known .deb of a package, downloading it once; a stale package list is refreshed once.
refreshed=no
fetch() {
  local package=$1 version name
  version="$(apt-cache show --no-all-versions "$package" 2>/dev/null | awk '/^Version: / && !seen++ { print $2 }')"
  if [[ -z $version ]]; then
    [[ $refreshed == no ]] || die "apt knows no package $package"
    refresh
    fetch "$package"
    return
  fi
  name="${package}_${version//:/%3a}.deb"
  deb="$out/cache/$name"
  [[ ! -f $deb ]] || return 0
  note "downloads $package $version"
  mkdir -p "$work/download"
  if ! (cd "$work/download" && apt-get -qq -o APT::Sandbox::User=root download "$package=$version" 2>"$work/apt.log"); then
    [[ $refreshed == no ]] || die "apt-get could not download $package $version: $(tail -n 1 "$work/apt.log")"
    refresh
    fetch "$package"
    return
  fi
  mv -f "$work/download/$package"_*.deb "$deb"
}
refresh() {
  refreshed=yes
  note "refreshes the package lists"
  apt-get -qq update || die "apt-get update failed (is there a network, and are you root?)"
}

# unpack PACKAGE FOLDER
unpack() { fetch "$1"; mkdir -p "$2"; dpkg-deb -x "$deb" "$2"; }

# The kernel package behind a metapackage, such as linux-image-6.1.0-56-cloud-amd64 behind linux-image-cloud-amd64.
kernel_package() {
  local name
  name="$(apt-cache depends "$1" 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ && !seen++ { print $2 }')"
  if [[ -z $name && $refreshed == no ]]; then
    refresh >&2
    name="$(apt-cache depends "$1" | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ && !seen++ { print $2 }')"
  fi
  [[ -n $name ]] || die "apt knows no kernel behind $1"
  echo "$name"
}

pack_cpio() { (cd "$1" && find . -exec touch -h -d @1 {} + && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible); }

# make_initrd KERNEL_TREE OUTPUT MODULE...: busybox, init (or the one that initrd_init names), and those modules with what
# they depend on. What initrd_tree holds is put in, too.
make_initrd() {
  local tree=$1 output=$2 root=$work/root version module path applet
  shift 2
  version="$(basename "$tree"/lib/modules/*)"
  rm -rf "$root"
  mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,etc/acpi/PWRF,lib/modules}
  unpack busybox-static "$work/busybox"
  cp "$work/busybox/bin/busybox" "$root/bin/"
  for applet in $("$root/bin/busybox" --list); do
    [[ $applet == busybox ]] || ln -s busybox "$root/bin/$applet"
  done
  ln -s bin "$root/sbin"
  cp "${initrd_init:-$guest_here/init}" "$root/init"
  cp "$guest_here/udhcpc.script" "$root/bin/"
  cp "$guest_here/power-button" "$root/etc/acpi/PWRF/00000080"
  echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
  [[ -f $tree/lib/modules/$version/modules.dep ]] || depmod -b "$tree" "$version"
  for module in "$@"; do
    while read -r path; do
      [[ -n $path ]] || continue
      mkdir -p "$root/$(dirname "${path#"$tree"/}")"
      cp "$path" "$root/${path#"$tree"/}"
    done < <(modprobe -d "$tree" -S "$version" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod \([^ ]*\).*$/\1/p' || true)
  done
  [[ -n $(find "$root" -name '*.ko' -print -quit) ]] || die "no module of $version was found"
  cp "$tree/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$root/lib/modules/$version/" 2>/dev/null || true
  depmod -b "$root" "$version"
  [[ -z ${initrd_tree:-} ]] || tar -C "$initrd_tree" -c . | tar -C "$root" -x --keep-directory-symlink
  rm -f "$root/lib/modules/$version"/modules.*.bin "$root/lib/modules/$version"/modules.builtin.modinfo "$root/lib/modules/$version/modules.symbols"
  pack_cpio "$root" | gzip -n -1 >"$output"
}

virtio_modules=(virtio_ring virtio virtio_pci virtio_net virtio_blk virtio_scsi virtio_console virtio-rng virtio_balloon
  virtio_input vmw_vsock_virtio_transport failover net_failover sd_mod sr_mod cdrom isofs ata_piix button evdev
  pvpanic-mmio pvpanic-pci)
full_modules=(ahci e1000 e1000e 8139cp 8139too megaraid_sas sym53c8xx usb-storage uhci-hcd ehci-pci xhci-pci usbhid
  nvme bochs i6300esb)

grub_modules=(part_msdos part_gpt linux normal serial terminal echo test search search_fs_file configfile all_video)

le32() { local n=$1 octal; for _ in 1 2 3 4; do printf -v octal '\\%03o' $((n % 256)); printf '%b' "\\0${octal#\\}"; n=$((n / 256)); done; }

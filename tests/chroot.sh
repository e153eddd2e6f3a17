#!/usr/bin/env bash
# Runs a command of this repository on a bare Debian 12: a chroot that debootstrap made (minbase, kept as an archive below
# build/ for the next time) with a fresh clone of what is committed. It proves that the README's commands need nothing else.
# The packages come from where this machine's own apt takes them.
#
# usage: sudo tests/chroot.sh [--keep] COMMAND [ARGUMENT...]       the command is run in the clone, for example
#        sudo tests/chroot.sh examples/demo.sh
#        sudo tests/chroot.sh tests/run.sh --quick
#        sudo tests/chroot.sh bash
#   --keep   keeps the chroot's files afterwards, and says where
set -euo pipefail
export LC_ALL=C.UTF-8
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
store="$root/build/chroot"
release=bookworm

die() { echo "chroot: $*" >&2; exit 1; }

# All mounts are made in a mount namespace of our own: however this ends, they end with it.
if [[ ${NUTSHELL_CHROOT_STAGE:-} != inside ]]; then
  [[ $EUID -eq 0 ]] || die 'debootstrap and chroot need root: sudo tests/chroot.sh ...'
  "$root/cmake/packages.sh" chroot
  NUTSHELL_CHROOT_STAGE=inside exec unshare --mount --propagation private bash "${BASH_SOURCE[0]}" "$@"
fi
unset NUTSHELL_CHROOT_STAGE

keep=no
if [[ ${1:-} == --keep ]]; then
  keep=yes
  shift
fi
[[ $# -gt 0 ]] || { sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
export PATH="$PATH:/usr/sbin:/sbin"

# Debian's own sources, as this machine knows them: "URI SUITE", one on a line.
sources="$(apt-get indextargets --format "\$(ORIGIN) \$(COMPONENT) \$(CODENAME) \$(REPO_URI) \$(RELEASE)" 'Created-By: Packages' |
  awk -v release="$release" '$1 == "Debian" && $2 == "main" && index($3, release) == 1 { print $4, $5 }' | LC_ALL=C sort -u)"
mirror="$(awk -v release="$release" '$2 == release { print $1; exit }' <<<"$sources")"
[[ -n $mirror ]] || die "apt on this machine knows no Debian $release: see /etc/apt/sources.list.d, and run apt-get update"

# base_archive: makes the archive of the bare system, once per mirror and month.
base_archive() {
  local making options=(--variant=minbase)
  archive="$store/base-$(sha256sum <<<"$sources" | cut -c1-12).tar.zst"
  mkdir -p "$store"
  exec 9>"$store/.lock"
  flock 9
  if [[ ! -f $archive || -n $(find "$archive" -mtime +30) ]]; then
    echo "chroot: makes a bare Debian $release"
    [[ $mirror != https:* ]] || options+=(--include=ca-certificates)
    [[ ! -f /usr/share/keyrings/debian-archive-keyring.gpg ]] || options+=(--keyring=/usr/share/keyrings/debian-archive-keyring.gpg)
    making="$(mktemp -d "$store/.making.XXXXXX")"
    debootstrap "${options[@]}" "$release" "$making/root" "$mirror" >"$store/debootstrap.log" 2>&1 ||
      { tail -n 20 "$store/debootstrap.log" >&2; rm -rf "$making"; die "debootstrap failed; the whole log is $store/debootstrap.log"; }
    rm -f "$making"/root/var/cache/apt/archives/*.deb
    tar -C "$making/root" --zstd -cf "$making/base.tar.zst" .
    mv -f "$making/base.tar.zst" "$archive"
    rm -rf "$making"
  fi
  exec 9>&-
}

# What lets apt inside reach what apt outside reaches: sources, proxies, resolver, certificates.
apt_as_here() {
  sed 's/^/deb /; s/$/ main/' <<<"$sources" >"$1/etc/apt/sources.list"
  apt-config dump | grep -E '^Acquire::[a-z]+::(Proxy|Verify|CaInfo)' >"$1/etc/apt/apt.conf.d/90host" || true
  cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
  if [[ $mirror == https:* && -f /etc/ssl/certs/ca-certificates.crt ]]; then
    mkdir -p "$1/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
  fi
}

base_archive
# A run holds a lock on its folder; a folder that nobody holds was left by a killed run.
for each in "$store"/run.*; do
  [[ ! -d $each ]] || ! flock -n "$each" true || rm -rf --one-file-system -- "$each"
done
place="$(mktemp -d "$store/run.XXXXXX")"
exec 8<"$place"
flock 8
# shellcheck disable=SC2317  # called by the trap
leave() {
  local status=$? each
  trap - EXIT
  # Deepest first; what a killed command left mounted inside goes too.
  while read -r each; do umount -l -- "$each" || true; done < <(awk -v place="$place/" 'index($5, place) == 1 { print $5 }' /proc/self/mountinfo | LC_ALL=C sort -r)
  if [[ $keep == yes ]]; then
    mv "$place" "${place/run./kept.}"
    echo "chroot: kept in ${place/run./kept.}"
  elif ! grep -q -F " $place/" /proc/self/mountinfo; then
    rm -rf --one-file-system -- "$place"
  fi
  exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

tar -C "$place" --zstd -xf "$archive"
apt_as_here "$place"
git -c safe.directory='*' clone -q --no-hardlinks "$root" "$place/root/nutshell"
mount -t proc proc "$place/proc"
mount --rbind /sys "$place/sys"
mount --rbind /dev "$place/dev"
mount -t tmpfs tmpfs "$place/run"

echo "chroot: runs $* in a bare Debian $release, on a clone of $(git -c safe.directory='*' -C "$root" rev-parse --short HEAD)"
status=0
environment=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}")
for each in http_proxy https_proxy no_proxy CI; do
  [[ -z ${!each:-} ]] || environment+=("$each=${!each}")
done
# shellcheck disable=SC2016  # the inner shell's own words
chroot "$place" env -i "${environment[@]}" sh -c 'cd /root/nutshell && exec "$@"' sh "$@" || status=$?
echo "chroot: $1 ended with status $status"
exit "$status"

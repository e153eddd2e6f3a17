#!/usr/bin/env bash
# Installs those packages of the named lists (cmake/packages-LIST.txt) that are missing; where none is, does nothing at all.
#
# usage: cmake/packages.sh LIST...        as root; cmake/packages.sh --print LIST... prints the packages
set -euo pipefail
export LC_ALL=C.UTF-8
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

print=no
if [[ ${1:-} == --print ]]; then
  print=yes
  shift
fi
[[ $# -gt 0 ]] || { echo 'usage: cmake/packages.sh [--print] LIST...' >&2; exit 2; }

wanted=()
for list in "$@"; do
  [[ -f $here/packages-$list.txt ]] || { echo "packages: there is no list cmake/packages-$list.txt" >&2; exit 2; }
  mapfile -t -O "${#wanted[@]}" wanted < <(sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$here/packages-$list.txt")
done
if [[ $print == yes ]]; then
  printf '%s\n' "${wanted[@]}" | sort -u
  exit 0
fi

installed="$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')"
missing=()
for package in "${wanted[@]}"; do
  grep -q -x -F -- "$package" <<<"$installed" || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $EUID -ne 0 ]]; then
  echo "packages: missing are ${missing[*]}; only root can install them: run this again with sudo" >&2
  exit 1
fi
echo "packages: installs ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
quiet=(-qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -o Acquire::Retries=3)
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
if ! apt-get "${quiet[@]}" update >"$log" 2>&1; then
  tail -n 5 "$log" >&2
  echo 'packages: apt-get update failed; are there sources in /etc/apt, and a network?' >&2
  exit 1
fi
if ! apt-get "${quiet[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >"$log" 2>&1; then
  tail -n 15 "$log" >&2
  echo "packages: apt-get could not install ${missing[*]}" >&2
  exit 1
fi

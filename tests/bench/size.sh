#!/usr/bin/env bash
# The program stays small, and needs nothing at run time beyond what the design names.
# usage: size.sh          NUTSHELL_BUILD_DIR is a release build
set -euo pipefail
export LC_ALL=C.UTF-8
source_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
binary=${NUTSHELL_BUILD_DIR:-$source_dir/build/release}/src/app/nutshell
limit=3000000
allowed='^(linux-vdso|ld-linux-x86-64|libstdc\+\+|libc|libgcc_s|libm|libnl-3|libnl-route-3|libsqlite3|libfmt|libboost_program_options)\.so'

[[ -x $binary ]] || { echo "size: $binary is not there; build the preset release" >&2; exit 1; }
stripped="$(mktemp)"
trap 'rm -f "$stripped"' EXIT
strip -o "$stripped" "$binary"
size=$(stat -c %s "$stripped")
libraries="$(ldd "$binary" | awk '{ print $1 }' | sed 's|.*/||' | sort)"
echo "stripped: $size bytes (limit $limit)"
printf 'needs: %s\n' "$(paste -sd' ' <<<"$libraries")"

status=0
[[ $size -lt $limit ]] || { echo "size: the stripped program has $size bytes, and the limit is $limit"; status=1; }
grep -q '^libsqlite3' <<<"$libraries" || { echo 'size: ldd does not list even SQLite; is it a static binary?'; status=1; }
strangers="$(grep -Ev "$allowed" <<<"$libraries" || true)"
[[ -z $strangers ]] || { echo "size: the program needs libraries that the design does not name: ${strangers//$'\n'/ }"; status=1; }
exit "$status"

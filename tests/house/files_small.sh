#!/usr/bin/env bash
# A file that does not fit in a head is split by meaning: no source file has more than 300 lines.
#
# usage: files_small.sh TREE | files_small.sh --self-test
set -euo pipefail
limit=300

check() {
  local file lines bad=0
  while IFS= read -r -d '' file; do
    lines=$(wc -l <"$file")
    if [[ $lines -gt $limit ]]; then
      echo "files_small: ${file#"$1"/} has $lines lines; split it by meaning (at most $limit)"
      bad=1
    fi
  done < <(cd "$1" && find "$1/src" "$1/include" "$1/netlink" -type f -print0 2>/dev/null)
  [[ $bad -eq 0 ]]
}

self_test() {
  local tree
  tree="$(mktemp -d)"
  # shellcheck disable=SC2064
  trap "rm -rf '$tree'" EXIT
  mkdir -p "$tree/src/core"
  seq 300 >"$tree/src/core/fits.cpp"
  check "$tree" || { echo 'self-test: 300 lines were refused'; exit 1; }
  seq 301 >"$tree/src/core/long.cpp"
  ! check "$tree" >/dev/null || { echo 'self-test: 301 lines were not refused'; exit 1; }
  echo 'files_small: self-test passed'
}

case ${1:-} in
  --self-test) self_test ;;
  '') echo 'usage: files_small.sh TREE | --self-test' >&2; exit 2 ;;
  *) check "$(cd "$1" && pwd)" && echo "files_small: no source file has over $limit lines" ;;
esac

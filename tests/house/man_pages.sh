#!/usr/bin/env bash
# The man pages are there and mandoc has nothing to say against them, warnings included.
#
# usage: man_pages.sh TREE | man_pages.sh --self-test
set -euo pipefail
export LC_ALL=C.UTF-8

check() {
  local page pages=() bad=0
  for page in "$1"/man/*.[1-8]; do
    [[ ! -f $page ]] || pages+=("$page")
  done
  if [[ ${#pages[@]} -eq 0 ]]; then
    echo 'man_pages: man/ has no page'
    return 1
  fi
  for page in "${pages[@]}"; do
    mandoc -T lint -W warning "$page" || bad=1
  done
  [[ $bad -eq 0 ]]
}

self_test() {
  local tree
  tree="$(mktemp -d)"
  # shellcheck disable=SC2064
  trap "rm -rf '$tree'" EXIT
  mkdir -p "$tree/man"
  ! check "$tree" >/dev/null || { echo 'self-test: a tree without pages was not refused'; exit 1; }
  # shellcheck disable=SC2016  # mdoc's own date macro
  printf '%s\n' '.Dd January 1, 2024' '.Dt GOOD 1' '.Os' '.Sh NAME' '.Nm good' '.Nd is a page' '.Sh DESCRIPTION' 'It is good.' >"$tree/man/good.1"
  check "$tree" || { echo 'self-test: a good page was refused'; exit 1; }
  printf '%s\n' '.Dd January 1, 2024' '.Dt BAD 1' '.Os' '.Sh NAME' '.Nm bad' '.Nd is a page' '.Sh DESCRIPTION' '.Bl -tag' '.No such' >"$tree/man/bad.1"
  ! check "$tree" >/dev/null 2>&1 || { echo 'self-test: a bad page was not refused'; exit 1; }
  echo 'man_pages: self-test passed'
}

case ${1:-} in
  --self-test) self_test ;;
  '') echo 'usage: man_pages.sh TREE | --self-test' >&2; exit 2 ;;
  *) check "$1" && echo 'man_pages: mandoc is content' ;;
esac

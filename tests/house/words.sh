#!/usr/bin/env bash
# Words that mean "not done": what stands in the sources is done, or is not there.
#
# usage: words.sh TREE | words.sh --self-test
set -euo pipefail
export LC_ALL=C.UTF-8
# Written with brackets, so that this file does not contain them.
words='\b(TO[D]O|FIX[M]E|XX[X]|HAC[K]|TB[D]|[Pp]lace[h]older|PLACE[H]OLDER|[Nn]ot (yet )?imp[l]emented)\b'

check() {
  local bad=0 found
  found="$(cd "$1"; grep -rnE "$words" src include netlink 2>/dev/null || true)"
  [[ -z $found ]] || { sed 's/^/words: /' <<<"$found"; bad=1; }
  found="$(cd "$1"; find src include netlink -iname '*place[h]older*' 2>/dev/null || true)"
  [[ -z $found ]] || { sed 's/^/words: a file named /' <<<"$found"; bad=1; }
  [[ $bad -eq 0 ]]
}

self_test() {
  local tree word
  tree="$(mktemp -d)"
  # shellcheck disable=SC2064
  trap "rm -rf '$tree'" EXIT
  mkdir -p "$tree/src/core"
  for word in 'TO''DO' 'FIX''ME' 'place''holder' 'not imp''lemented'; do
    echo "int a; // $word: later" >"$tree/src/core/a.cpp"
    ! check "$tree" >/dev/null || { echo "self-test: $word was not refused"; exit 1; }
  done
  echo 'int a; // mastodon, hackney, fixmes' >"$tree/src/core/a.cpp"
  check "$tree" || { echo 'self-test: harmless words were refused'; exit 1; }
  touch "$tree/src/core/place""holder.cpp"
  ! check "$tree" >/dev/null || { echo 'self-test: a file name was not refused'; exit 1; }
  echo 'words: self-test passed'
}

case ${1:-} in
  --self-test) self_test ;;
  '') echo 'usage: words.sh TREE | --self-test' >&2; exit 2 ;;
  *) check "$1" && echo 'words: nothing is left to be done' ;;
esac

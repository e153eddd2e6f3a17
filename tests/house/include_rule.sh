#!/usr/bin/env bash
# Who may include what. The rooms form a graph (app -> host, store, core; host -> core, netlink; store -> core), each
# third-party library has one door, and what decides (core) cannot see the world. This script is that paragraph, executable.
#
# usage: include_rule.sh TREE | include_rule.sh --self-test
set -euo pipefail
export LC_ALL=C.UTF-8

bad=0
complain() { echo "include_rule: $*"; bad=$((bad + 1)); }

# Every include of a tree, as "FILE INCLUDE" with the brackets or quotes kept.
includes_of() {
  (cd "$1" && find src include netlink -type f \( -name '*.cpp' -o -name '*.hpp' -o -name '*.h' -o -name '*.in' \) -print0 2>/dev/null |
    LC_ALL=C sort -z | xargs -0 -r grep -HoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"][^>"]+[>"]' |
    sed -E 's/^([^:]*):[[:space:]]*#[[:space:]]*include[[:space:]]*/\1 /') || true
}

# door LIBRARY FILE REGEX: FILE may include LIBRARY only if it matches REGEX; every such file is counted per room.
declare -A through
door() {
  local library=$1 file=$2 allowed=$3 room
  if [[ ! $file =~ $allowed ]]; then
    complain "$file includes $library, which only a file matching $allowed may"
    return
  fi
  room=$(dirname "$file")
  [[ " ${through[$library $room]:-} " == *" $file "* ]] || through["$library $room"]="${through[$library $room]:-} $file"
}

third_party() { # third_party FILE <NAME>
  local file=$1 name=$2
  case $name in
    '<toml++/'* | '<toml.hpp>') door toml++ "$file" '^src/core/[^/]*\.cpp$' ;;
    '<nlohmann/'*) door nlohmann-json "$file" '^src/(core|host)/[^/]*\.cpp$' ;;
    '<sqlite3'*) door SQLite "$file" '^src/store/[^/]*\.cpp$' ;;
    '<boost/process'*) door Boost.Process "$file" '^src/host/[^/]*\.cpp$' ;;
    '<boost/program_options'*) door Boost.Program_options "$file" '^src/app/[^/]*\.cpp$' ;;
    '<netlink/'* | '<libnl'*)
      [[ $file == netlink/src/* ]] || complain "$file includes $name: libnl's headers belong in netlink/src only"
      ;;
    '<fmt/'*)
      [[ $file =~ ^src/.*\.cpp(\.in)?$ ]] || complain "$file includes $name: fmt belongs in the .cpp files of src only"
      ;;
    '<linux/'* | '<sys/'* | '<net/'* | '<netinet/'* | '<arpa/'* | '<asm/'*) ;;
    '<'*/* | '<doctest'* | '<nl'*) complain "$file includes $name, of a library that the design does not name" ;;
  esac
}

own() { # own FILE "NAME": the link graph
  local file=$1 name=$2 room allowed
  case $file in
    include/nutshell/*) room=include/nutshell allowed='nutshell/' ;;
    netlink/include/*) room=netlink/include allowed='nl/' ;;
    netlink/src/*) room=netlink/src allowed='(nl/|[^/]*"$)' ;;
    src/core/*) room=src/core allowed='(nutshell|core)/' ;;
    src/store/*) room=src/store allowed='(nutshell|core|store)/' ;;
    src/host/*) room=src/host allowed='(nutshell|core|host|nl)/' ;;
    src/app/*) room=src/app allowed='(nutshell|core|host|store|app)/' ;;
    *) complain "$file stands in no room of the design"; return ;;
  esac
  [[ $name =~ ^\"$allowed ]] || complain "$file includes $name, which $room may not"
}

pure() { # pure FILE <NAME>: core has no clock, environment, file, log
  case $2 in
    '<filesystem>' | '<fstream>' | '<iostream>' | '<thread>' | '<mutex>' | '<future>' | '<random>' | '<ctime>' | '<time.h>' | \
      '<unistd.h>' | '<fcntl.h>' | '<poll.h>' | '<dirent.h>' | '<signal.h>' | '<csignal>' | '<syslog.h>' | '<sys/'*)
      complain "$1 includes $2: core is pure" ;;
  esac
}

check() { # check TREE: every complaint at once
  local tree=$1 file name key files
  bad=0
  through=()
  while read -r file name; do
    case $name in
      \"*) own "$file" "$name" ;;
      *) third_party "$file" "$name" ;;
    esac
    [[ $file != src/core/* ]] || pure "$file" "$name"
  done < <(includes_of "$tree")
  for key in "${!through[@]}"; do
    read -r -a files <<<"${through[$key]}"
    [[ ${#files[@]} -le 1 ]] || complain "${key% *} has several doors in ${key#* }: ${files[*]}"
  done
  while read -r file; do
    complain "$file: core reads a clock or the environment"
  done < <(cd "$tree"; grep -rnE '\b(secure_)?getenv\b|_clock::now|\bclock_gettime\b|\bgettimeofday\b|\bstd::time\(|\benviron\b' src/core 2>/dev/null | grep -vE '^[^:]*:[0-9]+:[[:space:]]*//' || true)
  [[ $bad -eq 0 ]]
}

self_test() {
  local tree missed=0 seen
  tree="$(mktemp -d)"
  # shellcheck disable=SC2064
  trap "rm -rf '$tree'" EXIT
  plant() { mkdir -p "$tree/$(dirname "$1")"; printf '%s\n' "${@:2}" >"$tree/$1"; }
  expect_bad() { # expect_bad FILE LINE...: a tree that has but this file is refused
    rm -rf "$tree"
    mkdir -p "$tree"
    plant "$@"
    if (check "$tree") >/dev/null; then echo "self-test: not refused: $*"; missed=1; fi
  }
  expect_bad src/core/a.cpp '#include "host/fd.hpp"'
  expect_bad src/core/a.cpp '#include "store/sqlite.hpp"'
  expect_bad src/core/a.cpp '#include "nl/link.hpp"'
  expect_bad src/core/a.cpp '#include <filesystem>'
  expect_bad src/core/a.cpp '  #  include <fstream>'
  expect_bad src/core/a.cpp 'auto t = std::chrono::steady_clock::now();'
  expect_bad src/core/a.cpp 'auto p = std::getenv("HOME");'
  expect_bad src/core/a.hpp '#include <fmt/format.h>'
  expect_bad src/host/a.cpp '#include "store/sqlite.hpp"'
  expect_bad src/store/a.cpp '#include "host/fd.hpp"'
  expect_bad src/store/a.cpp '#include "app/main.hpp"'
  expect_bad src/host/a.cpp '#include <sqlite3.h>'
  expect_bad src/store/a.hpp '#include <sqlite3.h>'
  expect_bad src/app/a.cpp '#include <boost/process/child.hpp>'
  expect_bad src/host/a.cpp '#include <boost/program_options.hpp>'
  expect_bad src/host/a.cpp '#include <boost/asio.hpp>'
  expect_bad src/host/a.cpp '#include <netlink/socket.h>'
  expect_bad src/app/a.cpp '#include "nl/link.hpp"'
  expect_bad include/nutshell/a.hpp '#include <nlohmann/json.hpp>'
  expect_bad include/nutshell/a.hpp '#include "core/a.hpp"'
  expect_bad netlink/include/nl/a.hpp '#include <netlink/attr.h>'
  expect_bad netlink/src/a.cpp '#include "nutshell/values.hpp"'
  expect_bad src/other/a.cpp '#include "nutshell/values.hpp"'
  rm -rf "$tree"
  plant src/core/a.cpp '#include <nlohmann/json.hpp>'
  plant src/core/b.cpp '#include <nlohmann/json.hpp>'
  if (check "$tree") >/dev/null; then echo 'self-test: two doors were not refused'; missed=1; fi
  rm -rf "$tree"
  plant src/core/a.cpp '#include <nlohmann/json.hpp>' '#include "core/a.hpp"' '// no getenv here' '#include <fmt/format.h>'
  plant src/host/a.cpp '#include <nlohmann/json.hpp>' '#include "nl/link.hpp"' '#include <sys/socket.h>' '#include <boost/process/child.hpp>' '#include <boost/process/exe.hpp>'
  plant src/app/main.cpp '#include "app/options.hpp"' '#include "store/allocator.hpp"' '#include <filesystem>'
  plant netlink/src/wire.cpp '#include "wire.hpp"' '#include <netlink/attr.h>'
  seen="$(check "$tree")" || { echo "self-test: a good tree was refused: $seen"; missed=1; }
  [[ $missed -eq 0 ]] && echo 'include_rule: self-test passed'
}

case ${1:-} in
  --self-test) self_test ;;
  '') echo 'usage: include_rule.sh TREE | --self-test' >&2; exit 2 ;;
  *) check "$1" && echo 'include_rule: every include is allowed' ;;
esac

#!/usr/bin/env bash
# What is installed can be used, and goes away without a trace: into a prefix of its own, two small programs are built
# against what lies there (one against the netlink library alone), the program, manual and completion are tried, and the
# uninstaller takes all of it back.
#
# usage: install.sh TREE | install.sh --self-test       NUTSHELL_BUILD_DIR is a build folder with all targets built
set -euo pipefail
export LC_ALL=C.UTF-8
source_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
build=${NUTSHELL_BUILD_DIR:-$source_dir/build/release}
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

die() { echo "install: $*" >&2; exit 1; }
quietly() { "$@" >"$scratch/log" 2>&1 || { tail -n 30 "$scratch/log" >&2; die "failed: $*"; }; }

# With --component CMake writes a manifest of another name, so that the manifest of a real installation stays as it is.
install_all() {
  exec 9>"$build/.install-test.lock"
  flock 9
  quietly cmake --install "$build" --prefix "$prefix" --component Unspecified
  mv "$build/install_manifest_Unspecified.txt" "$scratch/manifest.txt"
  exec 9>&-
}
uninstall() { quietly cmake -DMANIFEST="$scratch/manifest.txt" -P "$source_dir/cmake/uninstall.cmake"; }

# consumer NAME COMPONENT < SOURCE: a project of its own that knows nutshell by find_package alone.
consumer() {
  mkdir -p "$scratch/$1"
  cat >"$scratch/$1/main.cpp"
  cat >"$scratch/$1/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project($1 LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(nutshell 0.1 REQUIRED COMPONENTS $2)
add_executable($1 main.cpp)
target_link_libraries($1 PRIVATE nutshell::$2)
END
  quietly cmake -G Ninja -S "$scratch/$1" -B "$scratch/$1/build" -DCMAKE_PREFIX_PATH="$prefix"
  quietly cmake --build "$scratch/$1/build"
}

check_consumers() {
  local seen
  consumer links netlink <<'END'
#include <iostream>
#include <nl/link.hpp>
#include <nl/socket.hpp>

int main() {
  nl::Socket socket;
  for (const nl::Link& link : nl::list_links(socket)) std::cout << link.name << "\n";
}
END
  "$scratch/links/build/links" | grep -x lo >/dev/null || die 'the program that lists links does not see lo'
  grep -q sqlite "$scratch/links/build/build.ninja" && die 'who asks for netlink alone is given SQLite, too'
  consumer leases store <<'END'
#include <iostream>
#include <nutshell/config.hpp>
#include <nutshell/registry.hpp>

int main(int, char** argv) {
  nutshell::Registry::Options options;
  options.path = argv[1];
  options.pools = nutshell::effective_pools({});
  for (const auto& pool : nutshell::Registry::open(options).pools()) std::cout << pool.range.name << "\n";
}
END
  seen="$("$scratch/leases/build/leases" "$scratch/registry.db")"
  grep -qx mac <<<"$seen" || die 'the program that opens a registry does not see the pool mac'
  [[ -s $scratch/registry.db ]] || die 'the program that opens a registry made none'
}

check_files() {
  local page
  [[ $("$prefix/bin/nutshell" --root "$scratch/root" version) == nutshell\ [0-9]* ]] || die 'the installed program does not say its version'
  for page in man1/nutshell.1 man5/cloud.toml.5 man5/nutshell.toml.5 man7/nutshell.7; do
    cmp -s "$prefix/share/man/$page" "$source_dir/man/${page#*/}" || die "$page is not installed"
  done
  # The completion, loaded in a shell of its own, completes a command and one of its options.
  PATH="$prefix/bin:$PATH" bash -c '
    source "$1"
    COMP_WORDS=(nutshell laun) COMP_CWORD=1; _nutshell; [[ ${COMPREPLY[*]} == launch ]] || exit 1
    COMP_WORDS=(nutshell launch --vnc-l) COMP_CWORD=2; _nutshell; [[ ${COMPREPLY[*]} == --vnc-listen ]]
  ' bash "$prefix/share/bash-completion/completions/nutshell" || die 'the completion does not complete'
  [[ -f $prefix/share/doc/nutshell/examples/nutshell.toml && -f $prefix/share/doc/nutshell/examples/ciab/cloud.toml ]] || die 'the examples are not installed'
  "$prefix/bin/nutshell" --root "$scratch/root" --config "$prefix/share/doc/nutshell/examples/nutshell.toml" --quiet ls >/dev/null || die 'the example configuration is refused'
}

check() {
  local stranger=$prefix/include/nutshell/stranger.hpp
  [[ -x $build/src/app/nutshell ]] || die "$build has no program; build it, or say NUTSHELL_BUILD_DIR"
  install_all
  check_files
  check_consumers
  uninstall
  [[ -z $(find "$prefix" -type f) ]] || die "after uninstalling there are still: $(find "$prefix" -type f)"
  [[ -z $(find "$prefix" -type d \( -name nutshell -o -name nl \)) ]] || die 'folders of ours stay after uninstalling'
  # What somebody else has put among our files stays, with its folder.
  install_all
  touch "$stranger"
  uninstall
  [[ $(find "$prefix" -type f) == "$stranger" ]] || die 'uninstalling did not leave a file of somebody else alone'
  cmake --build "$build" --target help | grep '^uninstall:' >/dev/null || die 'there is no target uninstall'
}

# The checks see what they are for: a header, a completion or a page that is missing, and a manifest with a gap.
self_test() {
  local gone missed=0
  install_all
  for gone in include/nl/link.hpp "$(cd "$prefix" && find . -name nutshellConfig.cmake)" share/man/man7/nutshell.7 \
    share/bash-completion/completions/nutshell; do
    [[ -f $prefix/$gone ]] || { echo "self-test: $gone is not there to be taken away"; missed=1; continue; }
    mv "$prefix/$gone" "$scratch/gone"
    rm -rf "$scratch/links" "$scratch/leases"
    if (check_files && check_consumers) >/dev/null 2>&1; then echo "self-test: not noticed: $gone is missing"; missed=1; fi
    mv "$scratch/gone" "$prefix/$gone"
  done
  sed -i '/link\.hpp$/d' "$scratch/manifest.txt"
  uninstall
  [[ -n $(find "$prefix" -type f) ]] || { echo 'self-test: more was removed than the manifest names'; missed=1; }
  [[ $missed -eq 0 ]] && echo 'install: self-test passed'
}

case ${1:-} in
  --self-test) self_test ;;
  '') echo 'usage: install.sh TREE | --self-test' >&2; exit 2 ;;
  *) check && echo 'install: installed, used, and gone again' ;;
esac

#!/usr/bin/env bash
# Builds nutshell and runs every test: the one command that the README names. As root, on Debian 12, in any folder; it
# installs what is missing from Debian's packages first. Everything that it makes is below build/.
#
# usage: sudo tests/run.sh [--quick] [--no-asan] [-L LABEL] [-R REGEX]
#   --quick    the tests labelled unit and house only, and no second pass
#   --no-asan  no second pass under AddressSanitizer and UndefinedBehaviorSanitizer
#   -L, -R     only tests with that label, or name (as ctest takes them)
# CI=true in the environment makes a skipped test a failure.
set -euo pipefail
export LC_ALL=C.UTF-8
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

die() { echo "tests/run.sh: $*" >&2; exit 1; }

given=("$@")
asan=yes
select=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --no-asan) asan=no ;;
    --quick) asan=no; select+=(-L '^(unit|house)$') ;;
    -L | -R) [[ $# -ge 2 ]] || die "$1 wants a value"; select+=("$1" "$2"); shift ;;
    -h | --help) sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "tests/run.sh: unknown option $1; see tests/run.sh --help" >&2; exit 2 ;;
  esac
  shift
done

[[ $EUID -eq 0 ]] || die 'the tests need root, for network namespaces and taps: sudo tests/run.sh'
"$root/cmake/packages.sh" build run demo test
export PATH="$PATH:/usr/sbin:/sbin"

# Tests with a mount namespace make / private in it, which only a mount point can be. In a plain chroot / is none: then all
# of this runs again in the same tree bound to a place of its own, in a mount namespace that ends with it.
if ! unshare --mount --propagation unchanged mount --make-private / 2>/dev/null && [[ -z ${NUTSHELL_BOUND_ROOT:-} ]]; then
  place="$(mktemp -d)"
  status=0
  # shellcheck disable=SC2016  # the inner shell's own words
  NUTSHELL_BOUND_ROOT=yes unshare --mount --propagation unchanged bash -c \
    'place=$1 && shift && mount --rbind / "$place" && exec chroot "$place" bash "$@"' bash "$place" "$root/tests/run.sh" "${given[@]}" || status=$?
  rmdir "$place" 2>/dev/null || true
  exit "$status"
fi

# Without these rights the tests that need them count as skipped.
# shellcheck source=cmake/rights.sh
source "$root/cmake/rights.sh"
mapfile -t lacking < <(lacking_rights)
for each in "${lacking[@]}"; do echo "tests/run.sh: $each" >&2; done

count_of() { awk -F'"' -v key="$2" '$1 == "\t" key "=" && !seen++ { print $2 }' "$1"; }
names_of_skipped() { awk -F'"' '$1 == "\t<testcase name=" && / status="(notrun|disabled)"/ { print $2 }' "$1"; }

failed=no
summary=()
skipped_all=()

# one_pass PRESET CTEST_OPTION...: configures, builds, tests.
one_pass() {
  local preset=$1 folder=$root/build/$1 status=0 left_out=() junit=$root/build/$1/junit.xml name all
  shift
  echo "== $preset: configure and build"
  cmake --preset "$preset" -DNUTSHELL_TESTS=ON >"$root/build/configure-$preset.log" 2>&1 || { cat "$root/build/configure-$preset.log" >&2; die "cmake could not configure the preset $preset"; }
  cmake --build "$folder" -j "$(nproc)" || die "the preset $preset does not build"
  if [[ ${#lacking[@]} -gt 0 ]]; then
    mapfile -t left_out < <(ctest --test-dir "$folder" -N "$@" -L 'netns|qemu|faults|bench' | sed -n 's/^ *Test *#[0-9]*: //p')
    set -- "$@" -LE 'netns|qemu|faults|bench'
  fi
  echo "== $preset: ctest"
  rm -f "$junit"
  ctest --test-dir "$folder" -j 2 --output-on-failure --no-tests=error --output-junit "$junit" "$@" 2>&1 | tee "$folder/ctest.log" || status=1
  [[ -f $junit ]] || die "ctest of $preset wrote no result"
  all=$(count_of "$junit" tests)
  mapfile -t -O "${#left_out[@]}" left_out < <(names_of_skipped "$junit")
  summary+=("$preset: $all tests run, $(count_of "$junit" failures) failed, ${#left_out[@]} skipped")
  for name in "${left_out[@]}"; do skipped_all+=("$preset: $name"); done
  [[ $status -eq 0 ]] || failed=yes
}

mkdir -p "$root/build"
one_pass release "${select[@]}"
# The second pass leaves out what does not run our code (the guests alone, the house rules), what measures time, and the
# dry run seen by strace, which would see the sanitizers' own pipes.
[[ $asan == no ]] || one_pass asan -E '^((guest|house)_|dry_run_test$)' -LE '^(bench|house)$' "${select[@]}"

echo
echo '== summary'
printf '%s\n' "${summary[@]}"
if [[ ${#skipped_all[@]} -gt 0 ]]; then
  echo 'skipped:'
  printf '  %s\n' "${skipped_all[@]}"
  if [[ ${CI:-} == true ]]; then
    echo 'tests/run.sh: in CI a skipped test is a failure' >&2
    failed=yes
  fi
else
  echo 'skipped: none'
fi
[[ $failed == no ]] || die 'there were failures'
echo 'all passed'

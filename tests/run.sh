#!/usr/bin/env bash
# Builds nutshell and runs its tests: the one command that the README names. As root, on Debian 12, in any folder; it
# installs what is missing from Debian's packages first. Everything that it makes is below build/.
#
# usage: sudo tests/run.sh [--quick | --all] [--no-nest] [--no-asan] [-L LABEL] [-R REGEX]
#   --quick    the tests labelled unit and house only, and one pass
#   --all      also what takes long: the scenarios of the nest in which machines install themselves (label long), the guest
#              images with QEMU alone (label guest), and under the sanitizers all that can be, where a usual run takes a choice
#              (label asan)
#   --no-nest  no pass in the nest, the lab host with real KVM and device-mapper inside (tests/nest)
#   --no-asan  no pass under AddressSanitizer and UndefinedBehaviorSanitizer
#   -L, -R     only tests with that label, or name (as ctest takes them)
# CI=true in the environment makes a skipped test a failure.
set -euo pipefail
export LC_ALL=C.UTF-8
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

die() { echo "tests/run.sh: $*" >&2; exit 1; }

given=("$@")
asan=yes
nest=yes
all=no
select=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --all) all=yes ;;
    --no-asan) asan=no ;;
    --no-nest) nest=no ;;
    --quick) asan=no nest=no; select+=(-L '^(unit|house)$') ;;
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

# With --all, too, the pass under the sanitizers leaves out what does not run our code, what measures time, what waits for
# guests and their packets more than it runs (the same functions of ours run in those with idle machines), what kills us at
# each moment (hundreds of runs of what other tests run once), and the dry run seen by strace, which would see the
# sanitizers' own pipes.
guests='boot_once|hardware|demo|managed_network|macvtap|network_mend|touch|supervise|antispoof|firewall|rate|path.*|volume|adopt|examples_cloud|clouds_apart'
killed='kill|kept_kill|adopt_kill|network_kill|cloud_kill|firewall_kill'
not_under_asan="^($guests|$killed|host_lvm_fake|dry_run)_test\$"

count_of() { awk -F'"' -v key="$2" '$1 == "\t" key "=" && !seen++ { print $2 }' "$1"; }
names_of_skipped() { awk -F'"' '$1 == "\t<testcase name=" && / status="(notrun|disabled)"/ { print $2 }' "$1"; }

# build PRESET: configures and builds it.
build() {
  echo "== $1: configure and build"
  cmake --preset "$1" -DNUTSHELL_TESTS=ON >"$root/build/configure-$1.log" 2>&1 || { cat "$root/build/configure-$1.log" >&2; die "cmake could not configure the preset $1"; }
  cmake --build "$root/build/$1" -j "$(nproc)" || die "the preset $1 does not build"
}

# beside NAME COMMAND...: goes on while others work, in a process group of its own, which ends with this; what it prints is in
# build/NAME.out. ended NAME: waits for it, and prints that.
declare -A besides=()
beside() {
  local name=$1
  shift
  echo "== $name: goes on beside the others; what it prints comes when it has ended"
  set -m
  (trap - EXIT; "$@") >"$root/build/$name.out" 2>&1 </dev/null &
  besides[$name]=$!
  set +m
}
ended() {
  local status=0
  [[ -n ${besides[$1]:-} ]] || return 0
  wait "${besides[$1]}" || status=$?
  unset "besides[$1]"
  cat "$root/build/$1.out"
  return "$status"
}

# names PRESET CTEST_OPTION...: the tests that those options choose.
names() { ctest --test-dir "$root/build/$1" -N "${@:2}" | sed -n 's/^ *Test *#[0-9]*: //p'; }

# one_pass NAME PRESET JOBS LEFT_OUT CTEST_OPTION...: tests all but those with a label in LEFT_OUT, and writes down how it
# went: a line in $results/NAME, those that were skipped in NAME.skipped, and NAME.failed where one failed. (ctest leaves out
# by one -LE, or by all of several together; so it is one.)
one_pass() {
  local pass=$1 preset=$2 jobs=$3 out="^($4)\$" needs_rights='netns|qemu|guest|nest|faults|bench' left_out=() count=0 bad=0 began=$SECONDS
  local folder=$root/build/$preset junit=$root/build/$preset/$pass.xml
  shift 4
  [[ -n $(names "$preset" -LE "$out" "$@") ]] || return 0
  if [[ ${#lacking[@]} -gt 0 ]]; then
    mapfile -t left_out < <(names "$preset" -LE "$out" -L "^($needs_rights)\$" "$@")
    out="${out%)\$}|$needs_rights)\$"
  fi
  echo "== $pass: ctest"
  touch "$results/$pass.failed" # until it has ended well
  if [[ -n $(names "$preset" -LE "$out" "$@") ]]; then
    rm -f "$junit"
    ctest --test-dir "$folder" -j "$jobs" --output-on-failure --no-tests=error --output-junit "$junit" -LE "$out" "$@" 2>&1 | tee "$folder/$pass.log" && rm "$results/$pass.failed"
    [[ -f $junit ]] || die "ctest of $pass wrote no result"
    count=$(count_of "$junit" tests) bad=$(count_of "$junit" failures)
    mapfile -t -O "${#left_out[@]}" left_out < <(names_of_skipped "$junit")
  else
    rm "$results/$pass.failed"
  fi
  [[ ${#left_out[@]} -eq 0 ]] || printf '%s\n' "${left_out[@]/#/$pass: }" >"$results/$pass.skipped"
  echo "$pass: $count tests run, $bad failed, ${#left_out[@]} skipped ($((SECONDS - began)) s)" >"$results/$pass"
}

mkdir -p "$root/build"
results="$(mktemp -d)"
leave() {
  local each
  for each in "${besides[@]}"; do kill -- "-$each" 2>/dev/null || true; done
  rm -rf "$results"
}
trap leave EXIT
build release
# The tests wait about as long as they work: what they leave of the processors is the compiler's.
build_asan() { renice -n 19 "$BASHPID" >/dev/null; build asan; }
[[ $asan == no ]] || beside asan-build build_asan
without='nest|bench'
[[ $all == yes ]] || without+='|guest'
one_pass release release 4 "$without" "${select[@]}"
# What needs KVM and device-mapper: each scenario in a lab host of its own, which takes one processor. The other one has the
# sanitizers' compiler and tests first, and then scenarios, too: those labelled late.
long=none
[[ $all == yes ]] || long=long
[[ $nest == no ]] || beside nest one_pass nest release 1 "$long|late" -L '^nest$' "${select[@]}"
ended asan-build
if [[ $asan == yes && $all == yes ]]; then
  one_pass asan asan 3 'bench|house|nest|guest' -E "$not_under_asan" "${select[@]}"
elif [[ $asan == yes ]]; then
  one_pass asan asan 3 bench -L '^asan$' -E "$not_under_asan" "${select[@]}"
fi
[[ $nest == no ]] || one_pass nest-late release 1 "$long" -L '^late$' "${select[@]}"
ended nest || touch "$results/nest.failed"
# What measures time has the machine to itself.
one_pass bench release 1 none -L '^bench$' "${select[@]}"

mapfile -t summary < <(cat "$results"/{release,nest,nest-late,asan,bench} 2>/dev/null)
[[ ${#summary[@]} -gt 0 ]] || die 'no test matches'
mapfile -t skipped_all < <(cat "$results"/*.skipped 2>/dev/null)

echo
echo '== summary'
printf '%s\n' "${summary[@]}"
[[ $all == yes ]] || echo 'left to --all: the long scenarios of the nest, the guest images with QEMU alone, most of the pass under the sanitizers'
if [[ ${#skipped_all[@]} -gt 0 ]]; then
  echo 'skipped:'
  printf '  %s\n' "${skipped_all[@]}"
  if [[ ${CI:-} == true ]]; then die 'in CI a skipped test is a failure'; fi
else
  echo 'skipped: none'
fi
[[ -z $(ls "$results" | grep 'failed$') ]] || die 'there were failures'
echo 'all passed'

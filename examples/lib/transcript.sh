# Sourced by examples/demo.sh: how a step is printed, and how the world before is compared with the world after.

die() { echo "demo: $*" >&2; exit 1; }

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' plain=$'\e[0m'
else
  bold='' plain=''
fi
heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
remark() { printf '%s\n' "$*"; }

# in_words ARG...: the arguments as one would type them, quoted only where they must be.
in_words() {
  local each line=''
  for each in "$@"; do
    [[ $each =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] || each=${each@Q}
    line+=" $each"
  done
  printf '%s' "${line# }"
}

# run COMMAND...: a nutshell command, as the transcript shows it.
run() {
  printf '%s$ nutshell %s%s\n' "$bold" "$(in_words "$@")" "$plain"
  nutshell "$@"
}

# shell COMMAND...: the same for any other program.
shell() {
  printf '%s$ %s%s\n' "$bold" "$(in_words "$@")" "$plain"
  "$@"
}

# snapshot: four lists, each line with its kind first. Links and processes are those of this network namespace (the
# processes without this script's own group); files are those below NUTSHELL_ROOT; leases are the registry's.
snapshot() {
  ip -o link show | awk -F': ' '{ print "link", $2 }'
  processes_here
  (cd "$NUTSHELL_ROOT" && find . -type f -o -type s -o -type l | LC_ALL=C sort | sed 's|^\./|file |')
  nutshell lease ls --json | jq -r '.leases[] | select(.foreign | not) | "lease \(.pool) \(.value) \(.cloud)/\(.machine)"'
  nutshell ls --json | jq -r '.machines[] | "machine \(.cloud)/\(.name)"'
}

processes_here() {
  local here each stat group mine
  here="$(readlink /proc/self/ns/net)"
  mine="$(sed 's/.*) //' "/proc/$$/stat" | cut -d' ' -f3)"
  for each in /proc/[0-9]*; do
    [[ $(readlink "$each/ns/net" 2>/dev/null || true) == "$here" ]] || continue
    stat="$(sed 's/.*) //' "$each/stat" 2>/dev/null || true)"
    group="$(cut -d' ' -f3 <<<"$stat")"
    [[ -n $stat && ${stat%% *} != Z && $group != "$mine" ]] || continue
    echo "process ${each#/proc/} $(tr '\0' ' ' <"$each/cmdline" 2>/dev/null | cut -c1-80 || true)"
  done
}

# compare BEFORE AFTER: says for each kind that it is as before, or names what is left and fails. What nutshell knows of
# its own (the registry, now without a machine; what it learnt of QEMU's binary; locks that belong to no machine) may stay, and is named.
compare() {
  local before=$1 after=$2 kind left stays own='' bad=no
  local -A plural=([link]=links [process]=processes [file]=files [lease]=leases [machine]=machines)
  for kind in link process file lease machine; do
    left="$(LC_ALL=C comm -13 <(grep "^$kind " <<<"$before" | LC_ALL=C sort) <(grep "^$kind " <<<"$after" | LC_ALL=C sort))"
    if [[ $kind == file ]]; then
      stays='^file (state/registry\.(db(-wal|-shm)?|seed)|cache/[^/]+|(state|run)/(networks/)?[^/]+\.lock)$'
      own="$(grep -E "$stays" <<<"$left" | cut -d' ' -f2- | paste -sd' ' - || true)"
      left="$(grep -v -E "$stays" <<<"$left" || true)"
    fi
    if [[ -z $left ]]; then
      printf '%-9s as before: %s\n' "${plural[$kind]}" "$(grep "^$kind " <<<"$before" | cut -d' ' -f2- | paste -sd' ' - | sed 's/^$/none/')"
    else
      printf '%-9s LEFT BEHIND:\n%s\n' "${plural[$kind]}" "$left"
      bad=yes
    fi
  done
  [[ -z $own ]] || echo "nutshell's own, of no machine: $own"
  [[ $bad == no ]] || die 'something was left behind'
}

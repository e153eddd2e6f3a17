#!/usr/bin/env bash
# Examples do not rot: every `nutshell ...` line of README.md, of EXAMPLES in nutshell.1 and of each command's --help is run,
# dry, in a network namespace and a root of its own, with dummy files and machines of the names that it uses. So are the
# systemd unit, the configurations of examples/ and nutshell.toml.5, and the cloud of cloud.toml.5. And every path of the tree that README.md,
# CONTRIBUTING.md and CHANGELOG.md mention is there.
#
# usage: readme_commands.sh TREE | readme_commands.sh --self-test      as root; NUTSHELL_BUILD_DIR is where the program was built
set -euo pipefail
export LC_ALL=C.UTF-8
source_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
binary=${NUTSHELL_BUILD_DIR:-$source_dir/build/release}/src/app/nutshell
if [[ -z ${NUTSHELL_EXAMPLES_NS:-} ]]; then
  NUTSHELL_EXAMPLES_NS=1 exec unshare --net --mount --propagation private -- bash "$0" "$@"
fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root
# The volume groups of this host are none of ours.
mkdir "$scratch/bin"
printf '#!/bin/sh\necho \x27{"report":[]}\x27\n' >"$scratch/bin/lvm"
chmod 755 "$scratch/bin/lvm"
export PATH=$scratch/bin:$PATH
nutshell() { "$binary" --root "$root" "$@"; }

# Lines of fenced blocks, after a prompt or none. In the text of --help and of the manual they begin their line.
lines_of_markdown() { awk '/^```/ { inside = !inside; next } inside' "$1" | sed -nE 's/^([$#] )?(sudo )?(nutshell .*)/\3/p'; }
lines_of_man() { sed -n '/^\.Sh EXAMPLES/,$s/^\.Dl \(nutshell .*\)/\1/p' "$1" | sed 's/\\(dq/"/g; s/\\(aq/'"'"'/g'; }
lines_of_help() { # of every command
  "$binary" --help | sed -n '/^Options/,$d; s/^  \([a-z].\{19\}\).*/\1/p' | while read -r command; do
    # shellcheck disable=SC2086  # `lease ls` is two words
    "$binary" $command --help | sed -n '/^Examples/,$s/^  \(nutshell .*\)/\1/p'
  done
}
lines_of_units() { sed -n 's|^ExecStart=.*/\(nutshell .*\)|\1|p' "$1"/examples/*.service | sed 's/%i/web/g'; }

configurations() { # configurations TREE
  local file bad=0
  sed -n '/^\.Bd -literal/,/^\.Ed/{/^\.[BE]d/!p}' "$1/man/nutshell.toml.5" >"$scratch/page.toml"
  [[ $(grep -c '^\[\[pool\]\]' "$scratch/page.toml") -ge 2 ]] || { echo 'readme_commands: the example of nutshell.toml.5 cannot be read'; bad=1; }
  while read -r file; do
    nutshell --config "$file" pool ls >/dev/null || { echo "readme_commands: the configuration ${file##*/} is refused"; bad=1; }
  done < <(find "$1/examples" -maxdepth 1 -name '*.toml'; find "$1/examples" -mindepth 2 -name nutshell.toml; echo "$scratch/page.toml")
  return "$bad"
}

# The cloud in the manual can be planned, on a host that has what it names. (examples_cloud_test brings up those of examples/.)
cloud_of_man() { # cloud_of_man TREE
  sed -n '/^\.Sh EXAMPLES/,$p' "$1/man/cloud.toml.5" | sed -n '/^\.Bd -literal/,/^\.Ed/{/^\.[BE]d/!p}' >"$scratch/man-cloud.toml"
  nutshell --quiet --config "$scratch/public.toml" plan "$scratch/man-cloud.toml" >/dev/null || { echo 'readme_commands: the example of cloud.toml.5 is refused'; return 1; }
}

make_world() { # bridges and files that examples name; the files are as small as the program lets them be
  ip link set lo up
  ip link add br0 type bridge
  ip link add br1 type bridge
  ip link add em1 type veth peer name far1 # an uplink
  ip link set em1 up
  ip link set far1 up
  cd "$scratch"
  truncate -s 1M debian-12.qcow2 demo.iso silvereye.iso tools.iso faststart.iso vmlinuz initrd.img disk.img
  mkdir images
  qemu-img create -q -f qcow2 images/node.qcow2 1M
  printf '[[pool]]\nname = "public"\nkind = "ipv4"\nrange = "203.0.113.0/26"\n' >public.toml
  a_cloud ciab
}

# a_cloud NAME: writes cloud.toml.
a_cloud() { printf 'name = "%s"\n[private]\nprefix = 24\n[[machine]]\nname = "front"\naccel = "tcg"\nnics = ["user"]\n' "$1" >cloud.toml; }

# What an example may come to when its machine exists and does not run, beside success.
may_end() { # may_end COMMAND STATUS MESSAGE
  case $1 in
    pause | resume | console | screenshot | vnc | qmp) [[ $2 -eq 4 && $3 == *'is not running'* ]] ;;
    log) [[ $2 -eq 6 && $3 == *'has not run yet'* ]] ;;
    wait) [[ $2 -eq 7 && $3 == *'is not running'* ]] ;;
    # There is no volume group here, and a machine's disk is a file.
    volume) [[ $2 -eq 6 && $3 == *'there is no volume '* || $2 -eq 4 && $3 == *'is a file, of which'* ]] ;;
    launch) [[ $2 -eq 6 && $3 == *'there is no volume group vg01'* ]] ;;
    bridge) [[ $2 -eq 6 && $3 == *'has adopted nothing'* ]] || [[ $2 -eq 6 && $3 == *'there is no bridge br5'* ]] || [[ $2 -eq 1 && $3 == *'--persist: neither'* ]] ;;
    setup) [[ $2 -eq 6 && $3 == *'there is no user alice'* ]] || [[ $2 -eq 6 && $3 == *'qemu-bridge-helper is not installed'* ]] ;;
    pool) [[ $2 -eq 6 && $3 == *'has no pool public'* ]] ;;
    who) [[ $2 -eq 6 && $3 == *'nobody is known to have'* ]] ;;
    *) return 1 ;;
  esac
}

# try LINE: what it needs is made, then it is run dry.
try() {
  local line=$1 words command name status=0 said
  rm -rf "$root"/{state,run,log} # and not what was learnt of QEMU and KVM, which takes a second
  line=${line%% | *}
  line=${line%% > *}
  eval "words=(${line%% \# *})"
  [[ ${words[1]:-} == --dry-run ]] && words=("${words[0]}" "${words[@]:2}")
  command=${words[1]:-}
  name=${words[2]:-}
  local i
  for ((i = 1; i < ${#words[@]}; i++)); do
    [[ ${words[i]} != --group ]] || nutshell --quiet group create "${words[i + 1]}" >/dev/null
  done
  case $command in
    launch | create | ls | pool | bridge | doctor | gc | recover | version | completion | who | setup) ;;
    plan | up) a_cloud ciab ;;
    answers | status | down)
      a_cloud "${name:-ciab}"
      nutshell --quiet up cloud.toml --no-start >/dev/null
      ;;
    volume)
      nutshell --quiet create ciab --accel tcg --disk 1M,file=on --nic none >/dev/null
      nutshell --quiet create web --accel tcg --disk 1M,file=on --nic none >/dev/null
      [[ $name == create ]] || nutshell --quiet volume create data --size 1M --file >/dev/null
      ;;
    group)
      for name in web db; do
        [[ ${words[2]} == create && ${words[3]} == "$name" ]] || nutshell --quiet group create "$name" >/dev/null
      done
      [[ ${words[2]} != revoke ]] || nutshell --quiet group authorize "${words[@]:3}" >/dev/null
      ;;
    address)
      words=("${words[0]}" --config "$scratch/public.toml" "${words[@]:1}")
      case $name in
        associate) nutshell --quiet create "${words[6]}" --accel tcg --nic network=nutshell0 >/dev/null ;;&
        associate | disassociate | release) nutshell --quiet --config "$scratch/public.toml" address allocate --cloud shop "${words[5]}" >/dev/null ;;
      esac
      ;;
    network) [[ $name != rm ]] || nutshell --quiet network create "${words[3]}" ;;
    lease) [[ $name != release ]] || nutshell --quiet lease reserve "${words[3]}" "${words[4]}" ;;
    *)
      [[ $name != -* ]] || name=${words[3]:-}
      [[ -z $name ]] || nutshell --quiet create "$name" --accel tcg --disk 1M --cdrom demo.iso --nic network=nutshell0 --nic bridge=br0 >/dev/null
      ;;
  esac
  said="$(nutshell --dry-run --quiet "${words[@]:1}" 2>&1 </dev/null)" || status=$?
  [[ $status -eq 0 ]] || may_end "$command" "$status" "$said" || {
    echo "readme_commands: exit $status: $1"
    echo "    ${said//$'\n'/ }"
    return 1
  }
}

try_all() { # try_all WHERE FEWEST < LINES
  local line count=0 failed=0
  while IFS= read -r line; do
    count=$((count + 1))
    try "$line" || failed=1
  done
  [[ $count -ge $2 ]] || { echo "readme_commands: $1 has $count examples that can be read, and $2 or more are expected"; failed=1; }
  return "$failed"
}

paths_exist() { # paths_exist TREE
  local file path bad=0
  for file in README.md CONTRIBUTING.md CHANGELOG.md; do
    while read -r path; do
      [[ -e $1/$path ]] || { echo "readme_commands: $file mentions $path, which is not there"; bad=1; }
    done < <(grep -oE '(^|[^A-Za-z0-9_./-])(src|include|netlink|tests|examples|man|cmake)/[A-Za-z0-9_./@-]+' "$1/$file" | sed -E 's/^[^a-z]//; s/[.]$//' | grep -v NAME | sort -u)
  done
  return "$bad"
}

check() { # check TREE: every complaint at once
  local bad=0
  [[ -x $binary ]] || { echo "readme_commands: $binary is not there; build it, or say NUTSHELL_BUILD_DIR" >&2; return 2; }
  try_all README.md 20 < <(lines_of_markdown "$1/README.md") || bad=1
  try_all nutshell.1 8 < <(lines_of_man "$1/man/nutshell.1") || bad=1
  try_all --help 30 < <(lines_of_help) || bad=1
  try_all 'the systemd unit' 1 < <(lines_of_units "$1") || bad=1
  configurations "$1" || bad=1
  cloud_of_man "$1" || bad=1
  paths_exist "$1" || bad=1
  return "$bad"
}

self_test() {
  local missed=0 tree=$scratch/tree line
  for line in 'nutshell launch demo --cdrom demo.iso --disc 1G' 'nutshell lanch demo' 'nutshell stop' 'nutshell pause ciab --force' \
    'nutshell launch demo --nic bridge=br7' 'nutshell wait ciab serial=' 'nutshell up nowhere.toml' 'nutshell down ciab --gently' 'nutshell who nobody at all' 'nutshell launch demo --cdrom other.iso'; do
    if try "$line" >/dev/null; then echo "self-test: not refused: $line"; missed=1; fi
  done
  for line in 'nutshell launch demo --disk 1G' 'nutshell --dry-run rm ciab' 'nutshell pause ciab' 'nutshell ls --json | jq .' 'nutshell up cloud.toml' 'nutshell status ciab'; do
    try "$line" || { echo "self-test: refused: $line"; missed=1; }
  done
  if try_all 'a page without examples' 1 </dev/null >/dev/null; then echo 'self-test: no examples at all were not noticed'; missed=1; fi
  mkdir -p "$tree"/{src,man,examples}
  cp "$source_dir/man/nutshell.toml.5" "$tree/man"
  echo 'memory = "2G"' >"$tree/examples/one.toml"
  cp "$source_dir/man/cloud.toml.5" "$tree/man"
  cloud_of_man "$tree" || { echo 'self-test: the cloud of the manual was refused'; missed=1; }
  sed -i 's/^after = /before = /' "$tree/man/cloud.toml.5"
  if cloud_of_man "$tree" >/dev/null 2>&1; then echo 'self-test: a cloud with an unknown key was not refused'; missed=1; fi
  configurations "$tree" || { echo 'self-test: a good configuration was refused'; missed=1; }
  echo 'memori = "2G"' >"$tree/examples/one.toml"
  if configurations "$tree" >/dev/null 2>&1; then echo 'self-test: a bad configuration was not refused'; missed=1; fi
  touch "$tree/CONTRIBUTING.md" "$tree/CHANGELOG.md" "$tree/src/there.cpp"
  # shellcheck disable=SC2016  # as they stand in Markdown
  echo 'See `src/there.cpp`.' >"$tree/README.md"
  paths_exist "$tree" || { echo 'self-test: a path that is there was refused'; missed=1; }
  # shellcheck disable=SC2016  # as they stand in Markdown
  echo 'See `src/gone.cpp`.' >>"$tree/README.md"
  if paths_exist "$tree" >/dev/null; then echo 'self-test: a path that is gone was not noticed'; missed=1; fi
  [[ $missed -eq 0 ]] && echo 'readme_commands: self-test passed'
}

tree=${1:-}
[[ $tree == --self-test || -z $tree ]] || tree="$(cd "$tree" && pwd)"
case $tree in
  '') echo 'usage: readme_commands.sh TREE | --self-test' >&2; exit 2 ;;
  --self-test) make_world; self_test ;;
  *) make_world; check "$tree" && echo 'readme_commands: every example can be run' ;;
esac

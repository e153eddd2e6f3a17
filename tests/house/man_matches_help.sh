#!/usr/bin/env bash
# What the program says of itself is what its manual says: every command and option of --help has its place in nutshell.1,
# and every command and option in nutshell.1 exists, each option under the command that has it.
#
# usage: man_matches_help.sh TREE | man_matches_help.sh --self-test       NUTSHELL_BUILD_DIR is where the program was built
set -euo pipefail
export LC_ALL=C.UTF-8
source_dir="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
nutshell=${NUTSHELL_BUILD_DIR:-$source_dir/build/release}/src/app/nutshell

# Both sides as sorted lines: "command: NAME" and "option: COMMAND --OPTION"; COMMAND is * for the global options.
from_help() {
  local command
  { # Names of commands have 20 columns in --help.
    "$nutshell" --help | sed -n '/^Options/,$d; s/^  \([a-z].\{19\}\).*/\1/p' | sed 's/ *$//' | while read -r command; do
      echo "command: $command"
      # shellcheck disable=SC2086  # `lease ls` is two words
      "$nutshell" $command --help | sed -n "/^Examples/,\$d; s/^  \(--[a-z0-9-]*\).*/option: $command \1/p"
    done
    "$nutshell" --help | sed -n 's/^  \(--[a-z0-9-]*\).*/option: * \1/p'
  } | sort
}

# A subsection of COMMANDS in small letters is a command; one with a capital is a part of those that name it by .Sx.
from_man() {
  awk '
    /^\.Sh /            { section = $2; name = ""; next }
    /^\.Ss / && section == "COMMANDS" {
      name = ""
      for (i = 2; i <= NF && $i != "Ar" && $i != "Op"; i++) name = name (name == "" ? "" : " ") $i
      if (name ~ /^[a-z]/) commands[name] = 1
      next
    }
    /^\.It Fl -/        { has[section == "OPTIONS" ? "*" : name, substr($3, 2)] = 1; next }
    /^\.Sx /            { sub(/^\.Sx /, ""); sub(/ [.,]$/, ""); parts[name, $0] = 1 }
    END {
      for (name in commands) print "command: " name
      for (key in has) {
        split(key, pair, SUBSEP)
        if (pair[1] == "*" || pair[1] in commands) print "option: " pair[1] " --" pair[2]
        else
          for (name in commands) if ((name, pair[1]) in parts) print "option: " name " --" pair[2]
      }
    }' "$1" | sort
}

check() { # check TREE: every complaint at once
  local tree=$1 help man bad=0 line page known
  [[ -x $nutshell ]] || { echo "man_matches_help: $nutshell is not there; build it, or say NUTSHELL_BUILD_DIR" >&2; return 2; }
  help="$(from_help)"
  man="$(from_man "$tree/man/nutshell.1")"
  [[ $(grep -c '^command' <<<"$help") -gt 20 ]] || { echo 'man_matches_help: the list of commands in --help cannot be read'; bad=1; }
  while read -r line; do
    [[ -z $line ]] || { echo "man_matches_help: in --help and not in nutshell.1: $line"; bad=1; }
  done < <(comm -23 <(echo "$help") <(echo "$man"))
  while read -r line; do
    [[ -z $line ]] || { echo "man_matches_help: in nutshell.1 and not in --help: $line"; bad=1; }
  done < <(comm -13 <(echo "$help") <(echo "$man"))
  # What the text of any page mentions exists somewhere.
  known="$(sed -n 's/^option: .* //p' <<<"$help" | sort -u)"
  for page in "$tree"/man/*.[1-8]; do
    while read -r line; do
      [[ -z $line ]] || { echo "man_matches_help: ${page##*/} mentions $line, which no command has"; bad=1; }
    done < <(grep -v '^\.\\"' "$page" | grep -oE -- '(Fl -|--)[a-z][a-z0-9-]*' | sed 's/^Fl -/--/' | sort -u | comm -23 - <(echo "$known"))
  done
  [[ $bad -eq 0 ]]
}

self_test() {
  local tree missed=0
  tree="$(mktemp -d)"
  # shellcheck disable=SC2064
  trap "rm -rf '$tree'" EXIT
  expect_bad() { # expect_bad WHAT SED_SCRIPT: the page, changed so, is refused
    rm -rf "$tree/man"
    cp -r "$source_dir/man" "$tree/man"
    sed -i "$2" "$tree/man/nutshell.1"
    if check "$tree" >/dev/null; then echo "self-test: not refused: $1"; missed=1; fi
  }
  expect_bad 'a command without a section' '/^\.Ss pause/d'
  expect_bad 'a section without a command' 's/^\.Ss pause/.Ss freeze/'
  expect_bad 'an option that is missing' '/^\.It Fl -keep-volumes/d'
  expect_bad 'an option too many' 's/^\.It Fl -keep-volumes/&\n.It Fl -keep-logs/'
  expect_bad 'an option under another command' 's/^\.It Fl -view/.It Fl -eject/'
  expect_bad 'a machine option that is missing' '/^\.It Fl -vnc-listen/d'
  expect_bad 'a global option that is missing' '/^\.It Fl -quiet/d'
  expect_bad 'a command that lost the options of a machine' '/^\.Ss create/,/^\.Ss set/{/^\.Sx Machine options/d}'
  expect_bad 'an option in the text that nobody has' 's/^Press the power button.*/&\nSee\n.Fl -gently ./'
  rm -rf "$tree/man"
  cp -r "$source_dir/man" "$tree/man"
  check "$tree" || { echo 'self-test: the page as it is was refused'; missed=1; }
  [[ $missed -eq 0 ]] && echo 'man_matches_help: self-test passed'
}

case ${1:-} in
  --self-test) self_test ;;
  '') echo 'usage: man_matches_help.sh TREE | --self-test' >&2; exit 2 ;;
  *) check "$1" && echo 'man_matches_help: the manual and --help agree' ;;
esac

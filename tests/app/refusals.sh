# What every test of bad input needs, beside lib.sh (source this one alone): `bad` says what is wrong with an answer.
# A refusal is one line on stderr, the right exit code, the same as JSON, and no trace: no link, process, lease or file.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The very binary that is there now: somebody may be building the next one.
ln "$nutshell_bin" "$scratch/nutshell" 2>/dev/null || cp "$nutshell_bin" "$scratch/nutshell"
nutshell_bin=$scratch/nutshell

# quiet COMMAND...: nothing on stdout.
quiet() { "$@" >/dev/null; }

# Whoever runs the command: nobody special, or `as_user` puts an ordinary user here.
as=()
nutshell() { "${as[@]}" "$nutshell_bin" --root "$root" "$@"; }

# From here commands are run by an ordinary user with a root directory of its own.
as_user() {
  root=$scratch/u
  mkdir -p "$root" "$scratch/home"
  chown 12345:12345 "$root" "$scratch/home"
  as=(setpriv --reuid=12345 --regid=12345 --clear-groups env HOME="$scratch/home")
}

# one_sentence TEXT: one line that begins with our name, ends without a full stop, and carries no control character.
one_sentence() {
  [[ $(wc -l <<<"$1") -eq 1 && $1 == "nutshell: "* && $1 != *[a-z]. && ${#1} -gt 25 ]] || return 1
  ! LC_ALL=C grep -q '[[:cntrl:]]' <<<"$1"
}

# wrong CODE PATTERN ARGS...: `nutshell ARGS` exits with CODE and says one sentence that matches PATTERN.
wrong() {
  local code=$1 pattern=$2 got err
  shift 2
  checks=$((checks + 1))
  err=$(n "$@" 2>&1 >"$scratch/stdout" </dev/null)
  got=$?
  if [[ $got -ne $code ]]; then fail "exit $got, not $code: ${*@Q}: $err"; return; fi
  if ! one_sentence "$err"; then fail "not one sentence: ${*@Q}: $err"; return; fi
  if ! grep -Eq -- "$pattern" <<<"$err"; then fail "no /$pattern/ in: $err"; return; fi
  if [[ -s $scratch/stdout ]]; then fail "something on stdout: ${*@Q}: $(head -c 200 "$scratch/stdout")"; return; fi
  say "ok ($got): ${err:0:300}"
}

# bad CODE PATTERN ARGS...: the same, as JSON too, and everything is as it was in $before afterwards.
bad() {
  wrong "$@"
  local code=$1 pattern=$2 err after
  shift 2
  err=$(json "$@" 2>&1 >/dev/null </dev/null)
  if [[ $(jq -r '.error.exit' <<<"$err" 2>&1) != "$code" ]] || ! jq -r '.error.message' <<<"$err" | grep -Eq -- "$pattern"; then
    fail "its JSON: ${*@Q}: $err"
  fi
  after=$(traces)
  if [[ $after != "$before" ]]; then
    fail "traces of ${*@Q}:"
    diff <(echo "$before") <(echo "$after")
  fi
}

# warns PATTERN ARGS...: `nutshell ARGS` is done, with a warning.
warns() {
  local pattern=$1 err
  shift
  checks=$((checks + 1))
  if ! err=$(nutshell "$@" 2>&1 >/dev/null); then fail "refused: ${*@Q}: $err"; return; fi
  if ! grep -Eq -- "^nutshell: warning: .*($pattern)" <<<"$err"; then fail "no warning /$pattern/: ${*@Q}: $err"; return; fi
  say "ok (warning): $(grep warning: <<<"$err")"
}

before=$(traces)

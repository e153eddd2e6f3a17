#!/usr/bin/env bash
# VNC displays that somebody else has, in every way in which one can have a port: `--vnc auto` passes them over and says whose
# they are, `--vnc N` is refused. Binding alone proves a display free: a connect would see only those who listen.
. "$(dirname "$0")/refusals.sh"

holders=()
hold() {  # hold PORT HOW: a stranger has it from here
  exec {out}< <(exec perl "$here/hold_port.pl" "$1" "$2")
  holder=$!
  holders+=("$holder")
  local line
  read -r -t 10 line <&"$out"
  [[ $line == held ]] || fail "the holder $2 of $1 did not start"
  exec {out}<&-
}
let_go() { kill "$holder"; wait "$holder" 2>/dev/null; }
trap 'kill "${holders[@]}" 2>/dev/null; cleanup' EXIT

display_of() { json show "$1" | jq -r .vnc.display; }
foreign() { n lease ls --json | jq -r '.leases[] | select(.foreign) | .value'; }

check "a first machine, so that the registry is there" quiet n create first --nic user --memory 64M
check "and goes" n rm first
before=$(traces)

for how in bound loopback wildcard loopback6 wildcard6 bound6 reuseport reuseaddr boundreuse boundport; do
  say "-- $how"
  hold 5900 "$how"
  bad 4 "display :0 is held by perl \(pid $holder\).*--vnc auto" launch x --nic user --memory 64M --accel tcg --nested off --vnc 0
  wrong 4 "display :0 is held by perl \(pid $holder\)" --dry-run launch x --nic user --memory 64M --accel tcg --nested off --vnc 0
  err=$(nutshell launch x --nic user --memory 64M --accel tcg --nested off 2>&1 >/dev/null)
  check "auto names it" matches "${err%%$'\n'*}" "^vnc :0 is passed over: perl \(pid $holder\) has it"
  check "and takes the next" equal "$(display_of x)" 1
  let_go
  check "it goes" n kill x
  check "the next start is quiet about it" equal "$(nutshell start x 2>&1 >/dev/null | grep 'passed over')" ''
  check "and has what is free now" equal "$(display_of x)" 0
  check "rm" n rm x --force
  check "no trace" equal "$(traces)" "$before"
done

say "-- a row of them"
for port in 5900 5901 5902; do hold "$port" loopback; done
check "the fourth is taken" quiet idle x
check "it is :3" equal "$(display_of x)" 3
bad_before=$before before=$(traces)
bad 4 "display :3 is leased to x" launch y --nic user --memory 64M --accel tcg --nested off --vnc 3
check "rm" n rm x --force
before=$bad_before
kill "${holders[@]}" 2>/dev/null
wait "${holders[@]}" 2>/dev/null

say "-- no display at all, and none that is possible"
printf '[[pool]]\nname = "vnc"\nrange = "7-8"\n' >"$scratch/two.toml"
hold 5907 bound6; first=$holder
hold 5908 loopback
bad 4 "display.*(free|left)|vnc.*(free|left)" --config "$scratch/two.toml" launch x --nic user --memory 64M --accel tcg --nested off
kill "$first"
echo secret >"$scratch/password"
bad 3 'no numeric address' launch x --nic user --vnc-listen localhost
bad 3 '192.0.2.1 is no address of this host' launch x --nic user --memory 64M --accel tcg --nested off --vnc-listen 192.0.2.1 --vnc-password-file "$scratch/password"
finish

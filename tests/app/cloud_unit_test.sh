#!/usr/bin/env bash
# A cloud that comes up when the host boots: its unit is shown, written, read by systemd as it is meant, and run as systemd would
# run it, with every character in its paths that means something to systemd; it follows the file, and is never somebody else's.
. "$(dirname "$0")/lib.sh"
# Whatever goes wrong, the units of this host are not touched.
cp -a /etc "$scratch/etc" && mkdir -p "$scratch/etc/systemd/system" && mount --bind "$scratch/etc" /etc
odd="$scratch/a b 'c' \"d\" \$HOME \${x} %i%% \\n;"
mkdir "$odd"
root=$odd/n
. "$(dirname "$0")/cloud.sh"
clouds=$odd/clouds config=$root/etc/nutshell.toml
mkdir "$clouds"
mkdir "$scratch/\$HOME of %n"
cp "$nutshell_bin" "$scratch/\$HOME of %n/nutshell"
nutshell_bin="$scratch/\$HOME of %n/nutshell"
units=$root/etc/systemd/system
unit=$units/nutshell-cloud-dawn.service
link=$units/multi-user.target.wants/nutshell-cloud-dawn.service
file=$clouds/dawn.toml

# write AUTOSTART...: the file with this at the top, and machines of which `late` comes up by hand.
write() {
  {
    printf 'name = "dawn"\n%s\n' "$1"
    quick_machine first 'nics = ["user"]'
    quick_machine second 'nics = ["user"]' 'after = ["first:serial=nutshell-guest: up"]'
    quick_machine late 'nics = ["user"]' "${@:2}"
  } >"$file"
}
# words KEY: the words of a line of the unit, as systemd.service(5) says how to read them, in lines.
words() {
  python3 - "$unit" "$1" <<'PY'
import re, sys
line = [l[len(sys.argv[2]) + 1:] for l in open(sys.argv[1]).read().splitlines() if l.startswith(sys.argv[2] + '=')]
assert len(line) == 1, line
# A dash before the program: one machine that fails is no reason to leave the others without an orderly end.
assert line[0].startswith('-') == (sys.argv[2] == 'ExecStart'), line
words, at, line = [], 0, line[0].removeprefix('-')
while at < len(line):
    assert line[at] == '"', line[at:]
    at, word = at + 1, ''
    while line[at] != '"':
        if line[at] == '\\':
            at += 1
            assert line[at] in '"\\', line[at:]
        word, at = word + line[at], at + 1
    at += 1
    assert at == len(line) or line[at] == ' ', line[at:]
    at += 1
    # Specifiers everywhere; variables in what follows the program.
    assert not re.search('(?<!%)(%%)*%(?!%)', word), word
    word = word.replace('%%', '%')
    if words:
        assert not re.search(r'(?<!\$)(\$\$)*\$(?!\$)', word), word
        word = word.replace('$$', '$')
    words.append(word)
print('\n'.join(words))
PY
}
# by_systemd KEY: runs that line, from another folder and without our environment.
by_systemd() {
  local line
  mapfile -t line < <(words "$1")
  (cd / && env -i PATH="$PATH" "${line[@]}") >"$scratch/said" 2>&1
}
no_match() { ! grep -Eq -- "$2" <<<"$1"; }
pids() { json ls | jq -r '.machines[] | "\(.name) \(.pid)"' | sort; }

say '-- no unit without being asked'
write ''
check 'a plan does not speak of one' no_match "$(n plan "$file")" 'autostart|\[Service\]'
check 'up' n up "$file" --no-start
check 'writes none' test ! -e "$root/etc/systemd"

say '-- shown, written, enabled'
write 'autostart = true' 'autostart = false'
plan=$(n plan "$file")
check 'a plan shows it' matches "$plan" '^ExecStart=.* "up" .*dawn\.toml" "--autostart"$'
check 'and writes nothing' test ! -e "$units"
said=$(nutshell up "$file" --no-start 2>&1)
check 'up shows it' matches "$said" '^WantedBy=multi-user.target$'
check 'as it is written' equal "$(sed -n '/^# Made by nutshell/,/^WantedBy/p' <<<"$said")" "$(cat "$unit")"
check 'as the plan had it' equal "$(sed -n '/^# Made by nutshell/,/^WantedBy/p' <<<"$plan")" "$(cat "$unit")"
check 'it is enabled' equal "$(readlink -f "$link")" "$(readlink -f "$unit")"
check 'everybody may read it, root alone write it' equal "$(stat -c %a "$unit")" 644
check 'up has nothing more to do' matches "$(n up "$file" --no-start)" 'nothing was to be done$'
check 'its ExecStart is that up' equal "$(words ExecStart)" "$nutshell_bin
--root
$root
up
$file
--autostart"
check 'its ExecStop an orderly down' equal "$(words ExecStop)" "$nutshell_bin
--root
$root
down
dawn
--force"
if command -v systemd-analyze >/dev/null; then
  # (As far as it can: it looks for the programs, too, and says so when a line cannot be read.)
  check 'systemd finds nothing wrong with it' equal "$(systemd-analyze verify --man=no --recursive-errors=no "$unit" 2>&1 | grep nutshell-cloud)" ''
  sed 's/^ExecStart=-"/ExecStart="\/nowhere/' "$unit" >"$scratch/nutshell-cloud-wrong.service"
  check 'and would say what is' matches "$(systemd-analyze verify --man=no --recursive-errors=no "$scratch/nutshell-cloud-wrong.service" 2>&1)" 'not executable'
fi

say '-- as systemd would run it'
check 'ExecStart ends well' by_systemd ExecStart
check 'those that come up at boot run' equal "$(states dawn)" 'first=running late=defined second=running' ||
  cat "$scratch/said"
before=$(pids)
check 'once more is no harm' by_systemd ExecStart
check 'and no change' equal "$(pids)" "$before"
check 'the other one comes up by hand' n up "$file"
check 'all run' equal "$(states dawn)" 'first=running late=running second=running'
for each in first second late; do n wait "dawn/$each" serial=nutshell-guest# --timeout 90; done
check 'ExecStop ends well' by_systemd ExecStop
check 'all are stopped' equal "$(states dawn)" 'first=stopped late=stopped second=stopped'
check 'by their power button' equal "$(json ls | jq -r '.machines[].name' | while read -r name; do json show "dawn/$name" | jq -r .last_end; done | sort -u)" 'stopped: the guest powered off'
check 'once more is no error' by_systemd ExecStop

say '-- it follows the file'
mv "$unit" "$scratch/kept"
check 'taken away by hand, it is written again' n up "$file" --no-start
check 'as it was' cmp "$unit" "$scratch/kept"
rm "$link"
check 'disabled by hand, it is enabled again' n up "$file" --no-start
check 'indeed' test -e "$link"
echo 'Nice=5' >>"$unit"
check 'changed by hand' n up "$file" --no-start
check 'it is as it was' cmp "$unit" "$scratch/kept"
write 'autostart = false' 'autostart = true'
check 'with one machine alone' n up "$file" --no-start
check 'there is a unit' test -e "$link"
check 'which starts' by_systemd ExecStart
check 'that one' equal "$(states dawn)" 'first=stopped late=running second=stopped'
down dawn
write ''
check 'taken out of the file' n up "$file" --no-start
check 'it goes' test ! -e "$unit" -a ! -L "$link"
write 'autostart = true'
check 'and comes again' n up "$file" --no-start
mv "$file" "$clouds/moved.toml"
file=$clouds/moved.toml
check 'a file that was moved' n up "$file" --no-start --moved
check 'is the one in the unit' equal "$(words ExecStart | tail -n 2 | head -n 1)" "$file"
check 'down alone leaves it' down dawn
check 'there it is' test -e "$link"
check 'with --purge' down dawn --purge
check 'it goes' test ! -e "$unit" -a ! -L "$link"

say '-- of somebody else'
printf '[Service]\nExecStart=/bin/true\n' >"$unit"
cp "$unit" "$scratch/foreign"
refuse 4 'is there already' nutshell plan "$file"
refuse 4 'nutshell-cloud-dawn\.service is there already, and not this registry.s; move it away' nutshell up "$file"
check 'it is as it was' cmp "$unit" "$scratch/foreign"
check 'and not enabled' test ! -L "$link"
check 'nothing was begun' equal "$(our_processes) $(json ls | jq '.machines | length')" ' 0'
write ''
check 'without autostart it is in nobody'"'"'s way' n up "$file" --no-start
check 'down, with all' down dawn --purge
check 'it is as it was' cmp "$unit" "$scratch/foreign"
rm "$unit"
write 'autostart = true'
check 'when it is away' n up "$file" --no-start
check 'ours is there' grep -q 'Made by nutshell' "$unit"
sed -i '1s/registry [^)]*/registry ffff/' "$unit"
cp "$unit" "$scratch/foreign"
refuse 4 'not this registry' nutshell up "$file" --no-start
check 'another registry'"'"'s unit stays' cmp "$unit" "$scratch/foreign"
check 'with --purge, too' down dawn --purge
check 'as it was' cmp "$unit" "$scratch/foreign"

say '-- what has been edited since'
rm "$unit"
write 'autostart = true'
check 'up' n up "$file" --no-start
cp "$file" "$scratch/whole.toml"
sed -i '/^name = "second"/,$d' "$file"
sed -i '$d' "$file" # the head of that machine
check 'a plan would remove a machine' matches "$(n plan "$file")" '^- machine second'
check 'ExecStart ends well' by_systemd ExecStart
check 'it says so' matches "$(cat "$scratch/said")" 'was changed since it was last brought up; dawn comes up as it was'
check 'and starts what was last brought up' equal "$(states dawn)" 'first=running late=running second=running'
down dawn
sed -i '1s/dawn/dusk/' "$file"
check 'with another name in it' by_systemd ExecStart
check 'it is the cloud of the unit' equal "$(states dawn) $(json status | jq '.clouds | length')" 'first=running late=running second=running 1'
down dawn
echo 'no toml' >>"$file"
check 'with a file that is broken' by_systemd ExecStart
check 'which is said' matches "$(cat "$scratch/said")" 'the cloud dawn comes up as it was'
check 'they run, too' equal "$(states dawn)" 'first=running late=running second=running'
rm "$file"
down dawn
check 'with none' by_systemd ExecStart
check 'as well' equal "$(states dawn)" 'first=running late=running second=running'
cp "$scratch/whole.toml" "$file"
check 'it can be purged' down dawn --purge

say '-- the root of the environment'
write 'autostart = true'
check 'is as good as the option' env NUTSHELL_ROOT="$root" "$nutshell_bin" --quiet up "$file" --no-start
check 'for the unit, too' equal "$(words ExecStart | sed -n 2,3p)" "--root
$root"
check 'status says where that is' matches "$(nutshell status dawn)" 'comes up where .* is the root of a host that boots'
down dawn --purge

say '-- where systemd runs'
# The folders of the system, empty, in a mount namespace of their own, and a systemctl that writes down what it is asked for.
mkdir "$scratch/bin"
printf '#!/bin/sh\necho "$*" >>"%s"\n' "$scratch/asked" >"$scratch/bin/systemctl"
chmod 755 "$scratch/bin/systemctl"
cat >"$scratch/booted.sh" <<'END'
mkdir -p /etc/nutshell
for each in /var/lib /var/log /var/cache /run /etc/systemd/system /etc/nutshell; do mount -t tmpfs -o mode=755 none "$each"; done
mkdir -p /run/systemd/system
"$1" --quiet up "$2" --no-start && "$1" --quiet ls >"$3/listed" && cp "$3/asked" "$3/asked-first"
"$1" --quiet up "$2" >/dev/null
"$1" --quiet down dawn --purge --force --timeout 1 >/dev/null
END
{ printf 'name = "dawn"\nautostart = true\n'; idle_machine only 'nics = []'; } >"$clouds/booted.toml"
check 'a cloud there' env PATH="$scratch/bin:$PATH" unshare --mount --propagation private bash "$scratch/booted.sh" "$nutshell_bin" "$clouds/booted.toml" "$scratch"
check 'with --no-start nothing is started' equal "$(cat "$scratch/asked-first") $(grep -c running "$scratch/listed")" 'daemon-reload 0'
check 'without it the unit is active, and it is told of the end' equal "$(sed 1d "$scratch/asked" | paste -sd,)" 'start --no-block nutshell-cloud-dawn.service,daemon-reload'

cp "$nutshell_bin" "$odd/nutshell"
refuse 3 'autostart: .* cannot stand in a systemd unit: systemd runs no program with a quote' "$odd/nutshell" --root "$root" plan "$file"
finish

#!/usr/bin/env bash
# Words that mean nothing: commands, options, keys, names, values. Each is refused at the door, and nothing of ours is made.
. "$(dirname "$0")/refusals.sh"

say "-- commands and options"
bad 2 'wants a command'
bad 2 "no command 'lauch'; did you mean .launch.\?" lauch demo
bad 2 'no command' $'l\e[31ms'
bad 2 'wants NAME' launch
bad 2 "what to do with 'two'" launch one two
bad 2 'takes no arguments' ls all
bad 2 "pool. wants one of: ls" pool
bad 2 "has no 'lx'; .*ls" pool lx
bad 2 'no option --memroy; did you mean --memory\?' launch x --memroy 1G
bad 2 'no option -m' launch x -m 1G
bad 2 'no option -a' launch -a
bad 2 'no option' launch x $'--\e[2Jmemory' 1G
bad 2 '--memory wants a value' launch x --memory
bad 2 '--memory wants a value' launch x --memory=
bad 2 '--force takes no value' rm x --force=yes
bad 2 'contradict' ls --quiet --verbose
bad 2 'no arguments for QEMU' start x -- -device foo
bad 2 '--wait' launch x --timeout 5

say "-- names"
for as_command in launch show; do
  bad 3 'only once' "$as_command" a/b/c
  bad 3 'empty' "$as_command" ''
  bad 3 'empty' "$as_command" /
  bad 3 'empty' "$as_command" a/
  bad 3 'empty' "$as_command" /a
  bad 3 "'\.\.' is not allowed" "$as_command" ..
  bad 3 "'\.\.' is not allowed" "$as_command" ../../etc/passwd
  bad 3 "'\.\.' is not allowed" "$as_command" default/..
  bad 3 'capital' "$as_command" Web
  bad 3 'spaces' "$as_command" 'web 1'
  bad 3 'commas' "$as_command" web,1
  bad 3 'newlines' "$as_command" $'web\n1'
  bad 3 'escape sequences' "$as_command" $'web\e[31m1'
  bad 3 '200 characters' "$as_command" "$(printf 'a%.0s' {1..200})"
  bad 3 '33 characters' "$as_command" "$(printf 'a%.0s' {1..33})"
  bad 3 'ASCII' "$as_command" wéb
  bad 3 'ASCII' "$as_command" $'\xff\xfe'
  bad 3 "end with '-'" "$as_command" web-
done
bad 3 '--cloud' launch x --cloud A/B
bad 3 '--cloud' launch x --cloud $'a\nb'
for command in show start stop restart kill pause resume rm "wait running" console log screenshot vnc "cdrom --eject" "qmp query-name" command explain set; do
  read -r verb rest <<<"$command"
  bad 6 'there is no machine nope' "$verb" nope $rest
done
bad 6 'nobody is known to have' who 10.99.99.99

say "-- keys and values"
bad 3 'unknown key "bus2"; did you mean bus\?' launch x --disk 1G,bus2=virtio
bad 3 'unknown key "brige"; did you mean bridge\?' launch x --nic brige=br0
bad 3 'unknown key' launch x --nic $'bri\e[31mdge=br0'
bad 3 'between two commas' launch x --disk ,1G
bad 3 'between two commas' launch x --disk 1G,
bad 3 'twice|same' launch x --disk 1G,bus=ide,bus=ide
bad 3 'floppy.*virtio' launch x --disk 1G,bus=floppy
bad 3 'size.*path=' launch x --disk bus=ide
bad 3 'one of the two' launch x --disk 1G,path=/dev/null
bad 3 'ne2k.*virtio' launch x --nic user,model=ne2k
bad 3 '--cpus' launch x --cpus 0
bad 3 '--cpus' launch x --cpus -1
bad 3 '--cpus' launch x --cpus 1000
bad 3 '--cpus' launch x --cpus two
bad 3 '--accel' launch x --accel xen
bad 3 '--nested' launch x --nested perhaps
bad 3 '--boot' launch x --boot floppy
bad 3 '--firmware' launch x --firmware coreboot
bad 3 'CPU model' launch x --cpu 'host,$(id)'
bad 3 'machine type' launch x --machine 'pc;id'
bad 3 '--wait' launch x --wait perhaps
bad 3 'regular expression' launch x --wait 'serial=['
bad 3 '--vnc' launch x --vnc perhaps
bad 3 'displays go from' launch x --vnc 59636
bad 3 '--vnc' launch x --vnc -1
bad 3 'mac=.*multicast' launch x --nic user,mac=01:00:5e:00:00:01
bad 3 'mac=.*multicast' launch x --nic user,mac=ff:ff:ff:ff:ff:ff
bad 3 'mac=.*zero' launch x --nic user,mac=00:00:00:00:00:00
bad 3 'mac=.*malformed' launch x --nic user,mac=52:54:00:12:34
bad 3 'mac=.*malformed' launch x --nic user,mac=52:54:00:12:34:5g
bad 3 'mac needs a value' launch x --nic user,mac=

finish

#!/usr/bin/env bash
# setup where the kernel has the module that it is about: the option for nested KVM is written and the module loaded anew where no
# machine runs; where one runs, it is left alone, which is said; and undo puts both back.
# limit: 900
source ./lib.sh

if [[ $NEST_PLACE != lab ]]; then
  say "skipped: this host's KVM is in use by others"
  finish
fi
conf=/etc/modprobe.d/nutshell-kvm.conf theirs=/etc/modprobe.d/kvm.conf
nested() { local is; is=$(cat /sys/module/kvm_amd/parameters/nested); case $is in Y | 1) say on ;; *) say off ;; esac; }
reload() { modprobe -r kvm_amd && modprobe kvm_amd && chgrp kvm /dev/kvm && chmod 0660 /dev/kvm; }
# Another number each time that the module is loaded: its folder is made with it. (Its time of change is no help: the kernel
# takes the time of the first look, and forgets it when memory is short.)
loaded() { stat -c %i /sys/module/kvm_amd; }
# All that setup may touch, with rights; the accounts' backup copies are the account tools' own.
world() {
  (cd /etc && find . \( -name '*-' -o -name .pwd.lock \) -prune -o -printf '%p %M %U:%G\n' | sort && find . -type f ! -name '*-' ! -name .pwd.lock -exec sha256sum {} + | sort)
  stat -c '%n %a %U:%G' /dev/kvm
  say "nested $(nested)"
}
unchanged() { world | diff - "$scratch/world"; }
doctor_of() { json doctor | jq -r --arg name "$1" '.checks[] | select(.name == $name) | .state + " " + (.cure // "")'; }
put_away() { rm -f "$conf" "$theirs"; reload; }
mkdir -p /etc/modprobe.d
on_exit put_away

note 'a host whose owner has nesting off'
say 'options kvm_amd nested=0' >"$theirs"
must "the module is loaded with it" reload
check "nesting is off" equal "$(nested)" off
world >"$scratch/world"
check "doctor says so, and names setup" matches "$(doctor_of nested)" 'nutshell setup'
said=$(nutshell --dry-run setup)
check "shown first" matches "$said" '\+ options kvm_amd nested=1'
check "and nothing done" unchanged
was=$(loaded)
said=$(n setup)
check "setup" matches "$said" 'load kvm_amd anew'
check "the option is written" matches "$(cat "$conf")" '^options kvm_amd nested=1$'
check "and the module loaded anew" test "$(loaded)" != "$was"
check "nesting is on" equal "$(nested)" on
check "/dev/kvm is the group's still" equal "$(stat -c '%a %G' /dev/kvm)" '660 kvm'
check "doctor has nothing against it" matches "$(doctor_of nested)" '^ok'
check "a second time there is nothing to do" matches "$(n setup)" 'has all that setup gives it'
check "it survives a reload by hand" reload
check "as a restart would" equal "$(nested)" on
check "undo" n setup --undo >/dev/null
check "nesting is off again" equal "$(nested)" off
check "and all is as before" unchanged

note 'a /dev/kvm of root alone, as without udev'
chown root:root /dev/kvm && chmod 0600 /dev/kvm
check "doctor names setup" matches "$(doctor_of kvm) $(json doctor | jq -r '.checks[] | select(.name == "kvm") | .detail')" 'root alone may open /dev/kvm.*`nutshell setup`'
refuse 1 'KVM was asked for and cannot be used: root alone may open /dev/kvm.*nutshell setup' n launch k --accel kvm --memory 64M --nic user
said=$(n --dry-run setup)
check "which shows it" matches "$said" 'give /dev/kvm to the group kvm'
check "and does it" n setup >/dev/null
check "a machine uses it" n launch k --accel kvm --nested off --memory 64M --nic user
n rm k --force
n setup --undo >/dev/null
check "until it is undone" equal "$(stat -c '%a %U:%G' /dev/kvm)" '600 root:root'
chgrp kvm /dev/kvm && chmod 0660 /dev/kvm

note 'a machine runs'
must "a machine" small m --nic user --wait 'serial=nutshell-guest: up ' --timeout 300
check "it uses the module" test "$(cat /sys/module/kvm_amd/refcnt)" -ge 1
was=$(loaded)
said=$(n setup)
check "it is said that the module waits" matches "$said" 'machines run, so kvm_amd keeps nesting off.*run `nutshell setup` again'
check "the option is written" matches "$(cat "$conf")" '^options kvm_amd nested=1$'
check "the module is the same" equal "$(loaded)" "$was"
check "nesting is off" equal "$(nested)" off
check "the machine runs on" equal "$(state_of m)" running
n rm m --force
until_true 30 grep -qx 0 /sys/module/kvm_amd/refcnt
check "the line that was said" matches "$(n setup)" 'load kvm_amd anew'
check "switches it on" equal "$(nested)" on

note 'undo while a machine runs'
must "a machine" small m --nic user --wait 'serial=nutshell-guest: up ' --timeout 300
was=$(loaded)
said=$(n setup --undo)
check "that is said" matches "$said" 'machines run, so kvm_amd stays as it is'
check "the option is gone" not test -e "$conf"
check "the module is left alone" equal "$(loaded)" "$was"
check "the machine runs on" equal "$(state_of m)" running
n rm m --force
until_true 30 grep -qx 0 /sys/module/kvm_amd/refcnt
check "a second undo takes back the rest" n setup --undo
check "switches it off" equal "$(nested)" off
chgrp kvm /dev/kvm && chmod 0660 /dev/kvm # as udev would
check "all is as before" unchanged
finish

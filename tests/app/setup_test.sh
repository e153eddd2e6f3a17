#!/usr/bin/env bash
# setup and its undo, on copies of /etc and of what else they write, in this test's own mount namespace: shown first, each change
# made once, taken back byte for byte; also after others have changed the same files, and after a kill at any moment.
. "$(dirname "$0")/lib.sh"

# The host of this test: its /etc, its bridge helper, its /dev/kvm, and a module with nesting off as the kernel shows it.
mkdir "$scratch/etc"
cp -a /etc/. "$scratch/etc"
mount --bind "$scratch/etc" /etc
rm -rf /etc/qemu /etc/modprobe.d/nutshell-kvm.conf
mkdir -p /etc/udev/rules.d /etc/modprobe.d
sed -i '/^nutshell-qemu:/d; /^kvm:/d' /etc/passwd /etc/group /etc/shadow /etc/gshadow
helper=$(ls /usr/lib/qemu/qemu-bridge-helper /usr/libexec/qemu-bridge-helper 2>/dev/null | head -1)
install -m 0755 "$helper" "$scratch/helper"
mount --bind "$scratch/helper" "$helper"
mknod "$scratch/kvm" c 10 232
chmod 600 "$scratch/kvm"
chown 0:0 "$scratch/kvm"
[[ -e /dev/kvm ]] || { mount -t tmpfs none /dev -o mode=755; mknod /dev/kvm c 10 232; mknod /dev/null c 1 3; mknod /dev/urandom c 1 9; }
mount --bind "$scratch/kvm" /dev/kvm
# A kernel's view of kvm_amd, and a modprobe that does to it what the real one does: it loads a module with the options of modprobe.d,
# and the module's device is root's alone.
mkdir -p "$scratch/module/kvm_amd/parameters" "$scratch/bin"
echo N >"$scratch/module/kvm_amd/parameters/nested"
echo live >"$scratch/module/kvm_amd/initstate"
echo 0 >"$scratch/module/kvm_amd/refcnt"
mount --bind "$scratch/module" /sys/module
cat >"$scratch/bin/modprobe" <<'END'
#!/bin/sh
[ "$1" = -r ] && exit 0
if grep -qsx "options $1 nested=1" /etc/modprobe.d/*.conf; then echo Y; else echo N; fi >"/sys/module/$1/parameters/nested"
chmod 600 /dev/kvm && chown 0:0 /dev/kvm
END
chmod 755 "$scratch/bin/modprobe"
export PATH=$scratch/bin:$PATH
ip link add br0 type bridge
useradd --no-create-home alice

# Everything that setup may touch, with rights; the accounts' backup copies are the account tools' own.
world() {
  (cd /etc && find . \( -name '*-' -o -name .pwd.lock \) -prune -o -printf '%p %M %U:%G\n' | sort && find . -type f ! -name '*-' ! -name .pwd.lock -exec sha256sum {} + | sort)
  stat -c '%n %a %u:%g' "$helper" /dev/kvm
  cat /sys/module/kvm_amd/parameters/nested
}
# The same as before, or what is not.
unchanged() { # unchanged NAME, of a variable that holds a world
  local -n want=$1
  diff <(echo "$want") <(world) | head -20
  [[ $(world) == "$want" ]]
}
not_in() { ! grep -Eq -- "$2" <<<"$1"; }
undo() { nutshell --quiet setup --undo >/dev/null; }
before=$(world)

say "-- shown first"
said=$(nutshell --dry-run setup --bridge br0 --user alice)
check "a dry run shows the lines" matches "$said" '\+ allow br0'
check "and what it does to the user" matches "$said" 'would .*alice may put machines on br0'
check "and changes nothing" unchanged before
check "nor leaves a trace" test ! -e "$root/state/setup.json"
refuse 1 'needs|root may' setpriv --reuid 65534 --clear-groups "$nutshell_bin" --root "$scratch/other" setup
refuse 2 'say which with --bridge' nutshell setup --user alice
refuse 2 'no name of a bridge' nutshell setup --bridge 'br 0'
refuse 2 'leave --bridge and --user out' nutshell setup --undo --bridge br0
refuse 2 'leave --bridge and --user out' nutshell setup --undo --user alice
refuse 6 'no user nobody-here' nutshell setup --bridge br0 --user nobody-here
refuse 2 '--bridge all is no bridge' nutshell setup --bridge all
check "a refusal changes nothing" unchanged before

say "-- made, and taken back"
install -d -o alice -g alice "$scratch/alice"
as_alice() { setpriv --reuid alice --regid alice --init-groups "$nutshell_bin" --root "$scratch/alice" "$@"; }
cp "$guest/vmlinuz" "$guest/initrd" "$scratch" && chmod 644 "$scratch"/{vmlinuz,initrd} # which may lie where only root may go
alices=(launch hers --memory 256M --nested off --accel tcg --vnc off --kernel "$scratch/vmlinuz" --initrd "$scratch/initrd" --append 'console=ttyS0 quiet nutshell.dhcp=off' --nic bridge=br0)
check "doctor says to a user what would let him onto the bridge" matches "$(as_alice doctor 2>&1)" 'bridge helper +note .*cured by `sudo nutshell setup --bridge br0`'
refuse 1 'br0.*(helper|setup)|(helper|setup).*br0' as_alice --quiet "${alices[@]}"
check "doctor misses nesting or the bridge helper" matches "$(nutshell doctor)" 'nutshell setup --bridge br0'
said=$(nutshell setup --bridge br0 --user alice)
check "it says what it did" matches "$said" 'setuid root'
check "the user's bridge" matches "$(cat /etc/qemu/bridge.alice.conf)" '^allow br0$'
check "for him alone" equal "$(stat -c '%a %U:%G' /etc/qemu/bridge.alice.conf)" "640 root:alice"
check "included" matches "$(cat /etc/qemu/bridge.conf)" '^include /etc/qemu/bridge.alice.conf$'
check "the helper is setuid root" equal "$(stat -c %a "$helper")" 4755
check "the user of QEMUs" matches "$(getent passwd nutshell-qemu)" 'nologin$'
check "/dev/kvm's group" equal "$(stat -c '%a %G' /dev/kvm)" '660 kvm'
check "kept by udev" matches "$(cat /etc/udev/rules.d/65-nutshell-kvm.rules)" 'GROUP="kvm"'
check "nesting is on" equal "$(cat /sys/module/kvm_amd/parameters/nested)" Y
check "doctor finds the bridge allowed, as the user" matches "$(as_alice doctor 2>&1)" 'bridge helper +ok +allows br0'
check "the user's machine starts on it" as_alice --quiet "${alices[@]}" --wait serial='nutshell-guest#' --timeout 60
serial=$(echo "$scratch"/alice/run/*/serial)
{ echo 'ip addr add 192.168.77.2/24 dev eth0; ip link set eth0 up'; sleep 0.5; } | socat -u - "UNIX-CONNECT:$serial"
ip link set br0 up
ip addr add 192.168.77.1/24 dev br0
check "and its packets arrive" until_true 30 ping -q -c 1 -W 1 192.168.77.2 >/dev/null
check "path finds its tap, too" matches "$(as_alice path hers)" 'tap[0-9]* +tap +up, forwarding'
as_alice --quiet rm hers --force
after=$(world)
check "a second time there is nothing to do" matches "$(nutshell setup --bridge br0 --user alice)" 'has all that setup gives it'
check "and nothing is done" unchanged after
check "a dry undo shows it" matches "$(nutshell --dry-run setup --undo)" 'would take back: load kvm_amd anew'
check "and does nothing" unchanged after
check "undo" undo
check "byte for byte as before" unchanged before
check "nothing is left to undo" matches "$(nutshell setup --undo)" 'nothing to undo'

say "-- files that were there"
mkdir /etc/qemu
printf 'deny br9' >/etc/qemu/bridge.conf
chown 0:alice /etc/qemu/bridge.conf
chmod 640 /etc/qemu/bridge.conf
printf '# mine\n' >/etc/modprobe.d/nutshell-kvm.conf
before=$(world)
check "setup for every user, in two steps" bash -c "'$nutshell_bin' --quiet --root '$root' setup --bridge br0 >/dev/null && '$nutshell_bin' --quiet --root '$root' setup --bridge br1 >/dev/null"
check "what was there stays" equal "$(head -c 8 /etc/qemu/bridge.conf)" 'deny br9'
check "both bridges are allowed" equal "$(grep -c '^allow br[01]$' /etc/qemu/bridge.conf)" 2
check "the file keeps its rights" equal "$(stat -c '%a %G' /etc/qemu/bridge.conf)" '640 alice'
check "undo takes both steps back" undo
check "byte for byte as before" unchanged before

n setup --bridge br0 >/dev/null
chown 0:0 /etc/qemu/bridge.conf # as a setup leaves it that was killed between its writing and its giving away
check "undo of one that was killed in between" undo
check "byte for byte as before, with its rights" unchanged before

say "-- what keeps users off all the same"
mv /etc/qemu /etc/qemu-kept
(umask 077; n setup --bridge br0 --bridge br0 >/dev/null)
check "whatever root's umask is, every user gets into the folder" equal "$(stat -c %a /etc/qemu) $(grep -c 'allow br0' /etc/qemu/bridge.conf)" '755 1'
chmod 700 /etc/qemu
check "which setup opens again, shown first" matches "$(nutshell setup)" '^let every user into /etc/qemu'
check "so it is" equal "$(stat -c %a /etc/qemu)" 755
undo
mkdir /etc/qemu
for line in 'deny br0' 'deny all'; do
  echo "$line" >/etc/qemu/bridge.conf
  refuse 4 "bridge.conf has the line .$line., which outweighs" nutshell setup --bridge br0
  check "doctor names it, and no setup" matches "$(as_alice doctor 2>&1)" "bridge helper +note .*(user-mode networking alone|the line .$line., which outweighs every allow; root may take it out\$)"
done
chmod 4755 "$helper"
check "doctor names it where the helper may help" matches "$(as_alice doctor 2>&1)" 'bridge helper +note .*the line .deny all., which outweighs every allow; root may take it out$'
printf 'allow br0\ndeny br0\n' >/etc/qemu/bridge.conf
refuse 1 'the line .deny br0., which outweighs' as_alice --quiet "${alices[@]}"
printf 'allow br0\n' >/etc/qemu/bridge.conf
chmod 600 /etc/qemu/bridge.conf
check "a file that users may not read is named" matches "$(as_alice doctor 2>&1)" 'may not be read by you.*cured by `sudo nutshell setup --bridge br0`'
check "setup lets them" matches "$(nutshell setup --bridge br0)" '^let every user read /etc/qemu/bridge.conf'
check "doctor is content" matches "$(as_alice doctor 2>&1)" 'bridge helper +ok +allows br0'
undo
check "and takes it back" equal "$(stat -c %a /etc/qemu/bridge.conf)" 600
chmod 755 "$helper"
rm -r /etc/qemu
mv /etc/qemu-kept /etc/qemu
check "the rest is as before" unchanged before

say "-- others changed it since"
n setup --bridge br0 >/dev/null
echo 'allow br7' >>/etc/qemu/bridge.conf
chmod 4711 "$helper"
said=$(nutshell setup --undo)
check "it is said" matches "$said" 'bridge.conf was changed by somebody else'
check "of the helper, too" matches "$said" 'other rights by somebody else'
check "theirs stays and ours goes" equal "$(cat /etc/qemu/bridge.conf)" $'deny br9\nallow br7'
check "the helper keeps what they gave it" equal "$(stat -c %a "$helper")" 4711
chmod 755 "$helper"
printf 'deny br9' >/etc/qemu/bridge.conf
check "the rest is as before" unchanged before

say "-- a machine runs"
echo 1 >/sys/module/kvm_amd/refcnt
check "the module is left alone, which is said" matches "$(nutshell setup)" 'machines run, so kvm_amd keeps nesting off'
check "nesting is still off" equal "$(cat /sys/module/kvm_amd/parameters/nested)" N
echo 0 >/sys/module/kvm_amd/refcnt
check "undo" undo
check "byte for byte as before" unchanged before

say "-- killed at any moment"
bad=0
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
  timeout --foreground -s KILL "0.0$((i * 8))" "$nutshell_bin" --quiet --root "$root" setup --bridge br0 --user alice >/dev/null 2>&1
  ((i % 3)) || timeout --foreground -s KILL 0.03 "$nutshell_bin" --quiet --root "$root" setup --undo >/dev/null 2>&1
  undo && unchanged before || { bad=1; break; }
done
check "undo takes back whatever was done" test "$bad" -eq 0

say "-- a tool that fails"
printf '#!/bin/sh\necho "useradd: no" >&2\nexit 1\n' >"$scratch/bin/useradd"
chmod 755 "$scratch/bin/useradd"
refuse 1 'setup could not make the system user.*useradd: no' nutshell setup --bridge br0
check "what it had done before is undone" unchanged before
check "of which no record is left" test ! -e "$root/state/setup.json"
printf '#!/bin/sh\nexec sleep 20\n' >"$scratch/bin/useradd"
timeout --preserve-status -s INT 0.5 "$nutshell_bin" --quiet --root "$root" setup --bridge br0 >/dev/null 2>"$scratch/said"
check "interrupted: 130" equal "$? $(cat "$scratch/said")" '130 nutshell: interrupted; what had been begun is undone'
check "and undone" unchanged before
rm "$scratch/bin/useradd"

say "-- a module that keeps nesting off"
cp "$scratch/bin/modprobe" "$scratch/modprobe"
printf '#!/bin/sh\nexit 0\n' >"$scratch/bin/modprobe"
refuse 5 '' nutshell --quiet setup
check "it is looked at after it was loaded" grep -q 'kvm_amd keeps nesting off although it was loaded anew' "$scratch/stdout"
check "undo" undo
printf '#!/bin/sh\necho "modprobe: not permitted" >&2\nexit 1\n' >"$scratch/bin/modprobe"
refuse 5 '' nutshell --quiet setup --bridge br0
check "one that cannot be loaded is said" grep -q 'kvm_amd could not be loaded anew: .*not permitted' "$scratch/stdout"
check "and the rest is done" matches "$(cat /etc/qemu/bridge.conf)" '^allow br0$'
refuse 5 '' nutshell --quiet setup --undo
cp "$scratch/modprobe" "$scratch/bin/modprobe"
check "undo" undo
check "byte for byte as before" unchanged before
echo 'options kvm-amd npt=1 nested=0' >/etc/modprobe.d/zz.conf
said=$(nutshell --dry-run setup)
check "another file that says so is named" matches "$said" 'nesting off, for /etc/modprobe.d/zz.conf has .options kvm-amd npt=1 nested=0., which outweighs'
check "and nothing is loaded anew for it" not_in "$said" 'load kvm_amd'
mv /etc/modprobe.d/zz.conf /etc/modprobe.d/aa.conf
check "one that ours outweighs is not" matches "$(nutshell --dry-run setup)" 'would load kvm_amd anew'
rm /etc/modprobe.d/aa.conf

say "-- what is in use when it is to be taken back"
n setup --bridge br0 >/dev/null
setpriv --reuid nutshell-qemu --regid nutshell-qemu --clear-groups sleep 100 &
sleeper=$!
check "its process runs" until_true 30 grep -q sleep "/proc/$sleeper/comm"
echo 1 >/sys/module/kvm_amd/refcnt
said=$(nutshell setup --undo)
check "that is left behind" equal $? 5
check "the user is named, with his process" matches "$said" "the user nutshell-qemu stays, whose process $sleeper \(sleep\) runs: .*setup --undo"
check "and the module" matches "$said" 'machines run, so kvm_amd stays as it is loaded'
check "the rest is taken back" equal "$(cat /etc/qemu/bridge.conf) $(stat -c %a "$helper")" 'deny br9 755'
kill "$sleeper"
wait "$sleeper" 2>/dev/null
echo 0 >/sys/module/kvm_amd/refcnt
check "the next undo takes it back, too" undo
check "byte for byte as before" unchanged before
n setup >/dev/null
usermod -aG kvm alice
check "a group that others use stays, which is said" matches "$(nutshell setup --undo)" 'the group kvm stays: alice was put into it'
check "so it does" matches "$(getent group kvm)" ':alice$'
groupdel kvm
check "the rest is as before" unchanged before

say "-- a link that leads nowhere yet, and two root directories"
rm -r /etc/qemu
mkdir /etc/qemu
ln -s ../real.conf /etc/qemu/bridge.conf
before=$(world)
n setup --bridge br0 >/dev/null
check "its target is written" equal "$(tail -1 /etc/real.conf) $(readlink /etc/qemu/bridge.conf)" 'allow br0 ../real.conf'
check "undo" undo
check "byte for byte as before, the link, too" unchanged before
rm /etc/qemu/bridge.conf
before=$(world)
other() { "$nutshell_bin" --quiet --root "$scratch/second" setup "$@" >/dev/null; }
n setup --bridge br0 >/dev/null
other --bridge br2
check "one undoes" undo
check "the other's line stays" equal "$(tail -1 /etc/qemu/bridge.conf)" 'allow br2'
check "the other undoes" other --undo
check "byte for byte as before" unchanged before

say "-- a record that is damaged"
n setup --bridge br0 >/dev/null
cp "$root/state/setup.json" "$scratch/record"
echo '{' >"$root/state/setup.json"
for how in --undo ''; do
  # shellcheck disable=SC2086  # no word, or one
  refuse 1 'setup.json is damaged, .*backup, or move it away' nutshell setup $how
done
cp "$scratch/record" "$root/state/setup.json"
check "brought back, it serves" undo
check "byte for byte as before" unchanged before
finish

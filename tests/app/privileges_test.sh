#!/usr/bin/env bash
# What a machine's QEMU may do and what it holds, read from /proc: its rights, and every descriptor against what was meant for it.
. "$(dirname "$0")/lib.sh"

field() { awk -v name="$2:" '$1 == name {$1 = ""; print substr($0, 2)}' "/proc/$1/status" | tr '\t' ' '; }
has_no_rights() { # PID
  local uid gid
  uid=$(field "$1" Uid) gid=$(field "$1" Gid)
  matches "$uid" '^([1-9][0-9]*) \1 \1 \1$' && matches "$gid" '^([1-9][0-9]*) \1 \1 \1$' || return 1
  [[ ${uid%% *} != 65534 && ${gid%% *} != 65534 ]] || { say "  it is nobody"; return 1; }
  equal "$(field "$1" Groups | xargs)" "${gid%% *}" &&
    equal "$(field "$1" CapEff) $(field "$1" CapPrm) $(field "$1" CapInh) $(field "$1" CapAmb)" \
      "0000000000000000 0000000000000000 0000000000000000 0000000000000000" &&
    equal "$(field "$1" NoNewPrivs) $(field "$1" Seccomp)" "1 2"
}

# Every descriptor of a machine's QEMU that it should not have, one a line. Sockets are looked up by their inode: the four
# that listen in its own run folder, its own display, nothing else.
strange_descriptors() { # NAME PID
  local name=$1 pid=$2 uuid port fd link inode where taps=0
  uuid=$(uuid_of "$name") port=$(json show "$name" | jq -r '.vnc.port')
  for fd in /proc/"$pid"/fd/*; do
    link=$(readlink "$fd") || continue
    case $link in
      /dev/null | /dev/kvm | /dev/vhost-net | anon_inode:*) ;;
      "$root/state/machines/$uuid"/* | "$root/log/$uuid"/*) ;;
      "$guest"/demo.iso) ;;
      /dev/net/tun)
        taps=$((taps + 1))
        [[ " $(json show "$name" | jq -r '.nics[].tap' | xargs) " == *" $(awk '$1 == "iff:" {print $2}' "/proc/$pid/fdinfo/${fd##*/}") "* ]] ||
          say "$link of another tap"
        ;;
      socket:*)
        inode=${link//[^0-9]/}
        where=$(awk -v inode="$inode" '$7 == inode {print $8}' /proc/"$pid"/net/unix)
        [[ $where == "$root/run/${uuid:0:8}"/* ]] && continue
        awk -v inode="$inode" -v port="$(printf ':%04X' "$port")" '$10 == inode && $4 == "0A" && substr($2, 9) == port {found = 1} END {exit !found}' \
          /proc/"$pid"/net/tcp || say "$link $where"
        ;;
      *) say "$link" ;;
    esac
  done
  [[ $taps -eq $(json show "$name" | jq '[.nics[] | select(.tap != null and .tap != "")] | length') ]] || say "$taps taps"
}
holds_only_its_own() { equal "$(strange_descriptors "$@")" ""; }

# A caller that leaves a file, a pipe and a socket open: none of them is QEMU's or dnsmasq's business.
exec 21<"$guest/vmlinuz" 22< <(sleep 300) 23<>/dev/ptmx
stranger=$!
check "launch beside a caller's open files" n launch a --memory 64M --nested off --accel tcg --cdrom "$guest/demo.iso" --disk 16M \
  --disk 16M,format=qcow2 --nic network=nutshell0 --nic network=nutshell0
a=$(pid_of a)
check "its QEMU has no rights" has_no_rights "$a"
check "its QEMU holds what was handed over and nothing else" holds_only_its_own a "$a"
exec 21<&- 22<&- 23<&-
kill "$stranger"

sleep 1
ours() { # Every process in this network namespace that is not the test itself.
  local mine p
  mine=$(readlink /proc/self/ns/net)
  for p in /proc/[0-9]*; do
    [[ $(readlink "$p/ns/net" 2>/dev/null) == "$mine" ]] && { tr '\0' ' ' <"$p/cmdline" | awk '{n = split($1, part, "/"); print part[n]}'; } 2>/dev/null
  done | grep -vE '^(bash|sh|sort|grep|tr|awk|xargs|readlink|sleep)$' | sort
}
check "a second later no process is there but QEMU and dnsmasq" equal "$(ours | xargs)" "dnsmasq qemu-system-x86_64"
dns=$(cut -d' ' -f1 "$root/run/net-nutshell0/dnsmasq.pid")
dnsmasq_holds() { for fd in /proc/"$dns"/fd/*; do readlink "$fd"; done | grep -vE '^(socket:|anon_inode:|inotify|/dev/null$|pipe:)' | grep -vF -- "$root/run/net-nutshell0/"; }
check "dnsmasq holds no file of ours but its own" equal "$(dnsmasq_holds)" ""
check "dnsmasq is an ordinary user" matches "$(field "$dns" Uid)" '^[1-9]'

# Two start at once, again and again: neither may hold a descriptor of the other, and each has a uid of its own.
for round in 1 2 3; do
  n launch "b$round" --memory 64M --nested off --accel tcg & first=$!
  n launch "c$round" --memory 64M --nested off --accel tcg & second=$!
  wait "$first" && wait "$second" || fail "launches at once, round $round"
  b=$(pid_of "b$round") c=$(pid_of "c$round")
  check "b$round holds only its own" holds_only_its_own "b$round" "$b"
  check "c$round holds only its own" holds_only_its_own "c$round" "$c"
  check "c$round has no rights" has_no_rights "$c"
done
uids=$(for name in a b1 c1 b2 c2 b3 c3; do field "$(pid_of $name)" Uid | cut -d' ' -f1; done | sort -u | wc -l)
if id nutshell-qemu >/dev/null 2>&1; then check "all run as nutshell-qemu" equal "$uids" 1; else check "each machine has its own uid" equal "$uids" 7; fi

tap=$(json show b3 | jq -r '.nics[0].tap') lock=$root/state/machines/$(uuid_of b3)/lock
there() { ip link show "$1" >"$scratch/link" 2>&1; }
gone() { ! there "$1"; }
check "its tap is there" there "$tap"
kill -9 "$b"
check "killed from outside: its tap is gone" until_true 30 gone "$tap"
held() { perl -MFcntl -e 'open my $f, "<", shift or die; my $l = pack "s s x4 q q i x4", F_WRLCK, SEEK_SET, 0, 0, 0; fcntl $f, 36, $l or die; exit((unpack "s", $l)[0] == F_UNLCK)' "$1"; }
check "a living machine's lock is held" held "$root/state/machines/$(uuid_of c3)/lock"
freed() { ! held "$1"; }
check "its lock is free" freed "$lock"
check "its state is crashed" equal "$(state_of b3)" crashed
check "the other one runs" equal "$(state_of c3)" running
finish

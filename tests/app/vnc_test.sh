#!/usr/bin/env bash
# The screen: who may see it, where it listens, and that a password is nowhere but in its file.
. "$(dirname "$0")/lib.sh"

# The security types that the VNC server at HOST:PORT or a socket offers (RFB 3.8): 1 none, 2 password.
offers() { perl -MIO::Socket::INET -MIO::Socket::UNIX -e '
  my $s = $ARGV[0] =~ m{^/} ? IO::Socket::UNIX->new(Peer => $ARGV[0]) : IO::Socket::INET->new(PeerAddr => $ARGV[0]); $s or die "no\n";
  alarm 10; read $s, my $version, 12; syswrite $s, $version; read $s, my $n, 1; read $s, my $types, ord $n; print join(",", map ord, split //, $types), "\n"' "$1"; }
where() { json vnc "$1" | jq -r '"\(.listen):\(.port)"'; }
secret() { cat "$(json vnc "$1" | jq -r .password_file)"; }
# Every file of ours but the password's own, QEMU's argv and environment, and all that commands say.
hidden() { # NAME SECRET
  local pid
  pid=$(pid_of "$1")
  ! grep -rlaF --exclude=vnc-password -- "$2" "$root" && ! grep -aqF -- "$2" "/proc/$pid/cmdline" "/proc/$pid/environ" &&
    ! { n show "$1"; json show "$1"; n command "$1"; n explain "$1"; n ls; n vnc "$1"; n log "$1"; } 2>&1 | grep -aqF -- "$2"
}

idle open >/dev/null
check "without a password, on the loopback" equal "$(where open) $(offers "$(where open)")" "127.0.0.1:5900 1"
check "the line for elsewhere" matches "$(n vnc open)" 'ssh -L 5900:127.0.0.1:5900 '

printf 'pw-7f3Qz\nsecond line\n' >"$scratch/password"
idle file --vnc-password-file "$scratch/password" >/dev/null
check "with a password from a file" equal "$(offers "$(where file)")" 2
check "the password is kept, for its owner only" equal "$(stat -c %a "$root/state/machines/$(uuid_of file)/vnc-password")" 600
check "it is nowhere else" hidden file pw-7f3Qz

check "beyond the loopback" idle wide --vnc-listen 0.0.0.0
check "a password is made" matches "$(secret wide)" '^[0-9a-z]{8}$'
check "and needed" equal "$(where wide) $(offers "127.0.0.1:$(json vnc wide | jq .port)")" "0.0.0.0:5902 2"
check "it is nowhere else" hidden wide "$(secret wide)"
check "it listens on IPv4 alone" equal "$(awk '$4 == "0A"' /proc/net/tcp6 | wc -l)" 0
kept=$(secret wide)
n kill wide
n start wide >/dev/null
check "the next start has the same" equal "$(secret wide) $(offers "127.0.0.1:$(json vnc wide | jq .port)")" "$kept 2"

printf 'nine-long\n' >"$scratch/long"
refuse 3 'at most 8' idle long --vnc-password-file "$scratch/long"
refuse 6 'no password file' idle none --vnc-password-file "$scratch/nothing"

idle unix --vnc unix >/dev/null
check "a screen on a socket" equal "$(offers "$(json vnc unix | jq -r .socket)")" 1
check "and no display of the pool" equal "$(n lease ls --pool vnc --json | jq '[.leases[] | select(.machine == "unix")] | length')" 0
idle blind --vnc off >/dev/null
refuse 4 'has no screen' n vnc blind
for name in open file wide unix blind; do n rm $name --force; done
check "nothing is left" equal "$(traces)" "link lo"
finish

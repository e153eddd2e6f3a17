# A TCP connection that never rests: stream.pl send ADDRESS PORT listens, says "ready", and sends a byte each two milliseconds to
# whoever connects, until he leaves; stream.pl receive HOST PORT SECONDS reads for that long and prints how many bytes came and
# the longest silence in milliseconds.
use strict;
use warnings;
use IO::Socket::IP;
use Socket qw(IPPROTO_TCP TCP_NODELAY SOCK_STREAM);
use Time::HiRes qw(time sleep);

$| = 1;
$SIG{PIPE} = 'IGNORE';
my ($role, $host, $port, $seconds) = @ARGV;
if ($role eq 'send') {
    my $listener = IO::Socket::IP->new(LocalHost => $host, LocalPort => $port, Listen => 1, ReuseAddr => 1, Type => SOCK_STREAM)
      or die "listen: $@\n";
    print "ready\n";
    my $peer = $listener->accept or die "accept: $!\n";
    $peer->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    my $end = time + 120;
    while (time < $end) { defined syswrite($peer, 'x') or last; sleep 0.002 }
    exit;
}
my $socket = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port, Type => SOCK_STREAM) or die "connect: $@\n";
my ($end, $last, $gap, $bytes) = (time + $seconds, time, 0, 0);
while (time < $end) {
    my $readable = '';
    vec($readable, fileno $socket, 1) = 1;
    select $readable, undef, undef, $end - time > 0 ? $end - time : 0 or last;
    my $got = sysread $socket, my $data, 4096;
    die "the connection is dead\n" unless $got;
    my $now = time;
    $gap = $now - $last if $now - $last > $gap;
    $last = $now;
    $bytes += $got;
}
$gap = time - $last if time - $last > $gap;
printf "%d %.0f\n", $bytes, 1000 * $gap;

# Holds a TCP port in one of the ways that a stranger may: hold_port.pl PORT HOW. Says "held" and stays until it is killed,
# two minutes at most.
use strict;
use warnings;
use Socket qw(:all);

my ($port, $how) = @ARGV;
my %ways = (
    bound        => {address => '0.0.0.0'},
    loopback     => {address => '127.0.0.1', listen => 1},
    wildcard     => {address => '0.0.0.0', listen => 1},
    loopback6    => {address => '::1', only6 => 1, listen => 1},
    wildcard6    => {address => '::', only6 => 1, listen => 1},
    bound6       => {address => '::', only6 => 1},
    reuseport    => {address => '0.0.0.0', option => SO_REUSEPORT, listen => 1},
    reuseaddr    => {address => '0.0.0.0', option => SO_REUSEADDR, listen => 1},
    boundreuse   => {address => '0.0.0.0', option => SO_REUSEADDR},
    boundport    => {address => '127.0.0.1', option => SO_REUSEPORT},
);
my $way = $ways{$how} or die "no such way: $how\n";
my $six = $way->{address} =~ /:/;
socket(my $socket, $six ? AF_INET6 : AF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
setsockopt($socket, SOL_SOCKET, $way->{option}, 1) or die "option: $!\n" if $way->{option};
setsockopt($socket, IPPROTO_IPV6, IPV6_V6ONLY, 1) or die "v6only: $!\n" if $way->{only6};
my $address = inet_pton($six ? AF_INET6 : AF_INET, $way->{address});
bind($socket, $six ? pack_sockaddr_in6($port, $address) : pack_sockaddr_in($port, $address)) or die "bind: $!\n";
if ($way->{listen}) { listen($socket, 1) or die "listen: $!\n" }
$| = 1;
print "held\n";
sleep 120;

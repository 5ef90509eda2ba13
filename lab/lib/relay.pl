# usage: relay.pl ADDRESS NODE MILLISECONDS
# A second way to NODE's port 22 with a longer round trip: every byte is passed on half of it after it came, any number at
# once, so the bandwidth stays. Reports "PID PORT" on descriptor 3 once it listens.
use strict;
use warnings;
use Errno qw(EAGAIN EINPROGRESS EADDRINUSE EINTR);
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_ERROR SHUT_WR);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my ($address, $node, $milliseconds) = @ARGV;
my $half = $milliseconds / 2000;
my $most = 64 << 20;    # bytes under way in one direction
$SIG{PIPE} = 'IGNORE';

my $listener;
for my $port (22, 2222) {
    $listener = IO::Socket::INET->new(LocalAddr => $address, LocalPort => $port, Listen => 128, ReuseAddr => 1, Blocking => 0);
    last if $listener;
    die "cannot listen on $address: $!\n" if $! != EADDRINUSE;
}
die "cannot listen on $address: $!\n" unless $listener;
open(my $report, '>&=', 3) or die "descriptor 3: $!\n";
print $report "$$ ", $listener->sockport, "\n";
close $report;

# A connection: [client, node socket or undef, time to open it, connected?, two directions]
# A direction: {from, to, queue of [due, bytes or undef for the end], size, ended, done}
my @connections;

sub now { clock_gettime(CLOCK_MONOTONIC) }

sub accept_all {
    while (my $client = $listener->accept) {
        $client->blocking(0);
        setsockopt($client, IPPROTO_TCP, TCP_NODELAY, 1);
        # The handshake with the client took no time, over a slow link it would have: SYN, its answer, and the ACK.
        push @connections, { client => $client, open_at => now() + 3 * $half, ways => [map { { queue => [], size => 0 } } 0, 1] };
    }
}

sub open_node {
    my ($c) = @_;
    $c->{node} = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0) or return 0;
    setsockopt($c->{node}, IPPROTO_TCP, TCP_NODELAY, 1);
    return connect($c->{node}, sockaddr_in(22, inet_aton($node))) || $! == EINPROGRESS;
}

sub ends { my ($c, $way) = @_; return $way ? ($c->{node}, $c->{client}) : ($c->{client}, $c->{node}) }

sub take {
    my ($c, $way) = @_;
    my ($from) = ends($c, $way);
    my $w = $c->{ways}[$way];
    my $due = now() + $half;
    $due = $c->{open_at} if $due < $c->{open_at};
    my $count = sysread($from, my $bytes, 1 << 18);
    if (!defined $count) { return $! == EAGAIN || $! == EINTR }
    $w->{ended} = 1 if !$count;
    push @{ $w->{queue} }, [$due, $count ? $bytes : undef];
    $w->{size} += $count;
    return 1;
}

# Passes on what is due. Returns undef on a broken connection, else whether it would take more if it could.
sub pass_on {
    my ($c, $way) = @_;
    my (undef, $to) = ends($c, $way);
    my $w = $c->{ways}[$way];
    my $now = now();
    while (@{ $w->{queue} } && $w->{queue}[0][0] <= $now) {
        my $first = $w->{queue}[0];
        if (!defined $first->[1]) { shutdown($to, SHUT_WR); $w->{done} = 1; shift @{ $w->{queue} }; next }
        my $count = syswrite($to, $first->[1]);
        if (!defined $count) { return $! == EAGAIN || $! == EINTR ? 1 : undef }
        $w->{size} -= $count;
        if ($count == length $first->[1]) { shift @{ $w->{queue} } } else { substr($first->[1], 0, $count, ''); return 1 }
    }
    return 0;
}

sub step {
    my ($c, $readable, $writable) = @_;
    if (!$c->{node}) { return 1 if now() < $c->{open_at}; return open_node($c) }
    if (!$c->{connected}) {
        return 1 unless vec($writable, fileno $c->{node}, 1);
        return 0 if unpack('i', getsockopt($c->{node}, SOL_SOCKET, SO_ERROR));
        $c->{connected} = 1;
    }
    for my $way (0, 1) {
        $c->{ways}[$way]{blocked} = pass_on($c, $way);
        return 0 unless defined $c->{ways}[$way]{blocked};
    }
    return !($c->{ways}[0]{done} && $c->{ways}[1]{done});
}

while (1) {
    my ($read, $write, $wake) = ('', '', undef);
    my $at = sub { $wake = $_[0] if !defined $wake || $_[0] < $wake };
    vec($read, fileno $listener, 1) = 1;
    for my $c (@connections) {
        $at->($c->{open_at}) if !$c->{node};
        vec($write, fileno $c->{node}, 1) = 1 if $c->{node} && !$c->{connected};
        for my $way (0, 1) {
            my ($from, $to) = ends($c, $way);
            my $w = $c->{ways}[$way];
            vec($read, fileno $from, 1) = 1 if $from && ($way == 0 || $c->{connected}) && !$w->{ended} && $w->{size} < $most;
            next unless $c->{connected} && @{ $w->{queue} };
            if ($w->{blocked}) { vec($write, fileno $to, 1) = 1 } else { $at->($w->{queue}[0][0]) }
        }
    }
    my $wait = defined $wake ? $wake - now() : undef;
    $wait = 0 if defined $wait && $wait < 0;
    my ($readable, $writable) = ($read, $write);
    if (select($readable, $writable, undef, $wait) < 0) { next if $! == EINTR; die "select: $!\n" }
    @connections = grep {
        my $c = $_;
        my $fine = 1;
        for my $way (0, 1) {
            my ($from) = ends($c, $way);
            $fine &&= take($c, $way) if $from && vec($readable, fileno $from, 1);
        }
        $fine && step($c, $readable, $writable);
    } @connections;
    accept_all() if vec($readable, fileno $listener, 1);
}

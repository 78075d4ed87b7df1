# Strings, hashes of arrays, sorting and regular expressions in Perl: a log is made up, parsed, summed and sorted.
use strict;
use warnings;

my $rounds = 4;
my $state = 41;

sub dice {
    my ($sides) = @_;
    $state = ($state * 69069 + 5) % 4294967296;
    return ($state >> 8) % $sides;
}

my @hosts = map { sprintf 'host-%03d.example', $_ } 0 .. 299;
my @verbs = qw(get put post delete list);
my ($kept, $longest, $sum) = (0, '', 0);
my %everything;
for my $round (1 .. $rounds) {
    my @log;
    for my $line (0 .. 39_999) {
        push @log, join ' ', $line + $round * 40_000, $hosts[dice(300)], $verbs[dice(5)],
            '/' . join('/', map { 'part' . dice(60) } 0 .. dice(4)), dice(100_000);
    }
    my (%by_host, %by_path);
    for (@log) {
        my ($number, $host, $verb, $path, $bytes) = /^(\d+) (\S+) (\w+) (\S+) (\d+)$/ or die "no match: $_";
        push @{ $by_host{$host}{$verb} }, [$number, $bytes];
        $by_path{$path} .= "$number,";
        (my $short = $path) =~ s{part(\d)(\d)?}{p$1}g;
        $everything{$short}++;
    }
    for my $host (sort keys %by_host) {
        for my $verb (sort keys %{ $by_host{$host} }) {
            my @sorted = sort { $b->[1] <=> $a->[1] || $a->[0] <=> $b->[0] } @{ $by_host{$host}{$verb} };
            $sum += $sorted[0][1] * scalar @sorted;
        }
    }
    my @paths = sort { length $by_path{$b} <=> length $by_path{$a} || $a cmp $b } keys %by_path;
    $longest = $paths[0];
    my @rewritten = map { scalar reverse ucfirst } grep { tr/5// > 1 } @paths;
    $kept += scalar @rewritten;
}
print "$kept $longest $sum ", scalar(keys %everything), "\n";

# Hashes, regular expressions, references in cycles, sorting, packing, files, threads, forked children.
use strict;
use warnings;
use threads;
use Data::Dumper;
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use List::Util qw(sum reduce);
use Scalar::Util qw(weaken);
use Storable qw(freeze thaw dclone);

my %count;
my $state = 12345;
for my $n (1 .. 200_000) {
    $state = ($state * 1103515245 + 12345) % 2147483648;
    $count{ 'key' . ($state % 5003) } .= chr(97 + $state % 26);
}
print "hash: ", scalar(keys %count), " ", sha256_hex(join ',', map { "$_=$count{$_}" } sort keys %count), "\n";
delete @count{ grep { length $count{$_} > 40 } keys %count };
print "left: ", scalar(keys %count), "\n";

my $text = join ' ', map { "word$_ " . ('x' x ($_ % 50)) } 1 .. 20_000;
my @found = $text =~ /\bword(\d*7)\s+(x{13,})\b/g;
(my $changed = $text) =~ s/(\w+?)(\d+)/$2 . uc $1/ge;
print "regex: ", scalar(@found), " ", sha256_hex($changed), "\n";
my @sorted = sort { length $a <=> length $b or $a cmp $b } split ' ', $text;
print "sort: $sorted[0] $sorted[-1] ", sha256_hex("@sorted"), "\n";

for (1 .. 50_000) {
    my $parent = { name => $_ };
    my $child  = { parent => $parent, data => [ 1 .. 5 ] };
    $parent->{child} = $child;
    weaken $child->{parent};
}
my $tree = { map { $_ => [ map { { value => $_, text => "v$_" } } 1 .. 50 ] } 1 .. 200 };
$Data::Dumper::Sortkeys = 1;
my $json = JSON::PP->new->canonical;
print "storable: ", sha256_hex(Dumper(thaw(freeze($tree)))), "\n";
print "json: ", sha256_hex($json->encode($json->decode($json->encode(dclone($tree))))), "\n";
my $packed = pack 'N/a* (w)5000 d> Z*', 'head', (1 .. 5000), 3.25, 'tail';
print "pack: ", length($packed), " ", sha256_hex($packed), "\n";
my $reduced = reduce { $a . $b } map { $_ % 10 } 1 .. 30_000;
print "reduce: ", sha256_hex($reduced), "\n";
print "eval: ", sum(map { eval "sub { \$_[0] * $_ }->(2)" } 1 .. 2000), "\n";

open my $out, '>:encoding(UTF-8)', 'file' or die $!;
print {$out} "\x{263a} line $_\n" for 1 .. 20_000;
close $out;
open my $in, '<:encoding(UTF-8)', 'file' or die $!;
my @lines = <$in>;
print "file: ", scalar(@lines), " ", length($lines[-1]), "\n";

my @threads = map {
    my $n = $_;
    threads->create(sub { my %mine = map { $_ => "v$_" x $n } 1 .. 3000; return sha256_hex(join ',', map { $mine{$_} } sort keys %mine) })
} 1 .. 6;
print "thread: ", $_->join, "\n" for @threads;
for my $n (1 .. 5) {
    my $pid = fork // die $!;
    if (!$pid) { my @much = map { "child $_" } 1 .. 20_000; exit $n + @much % 7 }
    waitpid $pid, 0;
    print "child: ", $? >> 8, "\n";
}
exit 9;

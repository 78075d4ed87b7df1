#!/bin/bash
# The tools of every pipeline: sort, join, sed, awk, find, ls, tar, gzip, xz and their neighbours.
source "${0%/*}/prelude.sh"
needs awk xz bzip2

awk 'BEGIN { for (i = 0; i < 400000; i++) printf "%d %x key%d\n", i * 7919 % 1000003, i * 31, i % 977 }' >lines
sha256sum lines
sort lines | sha256sum
sort -n -k1,1 --parallel=4 lines >by_number
sort -S 1M -T . -k3,3 -k1,1nr lines >by_key
sort -u -k3,3 lines | wc -l
sha256sum by_number by_key
cut -d' ' -f3 lines | sort | uniq -c | sort -rn | sed -n '1,3p'
join -1 3 -2 1 by_key <(seq 0 976 | sed 's/.*/key& &/' | sort) | md5sum
comm -12 <(sort lines | sed -n '1,50000p') <(sort -r lines | tail -60000 | sort) | wc -l
tac lines | rev | tr 0-9a-f a-p | paste -d: - - | fold -w 37 | sha1sum
shuf --random-source=lines lines | sha256sum
sed -E 's/^([0-9]+) ([0-9a-f]+) key([0-9]*7)$/\3:\2:\1/; /key.*1/d; $!N; s/\n/|/' lines | cksum
awk '{ count[$3]++; sum[$3] += $1; text[$3] = text[$3] substr($2, 1, 1) }
     END { for (k in count) print k, count[k], sum[k], length(text[k]) }' lines | sort | sha256sum
grep -cE '(12|34)+[a-f]{2} key9' lines
status_of grep -q 'no such line' lines
split -l 9973 -d -a 3 lines part.
cat part.* | cmp - lines
od -A x -t x1z lines | tail -3
base64 lines | base64 -d | cmp - lines
diff <(head -20000 lines) <(sed -n '1,20000{/key97$/!p}' lines) | sha256sum || true
factor 1000000016000000063 18446744073709551557
expr 123456789 \* 1000 + 7
date -u -d '2001-02-03 04:05:06' +%FT%T
numfmt --to=iec 1 1024 123456789 99999999999999
status_of ls no-such-file 2>&1

mkdir tree
for ((i = 0; i < 30; i++)); do
    mkdir -p "tree/$i/a/b"
    for ((k = 0; k < 20; k++)); do
        head -c $((i * k * 17)) lines >"tree/$i/a/b/file$k"
    done
    ln -s "../$i/a" "tree/$i/link"
done
find tree -exec touch -h -d '2001-02-03 04:05:06' {} +
ls -lR --time-style=+%s tree | sha256sum
find tree -type f -size +2k -printf '%P %s %m\n' | sort | sha256sum
find tree -name 'file1*' -print0 | sort -z | xargs -0 -n 50 wc -c | sort | sha256sum
du --apparent-size -b tree | sort -k2 | sha256sum
tar --sort=name --owner=0 --group=0 --numeric-owner -cf tree.tar tree
sha256sum tree.tar
gzip -n -9 -k tree.tar
xz -T2 --block-size=1MiB -k tree.tar
bzip2 -k tree.tar
sha256sum tree.tar.*
gzip -dc tree.tar.gz | cmp - tree.tar
xz -dc tree.tar.xz | cmp - tree.tar
bzip2 -dc tree.tar.bz2 | cmp - tree.tar
mkdir copy
tar -xf tree.tar.xz -C copy
diff -r tree copy/tree

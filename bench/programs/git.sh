#!/bin/sh
# Prepares git: a repository with 150 commits of 400 files, all objects loose, and the name of the pack of them.
set -eu
here=$(cd "${0%/*}" && pwd)
cd "$1"
export HOME="$1" LC_ALL=C.UTF-8 GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null

/usr/bin/git init --quiet --bare repository
# One stream instead of 150 commits, because it is faster.
awk '
function dice(sides) {
    state = (state * 69069 + 5) % 4294967296
    return int(state / 256) % sides
}
function write(file,    i, text) {
    for (i = 0; i < lines[file]; i++) text = text line[file, i] "\n"
    print "M 100644 inline folder" file % 7 "/part" file % 23 "/file" file ".txt"
    print "data " length(text) "\n" text
}
BEGIN {
    state = 73
    for (commit = 1; commit <= 150; commit++) {
        print "commit refs/heads/main\ncommitter nobody <nobody@example.org> " 1600000000 + commit * 600 " +0000"
        print "data 10\ncommit " sprintf("%03d", commit)
        for (change = 0; change < (commit == 1 ? 400 : 25); change++) {
            file = commit == 1 ? change : dice(400)
            if (!lines[file]) lines[file] = 40 + dice(300)
            for (i = 0; i < (commit == 1 ? lines[file] : 6); i++) {
                at = commit == 1 ? i : dice(lines[file])
                line[file, at] = "line " dice(100000) " of " file " says " dice(1000) * 7919 " and " dice(50)
            }
            write(file)
        }
        print ""
    }
}' >stream
/usr/bin/git -C repository -c fastimport.unpackLimit=1000000 fast-import --quiet <stream
rm stream
"$here/git-pack.sh" "$1/repository" >expected

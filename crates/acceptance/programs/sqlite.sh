#!/bin/bash
# SQLite: see sqlite.sql. Then several writers at once, and a statement that fails.
source "${0%/*}/prelude.sh"
needs sqlite3

sqlite3 data.db <"$here/sqlite.sql"
sha256sum dump.csv
sqlite3 data.db .dump | sha256sum
for writer in 1 2 3 4; do
    for ((i = 0; i < 50; i++)); do
        echo "BEGIN IMMEDIATE; INSERT INTO audit VALUES ('writer', $writer * 100 + $i); COMMIT;"
    done | sqlite3 -cmd '.timeout 30000' data.db &
done
wait
sqlite3 data.db "SELECT count(*), sum(id) FROM audit WHERE what = 'writer'; PRAGMA integrity_check;"
status_of sqlite3 data.db 'SELECT * FROM nowhere' 2>&1

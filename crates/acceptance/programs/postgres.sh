#!/bin/bash
# PostgreSQL: a new cluster, pgbench with 20 clients, queries, an orderly restart, and no crash in the log.
source "${0%/*}/prelude.sh"
PATH=$(printf '%s:' /usr/lib/postgresql/*/bin)$PATH
needs initdb postgres psql pgbench pg_dump setpriv
clients=20
transactions=${1:-40}

# The server refuses to run as root.
if ((EUID == 0)); then
    nobody=(setpriv --reuid nobody --regid nogroup --clear-groups)
    IFS=: read -ra preloaded <<<"${LD_PRELOAD:-}"
    for file in "$0" "${preloaded[@]}"; do
        if ! "${nobody[@]}" test -r "$file"; then
            echo "this is root, postgres must not be, and the user nobody may not read $file" >&2
            exit 77
        fi
    done
    chown nobody .
    exec "${nobody[@]}" bash "$0" "$@"
fi

PGUSER=$(id -un)
export PGUSER PGHOST=$PWD PGDATABASE=postgres PGOPTIONS='-c client_min_messages=warning'
export HOME=$PWD

query() {
    psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"
}

start() {
    postgres -D data -k "$PWD" -c listen_addresses= -c max_connections=50 -c shared_buffers=32MB -c fsync=off \
        -c work_mem=256kB -c max_parallel_workers_per_gather=2 -c min_parallel_table_scan_size=0 \
        -c autovacuum_naptime=1s -c jit=on -c jit_above_cost=100000 >>log 2>&1 &
    server=$!
    wait_until query -c 'SELECT 1'
}

end() {
    kill -INT "$server"
    status_of wait "$server"
}

initdb -D data --no-sync --auth=trust --locale=C.UTF-8 >initdb.log
start
pgbench --initialize --scale=2 --quiet 2>/dev/null >/dev/null
pgbench --client=$clients --jobs=2 --transactions="$transactions" --no-vacuum >bench.log 2>&1
pgbench --client=$clients --jobs=2 --transactions="$transactions" --no-vacuum --select-only --protocol=prepared --connect \
    >>bench.log 2>&1
sed -n 's/^number of transactions actually processed: //p; s/^number of failed transactions: //p' bench.log
query -c 'SELECT count(*), sum(tbalance) = (SELECT sum(bbalance) FROM pgbench_branches) FROM pgbench_tellers;
          SELECT count(*), sum(delta) = (SELECT sum(abalance) FROM pgbench_accounts) FROM pgbench_history;'
query -f "$here/postgres.sql"
query -c 'SELECT * FROM nowhere' 2>&1 || echo "query: status $?"
before=$(query -c 'SELECT md5(string_agg(a::text, chr(10) ORDER BY aid)) FROM pgbench_accounts a')
end
start
after=$(query -c 'SELECT md5(string_agg(a::text, chr(10) ORDER BY aid)) FROM pgbench_accounts a')
[[ $before == "$after" ]] && echo 'the accounts survived the restart'
pg_dump --table=word --no-owner | grep -vE '^(--|\\(un)?restrict)' | sha256sum
query -c 'VACUUM FULL ANALYZE' -c 'REINDEX DATABASE postgres'
end
grep -E 'PANIC|terminated by signal|was not properly shut down' log || echo 'no crash in the log'

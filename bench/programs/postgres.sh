#!/bin/bash
# PostgreSQL with four clients of pgbench: simple reads, small updates and larger queries, drawn with a fixed seed.
# shellcheck source-path=SCRIPTDIR
source "${0%/*}/postgres-prelude.sh"

rm -rf data
cp -a fresh data
serve "${unprivileged[@]}" postgres -D data "${options[@]}"
wait_until query -c 'SELECT 1'
must_be_preloaded

# Keeps the highest sum over the server's processes, each with its share of what they share.
watch_memory() {
    local peak=0 sum
    while sleep 0.25 && kill -0 "$server" 2>/dev/null; do
        sum=$(memory smaps_rollup Pss)
        if ((sum > peak)); then
            peak=$sum
            echo "$peak" >peak
        fi
    done
}

# The server has waited for those that have ended, so their times are part of its own.
has_no_clients() {
    local process
    for process in $(processes "$server"); do
        if grep -q "^postgres: $PGUSER " "/proc/$process/cmdline" 2>/dev/null; then
            return 1
        fi
    done
}

watch_memory &
watcher=$!
start=$(now)
pgbench --client=4 --jobs=1 --transactions=1500 --no-vacuum --random-seed=7 \
    --builtin=select-only@63 --builtin=tpcb-like@35 --file="${0%.sh}.sql@2" >load 2>errors || cat errors >&2
stop=$(now)
kill "$watcher"
wait "$watcher" || true
wait_until has_no_clients
figure time "$(since "$start" "$stop")" s
figure peak_rss "$(cat peak)" KiB
figures_of_processes

sed -n 's/^number of transactions actually processed: //p' load
query -c 'SELECT count(*) > 0, sum(delta) = (SELECT sum(abalance) FROM pgbench_accounts),
                 sum(delta) = (SELECT sum(bbalance) FROM pgbench_branches) FROM pgbench_history'
end INT
rm -rf data

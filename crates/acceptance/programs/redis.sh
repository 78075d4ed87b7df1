#!/bin/bash
# Redis: the same keys, a benchmark, saves in the foreground and by forked children, a restart from the dump.
source "${0%/*}/prelude.sh"
needs redis-server redis-cli redis-benchmark
requests=${1:-20000}

cli() {
    redis-cli -s "$PWD/socket" "$@"
}

# Starts the server in this folder. It takes no snapshots by itself.
start() {
    redis-server --port 0 --unixsocket "$PWD/socket" --dir "$PWD" --save '' --enable-debug-command local \
        --hash-max-listpack-entries 32 --appendonly no >>log 2>&1 &
    server=$!
    wait_until cli ping
}

# Waits for a child that saves or rewrites.
idle() {
    [[ $(cli info persistence | grep -cE '(bgsave|rewrite)_in_progress:1') == 0 ]]
}

end() {
    cli shutdown "$@"
    local status=0
    wait "$server" || status=$?
    echo "server: status $status"
    if grep -E 'crashed|BUG REPORT|Guru' log >&2; then
        exit 1
    fi
}

start
awk 'BEGIN {
    for (i = 0; i < 20000; i++) {
        print "SET string:" i " " sprintf("%0" (i * 7919 % 500 + 1) "d", i)
        print "HSET hash:" i % 100 " field" i " value" i
        print "ZADD sorted:" i % 50 " " i * 31 % 997 " member" i
        print "RPUSH list:" i % 70 " element" i
        print "SADD set:" i % 30 " " i
        print "APPEND long:" i % 10 " " i ","
        if (i % 3 == 0) print "DEL string:" i - i % 7
    }
}' | cli >replies
sha256sum replies
cli eval 'for i = 1, 20000 do redis.call("SETRANGE", "lua:" .. i % 300, i % 4000, "x") end return redis.call("DBSIZE")' 0
before=$(cli debug digest)
echo "filled: $before $(cli dbsize)"

redis-benchmark -s "$PWD/socket" -n "$requests" -c 50 -P 8 -r 10000 -d 200 -q \
    -t set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset >/dev/null &
benchmark=$!
for ((i = 0; i < 3; i++)); do
    cli bgsave >/dev/null
    wait_until idle
done
status_of wait "$benchmark"
cli info persistence | tr -d '\r' | grep -E 'last_(bgsave|cow)_status|rdb_last_bgsave_status'
cli config set appendonly yes
wait_until idle
cli config set appendonly no
cli --scan --pattern '*' | grep -E 'key:|mylist|myset|myhash|myzset|counter:' | xargs -n 500 redis-cli -s "$PWD/socket" unlink >/dev/null
echo "after the benchmark: $(cli debug digest) $(cli dbsize)"
cli memory purge
cli config set activedefrag no >/dev/null
cli debug reload
echo "reloaded: $(cli debug digest)"
cli save
end nosave
start
echo "restarted: $(cli debug digest) $(cli dbsize)"
[[ $(cli debug digest) == "$before" ]]
cli object encoding hash:1
cli zrange sorted:7 0 3 withscores
cli flushall
cli dbsize
end nosave

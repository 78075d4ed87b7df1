# A server with 100 MiB of data, whose child saves them slowly. The child is the one to look at.
cd "$FOLDER" || exit 1
redis-server --port 0 --unixsocket "$FOLDER/socket" --save '' --enable-debug-command yes --rdb-key-save-delay 100000 \
    --daemonize no --logfile /dev/null &
ask() { redis-cli -s "$FOLDER/socket" "$@" 2>/dev/null; }
for _ in $(seq 100); do ask ping >/dev/null && break; sleep 0.05; done
ask debug populate 100000 key 1000 >/dev/null
ask bgsave >/dev/null
for _ in $(seq 100); do
    child=$(cat /proc/$!/task/$!/children)
    [ -n "$child" ] && break
    sleep 0.05
done
sleep 0.3
echo $child
cat >/dev/null
kill -9 $child $! 2>/dev/null

# A server with 256 MiB of shared buffers. One of its processes has read a table through them, and waits for more.
export PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' ':') LC_ALL=C
chmod 777 "$FOLDER"
nobody() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi; }
nobody initdb --no-sync --auth=trust --username=me --pgdata="$FOLDER/data" >/dev/null || exit 1
nobody postgres -D "$FOLDER/data" -k "$FOLDER" -c listen_addresses= -c shared_buffers=256MB -c fsync=off 2>/dev/null &
ask() { psql -q -A -t -h "$FOLDER" -U me postgres "$@"; }
for _ in $(seq 100); do ask -c 'select 1' >/dev/null 2>&1 && break; sleep 0.1; done
ask -c 'create table t as select repeat(md5(i::text), 20) from generate_series(1, 70000) i' -c 'vacuum t' >/dev/null
mkfifo "$FOLDER/questions"
ask <"$FOLDER/questions" >"$FOLDER/answers" &
exec 9>"$FOLDER/questions"
echo 'select count(*) from t; select pg_backend_pid();' >&9
for _ in $(seq 100); do [ "$(wc -l <"$FOLDER/answers")" = 2 ] && break; sleep 0.05; done
tail -n 1 "$FOLDER/answers"
cat >/dev/null
kill -9 $(cat "$FOLDER/data/postmaster.pid" | head -n 1)

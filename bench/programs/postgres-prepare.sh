#!/bin/bash
# Prepares postgres in the current folder: a cluster with the tables of pgbench, and one more for other queries.
# shellcheck source-path=SCRIPTDIR
source "${0%/*}/postgres-prelude.sh"

"${unprivileged[@]}" initdb -D fresh -U bench --no-sync --auth=trust --locale=C.UTF-8 >/dev/null
serve_plainly "${unprivileged[@]}" postgres -D fresh "${options[@]}"
wait_until query -c 'SELECT 1'
pgbench --initialize --scale=2 --quiet >/dev/null 2>&1
query -f - <<'SQL'
CREATE TABLE event AS
SELECT i AS id, i * 7919 % 4001 AS place, i * 31 % 97 AS kind, 'event ' || md5(i::text) AS name,
       jsonb_build_object('level', i % 7, 'tags', jsonb_build_array('a' || i % 13, 'b' || i % 5)) AS detail
FROM generate_series(1, 20000) AS i;
CREATE INDEX ON event (id);
CREATE INDEX ON event (place);
ANALYZE;
CHECKPOINT;
SQL
end INT >/dev/null

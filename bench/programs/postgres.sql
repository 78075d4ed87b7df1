-- One transaction of the mixed load: plans, sorts, hash tables, text, JSON and a function, all of modest size.
\set place random(1, 4000)
\set low random(1, 15000)
SELECT kind, count(*), max(name), string_agg(substr(name, 7, 4), ',' ORDER BY id) FROM event
WHERE id BETWEEN :low AND :low + 2500 GROUP BY kind ORDER BY count(*) DESC, kind LIMIT 10;
SELECT a.id, b.id, a.name || b.name FROM event AS a JOIN event AS b ON a.place = b.place AND a.id < b.id
WHERE a.place BETWEEN :place AND :place + 20 ORDER BY 3;
SELECT detail ->> 'level' AS level, jsonb_agg(detail -> 'tags' ORDER BY id) FROM event
WHERE id BETWEEN :low AND :low + 400 GROUP BY 1;
WITH RECURSIVE way(id, depth, names) AS (
    SELECT id, 1, ARRAY[name] FROM event WHERE place = :place
    UNION ALL
    SELECT e.id, depth + 1, names || e.name FROM way JOIN event AS e ON e.id = way.id / 2 WHERE way.id > 1
) SELECT max(depth), max(array_length(names, 1)), count(DISTINCT names) FROM way;
DO $$
DECLARE
    found record;
    text text := '';
BEGIN
    FOR found IN SELECT id, name FROM event WHERE id <= 150 LOOP
        text := text || replace(found.name, 'a', '-') || found.id;
        IF length(text) > 2000 THEN
            text := upper(left(text, 100));
        END IF;
    END LOOP;
END $$;

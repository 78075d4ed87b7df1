-- Sorts and hashes that spill, parallel plans, text search, JSON, functions, cursors, errors that are caught.
CREATE TABLE word AS SELECT i AS id, md5(i::text) AS digest, i * 7919 % 1009 AS bucket FROM generate_series(1, 60000) i;
CREATE INDEX ON word (digest);
CREATE INDEX ON word USING gin (to_tsvector('simple', digest));
ANALYZE word;
SELECT count(*), min(digest), max(digest) FROM word;
SELECT md5(string_agg(digest, ',' ORDER BY digest DESC, id)) FROM word;
SELECT a.bucket, count(*) FROM word a JOIN word b ON a.bucket = b.bucket AND a.id < b.id GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3;
SELECT count(DISTINCT left(digest, 4)) FROM word;
SELECT sum(rank) FROM (SELECT rank() OVER (PARTITION BY bucket ORDER BY digest) FROM word) ranks;
SELECT md5(json_agg(row_to_json(w) ORDER BY id)::text) FROM word w WHERE id < 5000;
SELECT count(*) FROM word WHERE digest ~ '^[0-9]{4}.*(ab|cd)+$';
SELECT count(*) FROM word WHERE to_tsvector('simple', digest) @@ to_tsquery('simple', 'c4ca4238a0b923820dcc509a6f75849b');
WITH RECURSIVE tree(n, path) AS (
    SELECT 1, '1' UNION ALL SELECT n * 2 + k, path || '.' || k FROM tree, generate_series(0, 1) k WHERE n < 4096
) SELECT count(*), md5(string_agg(path, ',' ORDER BY path)) FROM tree;
CREATE FUNCTION attempts(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE failed int := 0;
BEGIN
    FOR i IN 1..n LOOP
        BEGIN
            PERFORM 1 / (i % 3);
        EXCEPTION WHEN division_by_zero THEN failed := failed + 1;
        END;
    END LOOP;
    RETURN failed;
END $$;
SELECT attempts(3000);
BEGIN;
DECLARE few CURSOR FOR SELECT digest FROM word ORDER BY digest;
MOVE 30000 FROM few;
FETCH 2 FROM few;
SAVEPOINT here;
DELETE FROM word WHERE id % 2 = 0;
ROLLBACK TO here;
COMMIT;
SELECT length(string_agg(repeat(digest, 20), '')) FROM word WHERE id < 20000;

-- A database in memory: inserts, indexes, joins, windows, aggregates, text and JSON, updates and deletes.
.bail on
PRAGMA temp_store = MEMORY;
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT NOT NULL);
CREATE TABLE item (id INTEGER PRIMARY KEY, label TEXT NOT NULL, price INTEGER NOT NULL);
CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, item INTEGER NOT NULL, day INTEGER,
                       note TEXT);

BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
INSERT INTO customer SELECT i, printf('customer %06d', i * 7919 % 10007), 'town ' || (i * 31 % 97) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
INSERT INTO item SELECT i, 'item ' || hex(i * 2654435761 % 4294967296), i * 131 % 9973 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 160000)
INSERT INTO purchase
SELECT i, i * 7877 % 10000 + 1, i * 1231 % 3000 + 1, i * 17 % 365,
       substr('a note of some length, cut somewhere', 1, i % 36)
FROM n;
COMMIT;
CREATE INDEX purchase_customer ON purchase (customer, day);
CREATE INDEX purchase_item ON purchase (item);
CREATE UNIQUE INDEX customer_name ON customer (name, id);

SELECT town, count(*), sum(price) FROM purchase JOIN customer ON customer.id = customer JOIN item ON item.id = item
GROUP BY town ORDER BY 3 DESC LIMIT 5;
SELECT sum(running % 1009) FROM
    (SELECT sum(item) OVER (PARTITION BY customer ORDER BY day, id) AS running FROM purchase);
SELECT count(*), max(length(notes)) FROM (SELECT group_concat(note, ';') AS notes FROM purchase GROUP BY customer);
SELECT sum(json_extract(document, '$.day')), max(length(document)) FROM
    (SELECT json_object('id', id, 'day', day, 'note', note, 'list', json_array(item, customer)) AS document
     FROM purchase WHERE id % 2 = 0);
SELECT count(DISTINCT note || day), count(DISTINCT customer * 1000 + day) FROM purchase;

-- A table without an index, so the join sorts or builds one.
CREATE TABLE word AS
SELECT id, upper(replace(note, ' ', '-')) || (id % 5000) AS word FROM purchase WHERE length(note) > 9;
SELECT count(*), sum(a.id < b.id) FROM word AS a JOIN word AS b ON a.word = b.word;
SELECT count(*) FROM word WHERE word LIKE '%LENGTH%' AND word GLOB '*1*';

BEGIN;
UPDATE purchase SET note = note || printf(' %08x', id), day = day + 1 WHERE id % 3 = 0;
DELETE FROM purchase WHERE id % 5 = 0;
UPDATE customer SET name = name || ' the second' WHERE id IN (SELECT customer FROM purchase WHERE day > 360);
COMMIT;
SELECT count(*), sum(length(note)), sum(day) FROM purchase;
SELECT count(*) FROM customer WHERE name LIKE '%second';
VACUUM;
PRAGMA integrity_check;

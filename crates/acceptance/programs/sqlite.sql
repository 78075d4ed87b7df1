-- Tables, indexes, joins, triggers, windows, full text, transactions, savepoints, vacuum, checks.
.bail on
PRAGMA journal_mode = WAL;
PRAGMA cache_size = 200;
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL, town INTEGER, born INTEGER, notes BLOB);
CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT UNIQUE, people INTEGER DEFAULT 0);
CREATE TABLE audit (what TEXT, id INTEGER);
CREATE TRIGGER moved AFTER UPDATE OF town ON person BEGIN
    INSERT INTO audit VALUES ('moved', new.id);
    UPDATE town SET people = people + 1 WHERE id = new.town;
END;
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
    INSERT INTO town (id, name) SELECT i, 'town ' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
    INSERT INTO person SELECT i, printf('name %x', i * 7919 % 60013), i * 31 % 500 + 1, 1900 + i % 120,
        zeroblob(i % 300) FROM n;
COMMIT;
CREATE INDEX person_town ON person (town, born);
CREATE INDEX person_name ON person (name COLLATE NOCASE);
ANALYZE;
SELECT count(*), sum(length(notes)), min(name), max(name) FROM person;
SELECT t.name, count(*), avg(p.born) FROM person p JOIN town t ON t.id = p.town
    GROUP BY t.id HAVING count(*) > 119 ORDER BY 2 DESC, 1 LIMIT 7;
SELECT a.name, b.name FROM person a JOIN person b ON a.town = b.town AND a.born = b.born AND a.id < b.id
    ORDER BY a.id, b.id LIMIT 5;
SELECT id, born, rank() OVER w, sum(id) OVER w FROM person WHERE town = 7
    WINDOW w AS (PARTITION BY born % 3 ORDER BY id) ORDER BY id LIMIT 6;
SELECT length(group_concat(name, ',')) FROM (SELECT name FROM person ORDER BY notes, name DESC);
SELECT json_group_array(json_object('id', id, 'name', name)) FROM (SELECT * FROM person WHERE id < 6 ORDER BY id);
BEGIN;
UPDATE person SET town = town % 500 + 1 WHERE id % 3 = 0;
SAVEPOINT here;
DELETE FROM person WHERE id % 2 = 0;
SELECT count(*) FROM person;
ROLLBACK TO here;
SELECT count(*) FROM person;
COMMIT;
SELECT count(*), sum(id) FROM audit;
SELECT sum(people) FROM town;
CREATE VIRTUAL TABLE page USING fts5(body);
INSERT INTO page SELECT name || ' of ' || town || ' born ' || born FROM person WHERE id < 20000;
SELECT count(*) FROM page WHERE page MATCH 'born AND 1950';
DELETE FROM person WHERE born < 1950;
VACUUM;
PRAGMA integrity_check;
PRAGMA foreign_key_check;
SELECT count(*), sum(id * 31 + born) FROM person;
.mode csv
.once dump.csv
SELECT * FROM person ORDER BY id;
.import dump.csv copy
SELECT count(*) FROM copy;

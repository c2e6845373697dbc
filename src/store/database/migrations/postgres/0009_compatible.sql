-- From which schema on a program may use this database, and which one brought it up to date last. A step
-- that programs before it cannot live with raises the first.
CREATE TABLE ringway_schema (compatible_from BIGINT NOT NULL, migrated_by TEXT NOT NULL);
INSERT INTO ringway_schema VALUES (9, '');

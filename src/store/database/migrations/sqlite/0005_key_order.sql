-- SQLite compares texts byte by byte already; here is the step of PostgreSQL's number.
SELECT 1;

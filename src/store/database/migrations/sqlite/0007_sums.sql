CREATE TABLE spent_month (
    month  INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    key_id TEXT NOT NULL,
    nanos  INTEGER NOT NULL,
    PRIMARY KEY (month, tenant, key_id)
) STRICT, WITHOUT ROWID;

INSERT INTO spent_month (month, tenant, key_id, nanos)
SELECT
    (strftime('%Y', second, 'unixepoch') - 1970) * 12 + strftime('%m', second, 'unixepoch') - 1,
    tenant,
    key_id,
    CAST(MIN(TOTAL(nanos), 4000000000000000000) AS INTEGER)
FROM (
    SELECT MIN(MAX(day, 0), 2932896) * 86400 AS second, tenant, key_id, nanos
    FROM spent
    WHERE day > CAST(strftime('%s', 'now') AS INTEGER) / 86400 - 70
)
GROUP BY 1, 2, 3;

CREATE TABLE drained (
    journal BLOB PRIMARY KEY NOT NULL,
    segment INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    time    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

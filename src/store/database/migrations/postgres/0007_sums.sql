CREATE TABLE spent_month (
    month  BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    key_id TEXT NOT NULL,
    nanos  BIGINT NOT NULL,
    PRIMARY KEY (month, tenant, key_id)
);

LOCK TABLE spent IN SHARE MODE;

INSERT INTO spent_month (month, tenant, key_id, nanos)
SELECT
    ((EXTRACT(YEAR FROM date) - 1970) * 12 + EXTRACT(MONTH FROM date) - 1)::BIGINT,
    tenant,
    key_id,
    LEAST(SUM(nanos), 4000000000000000000)::BIGINT
FROM (
    SELECT DATE '1970-01-01' + LEAST(GREATEST(day, 0), 2932896)::INT AS date, tenant, key_id, nanos
    FROM spent
    WHERE day > CURRENT_DATE - DATE '1970-01-01' - 70
) AS dated
GROUP BY 1, 2, 3;

CREATE TABLE drained (
    journal BYTEA PRIMARY KEY,
    segment BIGINT NOT NULL,
    bytes   BIGINT NOT NULL,
    time    BIGINT NOT NULL
);

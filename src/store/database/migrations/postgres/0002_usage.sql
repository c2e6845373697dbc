CREATE TABLE usage (
    id             BYTEA PRIMARY KEY,
    time           BIGINT NOT NULL,
    tenant         TEXT,
    key_id         TEXT,
    operation      TEXT,
    model_asked    TEXT,
    model_sent     TEXT,
    model_answered TEXT,
    provider       TEXT,
    tier           TEXT,
    outcome        TEXT,
    input          BIGINT,
    cached         BIGINT,
    cache_write    BIGINT,
    output         BIGINT,
    reasoning      BIGINT,
    cost_nanos     BIGINT,
    charged_nanos  BIGINT,
    estimated      BIGINT NOT NULL,
    record         TEXT NOT NULL
);

CREATE INDEX usage_by_time ON usage (time, id);
CREATE INDEX usage_by_tenant ON usage (tenant, time, id);

CREATE TABLE spent (
    day    BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    key_id TEXT NOT NULL,
    nanos  BIGINT NOT NULL,
    PRIMARY KEY (day, tenant, key_id)
);

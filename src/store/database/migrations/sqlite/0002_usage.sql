CREATE TABLE usage (
    id             BLOB PRIMARY KEY NOT NULL,
    time           INTEGER NOT NULL,
    tenant         TEXT,
    key_id         TEXT,
    operation      TEXT,
    model_asked    TEXT,
    model_sent     TEXT,
    model_answered TEXT,
    provider       TEXT,
    tier           TEXT,
    outcome        TEXT,
    input          INTEGER,
    cached         INTEGER,
    cache_write    INTEGER,
    output         INTEGER,
    reasoning      INTEGER,
    cost_nanos     INTEGER,
    charged_nanos  INTEGER,
    estimated      INTEGER NOT NULL,
    record         TEXT NOT NULL
) STRICT;

CREATE INDEX usage_by_time ON usage (time);
CREATE INDEX usage_by_tenant ON usage (tenant, time);

CREATE TABLE spent (
    day    INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    key_id TEXT NOT NULL,
    nanos  INTEGER NOT NULL,
    PRIMARY KEY (day, tenant, key_id)
) STRICT, WITHOUT ROWID;

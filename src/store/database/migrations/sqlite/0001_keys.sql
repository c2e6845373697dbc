CREATE TABLE tenants (
    name    TEXT PRIMARY KEY NOT NULL,
    rules   TEXT NOT NULL DEFAULT '{}',
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE keys (
    id           TEXT PRIMARY KEY NOT NULL,
    tenant       TEXT NOT NULL REFERENCES tenants (name),
    name         TEXT NOT NULL DEFAULT '',
    digest       BLOB NOT NULL UNIQUE,
    former       BLOB UNIQUE,
    former_until INTEGER,
    rules        TEXT NOT NULL DEFAULT '{}',
    created      INTEGER NOT NULL,
    expires      INTEGER,
    revoked      INTEGER
) STRICT;

CREATE INDEX keys_by_tenant ON keys (tenant, id);

CREATE TABLE tenants (
    name    TEXT PRIMARY KEY,
    rules   TEXT NOT NULL DEFAULT '{}',
    created BIGINT NOT NULL
);

CREATE TABLE keys (
    id           TEXT PRIMARY KEY,
    tenant       TEXT NOT NULL REFERENCES tenants (name),
    name         TEXT NOT NULL DEFAULT '',
    digest       BYTEA NOT NULL UNIQUE,
    former       BYTEA UNIQUE,
    former_until BIGINT,
    rules        TEXT NOT NULL DEFAULT '{}',
    created      BIGINT NOT NULL,
    expires      BIGINT,
    revoked      BIGINT
);

CREATE INDEX keys_by_tenant ON keys (tenant, id);

CREATE FUNCTION ringway_keys_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY ringway_keys;
    RETURN NULL;
END
$$;

CREATE TRIGGER keys_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON keys
    FOR EACH STATEMENT EXECUTE FUNCTION ringway_keys_changed();
CREATE TRIGGER tenants_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenants
    FOR EACH STATEMENT EXECUTE FUNCTION ringway_keys_changed();

-- Which keys and tenants have changed, for gateways that read these rows alone. `txid` orders them: whoever
-- has seen a snapshot has seen every change of transactions below its xmin.
CREATE TABLE changes (
    at   BIGSERIAL PRIMARY KEY,
    txid BIGINT NOT NULL DEFAULT txid_current(),
    kind TEXT NOT NULL,
    id   TEXT NOT NULL
);
CREATE INDEX changes_by_txid ON changes (txid);
-- The highest transaction whose changes were removed from the table.
CREATE TABLE changes_removed (txid BIGINT NOT NULL);
INSERT INTO changes_removed VALUES (0);

-- With the rights of the owner: who may change keys need not be allowed anything here.
CREATE FUNCTION ringway_key_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO changes (kind, id) VALUES ('key', NEW.id);
        RETURN NULL;
    END IF;
    INSERT INTO changes (kind, id) VALUES ('key', OLD.id);
    IF TG_OP = 'UPDATE' THEN
        IF NEW.id <> OLD.id THEN
            INSERT INTO changes (kind, id) VALUES ('key', NEW.id);
        END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION ringway_tenant_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO changes (kind, id) VALUES ('tenant', NEW.name);
        RETURN NULL;
    END IF;
    INSERT INTO changes (kind, id) VALUES ('tenant', OLD.name);
    IF TG_OP = 'UPDATE' THEN
        IF NEW.name <> OLD.name THEN
            INSERT INTO changes (kind, id) VALUES ('tenant', NEW.name);
        END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION ringway_all_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO changes (kind, id) VALUES ('all', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER key_changed AFTER INSERT OR UPDATE OR DELETE ON keys
    FOR EACH ROW EXECUTE FUNCTION ringway_key_changed();
CREATE TRIGGER tenant_changed AFTER INSERT OR UPDATE OR DELETE ON tenants
    FOR EACH ROW EXECUTE FUNCTION ringway_tenant_changed();
CREATE TRIGGER all_keys_changed AFTER TRUNCATE ON keys
    FOR EACH STATEMENT EXECUTE FUNCTION ringway_all_changed();
CREATE TRIGGER all_tenants_changed AFTER TRUNCATE ON tenants
    FOR EACH STATEMENT EXECUTE FUNCTION ringway_all_changed();

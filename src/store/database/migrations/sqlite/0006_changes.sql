-- Which keys and tenants have changed, for gateways that read these rows alone. Writers follow each other, so
-- `at` stands in the order of commits, without gaps.
CREATE TABLE changes (
    at   INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id   TEXT NOT NULL
) STRICT;

CREATE TRIGGER changes_kept AFTER INSERT ON changes BEGIN
    DELETE FROM changes WHERE at <= NEW.at - 10000;
END;

CREATE TRIGGER key_added AFTER INSERT ON keys BEGIN
    INSERT INTO changes (kind, id) VALUES ('key', NEW.id);
END;
CREATE TRIGGER key_changed AFTER UPDATE ON keys BEGIN
    INSERT INTO changes (kind, id) VALUES ('key', OLD.id);
    INSERT INTO changes (kind, id) SELECT 'key', NEW.id WHERE NEW.id <> OLD.id;
END;
CREATE TRIGGER key_removed AFTER DELETE ON keys BEGIN
    INSERT INTO changes (kind, id) VALUES ('key', OLD.id);
END;

CREATE TRIGGER tenant_added AFTER INSERT ON tenants BEGIN
    INSERT INTO changes (kind, id) VALUES ('tenant', NEW.name);
END;
CREATE TRIGGER tenant_changed AFTER UPDATE ON tenants BEGIN
    INSERT INTO changes (kind, id) VALUES ('tenant', OLD.name);
    INSERT INTO changes (kind, id) SELECT 'tenant', NEW.name WHERE NEW.name <> OLD.name;
END;
CREATE TRIGGER tenant_removed AFTER DELETE ON tenants BEGIN
    INSERT INTO changes (kind, id) VALUES ('tenant', OLD.name);
END;

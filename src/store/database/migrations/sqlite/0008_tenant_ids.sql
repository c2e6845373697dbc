-- A tenant that was there before keeps its name for an id, so that no record and no sum has to be written
-- again. Every other one gets an id that no tenant had.
ALTER TABLE tenants ADD COLUMN id TEXT;
UPDATE tenants SET id = name;
CREATE UNIQUE INDEX tenants_by_id ON tenants (id);

CREATE TRIGGER tenants_get_ids AFTER INSERT ON tenants WHEN NEW.id IS NULL
BEGIN
    UPDATE tenants SET id = 'tn_' || lower(hex(randomblob(8))) WHERE name = NEW.name;
END;

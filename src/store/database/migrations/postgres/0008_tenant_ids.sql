-- A tenant that was there before keeps its name for an id, so that no record and no sum has to be written
-- again. Every other one gets an id that no tenant had.
ALTER TABLE tenants ADD COLUMN id TEXT COLLATE "C";
UPDATE tenants SET id = name;
ALTER TABLE tenants
    ALTER COLUMN id SET DEFAULT 'tn_' || left(replace(gen_random_uuid()::text, '-', ''), 12)
                                      || right(gen_random_uuid()::text, 4),
    ALTER COLUMN id SET NOT NULL;
CREATE UNIQUE INDEX tenants_by_id ON tenants (id);

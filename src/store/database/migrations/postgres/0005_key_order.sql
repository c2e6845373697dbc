-- Ids and names stand in the order of their bytes, whatever the locale of the database is: pages are read
-- along these indexes, and merged with what the configuration says.
ALTER TABLE tenants ALTER COLUMN name TYPE TEXT COLLATE "C";
ALTER TABLE keys ALTER COLUMN id TYPE TEXT COLLATE "C", ALTER COLUMN tenant TYPE TEXT COLLATE "C";

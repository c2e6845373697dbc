-- Concurrently: records are written while indexes over millions of them are made. One that was left unfinished
-- is in the way of another of its name.
DROP INDEX CONCURRENTLY IF EXISTS usage_by_key;
CREATE INDEX CONCURRENTLY usage_by_key ON usage (key_id, time, id);
DROP INDEX CONCURRENTLY IF EXISTS usage_by_model_asked;
CREATE INDEX CONCURRENTLY usage_by_model_asked ON usage (model_asked, tenant, time, id);
DROP INDEX CONCURRENTLY IF EXISTS usage_by_model_sent;
CREATE INDEX CONCURRENTLY usage_by_model_sent ON usage (model_sent, tenant, time, id)
    WHERE model_sent IS DISTINCT FROM model_asked;

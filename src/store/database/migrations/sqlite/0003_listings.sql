CREATE INDEX usage_by_key ON usage (key_id, time);
CREATE INDEX usage_by_model_asked ON usage (model_asked, tenant, time);
CREATE INDEX usage_by_model_sent ON usage (model_sent, tenant, time)
    WHERE model_sent IS DISTINCT FROM model_asked;

-- What a token made and owns: tokens, webhook endpoints. Who takes its place once it is revoked. The query of a webhook address,
-- which often is a secret, is sealed; the address says that there is one.
ALTER TABLE api_tokens ADD COLUMN parent_id TEXT;
ALTER TABLE api_tokens ADD COLUMN successor_id TEXT;
ALTER TABLE webhook_endpoints ADD COLUMN token_id TEXT;
ALTER TABLE webhook_endpoints ADD COLUMN sealed_query TEXT;
CREATE INDEX webhook_endpoints_token ON webhook_endpoints (token_id);

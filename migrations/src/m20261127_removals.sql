-- The removal of a conversation from its inbox on the site.
ALTER TABLE threads ADD COLUMN removal_state TEXT;
ALTER TABLE threads ADD COLUMN removal_number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE threads ADD COLUMN removal_hash TEXT;
ALTER TABLE threads ADD COLUMN removal_reason TEXT;
ALTER TABLE threads ADD COLUMN removal_message TEXT;
ALTER TABLE threads ADD COLUMN removal_time BIGINT;

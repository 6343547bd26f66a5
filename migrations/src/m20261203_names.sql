-- Renames tables and columns to the terms of the glossary, for example owners to workspaces and composers to
-- listing_form_sessions. Keys in JSON columns are renamed by their quoted form. Inside a JSON string these quotes are
-- escaped, so text that a person wrote never matches. The revision of a publish job is not changed, because its hash was
-- confirmed. The table instance is not changed either, because an older program reads it first to detect that it is too
-- old.
ALTER TABLE owners RENAME TO workspaces;
ALTER TABLE api_tokens RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE accounts RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE photos RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE listings RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE publish_jobs RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE jobs RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE effects RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE requests RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE event_heads RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE events RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE sessions RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE wardrobe_imports RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE people RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE threads RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE thread_labels RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE messages RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE replies RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE templates RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE search_indexes RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE webhook_endpoints RENAME COLUMN owner_id TO workspace_id;
ALTER TABLE webhook_deliveries RENAME COLUMN owner_id TO workspace_id;

-- If two indexes fit equally, SQLite prefers the newer one, so the indexes of a table are recreated in their old order.
DROP INDEX api_tokens_owner;
CREATE INDEX api_tokens_workspace ON api_tokens (workspace_id, create_time, id);
DROP INDEX accounts_owner;
CREATE INDEX accounts_workspace ON accounts (workspace_id, create_time, id);
DROP INDEX photos_owner;
CREATE INDEX photos_workspace ON photos (workspace_id, create_time, id);
DROP INDEX listings_owner;
DROP INDEX listings_account;
DROP INDEX listings_state;
CREATE INDEX listings_workspace ON listings (workspace_id, create_time DESC, id DESC);
CREATE INDEX listings_account ON listings (workspace_id, account_id, create_time DESC, id DESC);
CREATE INDEX listings_state ON listings (workspace_id, state, create_time DESC, id DESC);
DROP INDEX publish_jobs_owner;
CREATE INDEX publish_jobs_workspace ON publish_jobs (workspace_id, create_time DESC, id DESC);
DROP INDEX threads_owner;
DROP INDEX threads_account;
DROP INDEX threads_archived;
DROP INDEX threads_unread;
DROP INDEX threads_waiting;
DROP INDEX threads_offer;
DROP INDEX threads_snoozed;
CREATE INDEX threads_workspace ON threads (workspace_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND NOT archived;
CREATE INDEX threads_account ON threads (workspace_id, account_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND NOT archived;
CREATE INDEX threads_archived ON threads (workspace_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND archived;
CREATE INDEX threads_unread ON threads (workspace_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND unread;
CREATE INDEX threads_waiting ON threads (workspace_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND waiting_for_me;
CREATE INDEX threads_offer ON threads (workspace_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND has_offer;
CREATE INDEX threads_snoozed ON threads (workspace_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND snooze_until IS NOT NULL;
DROP INDEX thread_labels_owner;
CREATE INDEX thread_labels_workspace ON thread_labels (workspace_id, label);
DROP INDEX replies_owner;
DROP INDEX replies_open;
CREATE INDEX replies_workspace ON replies (workspace_id, create_time DESC, id DESC);
CREATE INDEX replies_open ON replies (workspace_id, id) WHERE end_time IS NULL;
DROP INDEX webhook_endpoints_owner;
CREATE INDEX webhook_endpoints_workspace ON webhook_endpoints (workspace_id, create_time DESC, id DESC);
DROP INDEX webhook_deliveries_owner;
CREATE INDEX webhook_deliveries_workspace ON webhook_deliveries (workspace_id, create_time DESC, id DESC);

ALTER TABLE composers RENAME TO listing_form_sessions;
DROP INDEX composers_job;
CREATE INDEX listing_form_sessions_job ON listing_form_sessions (publish_job_id);
DROP INDEX composers_open;
CREATE INDEX listing_form_sessions_open ON listing_form_sessions (account_id) WHERE state = 'OPEN';
UPDATE listing_form_sessions SET identity = REPLACE(identity, '"owner":', '"worker":');
ALTER TABLE effects RENAME COLUMN composer_id TO form_session_id;
ALTER TABLE effects RENAME COLUMN seen TO remote_snapshot;
ALTER TABLE publish_jobs RENAME COLUMN hand_over TO manual_takeover;
ALTER TABLE publish_jobs RENAME COLUMN needs_manual TO requires_action;
ALTER TABLE replies RENAME COLUMN needs_manual TO requires_action;
ALTER TABLE accounts RENAME COLUMN quiet_until TO cooldown_until;
ALTER TABLE listings RENAME COLUMN remote_seen TO remote_snapshot;
ALTER TABLE search_indexes RENAME COLUMN place TO position;
ALTER TABLE move_positions RENAME COLUMN place TO position;

DROP INDEX effects_open_publish;
UPDATE effects SET kind = 'MANUAL_TAKEOVER' WHERE kind = 'HAND_OVER';
CREATE UNIQUE INDEX effects_open_publish ON effects (account_id)
    WHERE kind IN ('PUBLISH', 'MANUAL_TAKEOVER') AND state IN ('INTENDED', 'UNCONFIRMED');
-- The program compares these two notes: they decide whether a reply is sent again.
UPDATE effects SET note = 'no effect observed on the site' WHERE note = 'the site shows nothing of it';
UPDATE effects SET note = 'no effect observed in the first reading after the settling window'
    WHERE note = 'nothing of it in the first reading after the settling window';
UPDATE schedules SET id = 'effect_watch' WHERE id = 'ledger_watch';
UPDATE publish_steps SET step = 'FORM_SESSION_STARTED' WHERE step = 'COMPOSER_STARTED';
UPDATE publish_jobs SET state = 'MANUAL_TAKEOVER' WHERE state = 'HANDED_OVER';
UPDATE webhook_endpoints SET event_types = REPLACE(event_types, '"publish_job_handed_over"', '"publish_job_manual_takeover"');
UPDATE webhook_deliveries SET event_type = 'publish_job_manual_takeover' WHERE event_type = 'publish_job_handed_over';

UPDATE publish_jobs SET reason = 'MANUAL_TAKEOVER' WHERE reason = 'HANDED_OVER';
UPDATE publish_jobs SET reason = 'SITE_RESPONSE_UNEXPECTED' WHERE reason = 'SITE_CHANGED';
UPDATE publish_jobs SET reason = 'REMOTE_ITEM_ALREADY_LINKED' WHERE reason = 'REMOTE_ITEM_TAKEN';
UPDATE publish_jobs SET reason = 'SESSION_MEMBER_MISMATCH' WHERE reason = 'SESSION_OTHER_MEMBER';
UPDATE publish_jobs SET wait_reason = 'BACKOFF' WHERE wait_reason = 'BACK_OFF';
UPDATE replies SET reason = 'SITE_RESPONSE_UNEXPECTED' WHERE reason = 'SITE_CHANGED';
UPDATE replies SET reason = 'SESSION_MEMBER_MISMATCH' WHERE reason = 'SESSION_OTHER_MEMBER';
UPDATE threads SET removal_reason = 'SITE_RESPONSE_UNEXPECTED' WHERE removal_reason = 'SITE_CHANGED';
UPDATE threads SET removal_reason = 'SESSION_MEMBER_MISMATCH' WHERE removal_reason = 'SESSION_OTHER_MEMBER';
UPDATE accounts SET pause_reason = 'SITE_RESPONSE_UNEXPECTED' WHERE pause_reason = 'SITE_CHANGED';
UPDATE accounts SET pause_reason = 'SESSION_MEMBER_MISMATCH' WHERE pause_reason = 'SESSION_OTHER_MEMBER';
UPDATE sessions SET reason = 'SESSION_MEMBER_MISMATCH' WHERE reason = 'SESSION_OTHER_MEMBER';
UPDATE wardrobe_imports SET reason = 'SITE_RESPONSE_UNEXPECTED' WHERE reason = 'SITE_CHANGED';
UPDATE wardrobe_imports SET reason = 'SESSION_MEMBER_MISMATCH' WHERE reason = 'SESSION_OTHER_MEMBER';
UPDATE inbox_syncs SET late_reason = 'SITE_RESPONSE_UNEXPECTED' WHERE late_reason = 'SITE_CHANGED';
UPDATE inbox_syncs SET late_reason = 'SESSION_MEMBER_MISMATCH' WHERE late_reason = 'SESSION_OTHER_MEMBER';
UPDATE jobs SET outcome = REPLACE(REPLACE(outcome, '"reason":"SITE_CHANGED"', '"reason":"SITE_RESPONSE_UNEXPECTED"'),
    '"reason":"SESSION_OTHER_MEMBER"', '"reason":"SESSION_MEMBER_MISMATCH"') WHERE outcome IS NOT NULL;

UPDATE listings SET remote_differences = REPLACE(REPLACE(remote_differences, '"here":', '"local":'), '"there":', '"remote":')
    WHERE remote_differences <> '[]';
UPDATE listings SET remote_snapshot = REPLACE(REPLACE(REPLACE(remote_snapshot, '"pairing":', '"photo_mapping":'),
    '"there":', '"remote_photo_ids":'), '"here":', '"photo_ids":') WHERE remote_snapshot IS NOT NULL;
-- One pass rewrites the log, because each pass writes every row again.
UPDATE events SET kind = REPLACE(kind, 'PUBLISH_JOB_HANDED_OVER', 'PUBLISH_JOB_MANUAL_TAKEOVER'),
    payload = REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(payload,
    '"owner_id":', '"workspace_id":'),
    '"needs_manual":', '"requires_action":'),
    '"hand_over":', '"manual_takeover":'),
    '"quiet_until":', '"cooldown_until":'),
    '"here":', '"local":'),
    '"there":', '"remote":'),
    '"wait_reason":"BACK_OFF"', '"wait_reason":"BACKOFF"'),
    '"state":"HANDED_OVER"', '"state":"MANUAL_TAKEOVER"'),
    'reason":"HANDED_OVER"', 'reason":"MANUAL_TAKEOVER"'),
    'reason":"SITE_CHANGED"', 'reason":"SITE_RESPONSE_UNEXPECTED"'),
    'reason":"REMOTE_ITEM_TAKEN"', 'reason":"REMOTE_ITEM_ALREADY_LINKED"'),
    'reason":"SESSION_OTHER_MEMBER"', 'reason":"SESSION_MEMBER_MISMATCH"');
UPDATE webhook_deliveries SET body =
    REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(body,
    '"type":"publish_job_handed_over"', '"type":"publish_job_manual_takeover"'),
    '"kind":"PUBLISH_JOB_HANDED_OVER"', '"kind":"PUBLISH_JOB_MANUAL_TAKEOVER"'),
    '"needs_manual":', '"requires_action":'),
    '"hand_over":', '"manual_takeover":'),
    '"quiet_until":', '"cooldown_until":'),
    '"here":', '"local":'),
    '"there":', '"remote":'),
    '"wait_reason":"BACK_OFF"', '"wait_reason":"BACKOFF"'),
    '"state":"HANDED_OVER"', '"state":"MANUAL_TAKEOVER"'),
    'reason":"HANDED_OVER"', 'reason":"MANUAL_TAKEOVER"'),
    'reason":"SITE_CHANGED"', 'reason":"SITE_RESPONSE_UNEXPECTED"'),
    'reason":"REMOTE_ITEM_TAKEN"', 'reason":"REMOTE_ITEM_ALREADY_LINKED"'),
    'reason":"SESSION_OTHER_MEMBER"', 'reason":"SESSION_MEMBER_MISMATCH"')
    WHERE resource_type IN ('PUBLISH_JOB', 'REPLY', 'ACCOUNT', 'THREAD', 'LISTING', 'WARDROBE_IMPORT');
UPDATE events SET payload = REPLACE(payload, '"publish_job_handed_over"', '"publish_job_manual_takeover"')
    WHERE resource_type = 'WEBHOOK_ENDPOINT';
UPDATE webhook_deliveries SET body = REPLACE(body, '"publish_job_handed_over"', '"publish_job_manual_takeover"')
    WHERE resource_type = 'WEBHOOK_ENDPOINT';

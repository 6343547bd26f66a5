-- Sessions, wardrobe imports, changes of published items, schedules, windows handed over, and the film strip.
CREATE TABLE sessions (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    site TEXT NOT NULL,
    slot TEXT NOT NULL,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    state TEXT NOT NULL,
    generation BIGINT NOT NULL,
    sealed TEXT NOT NULL,
    cookie_names TEXT NOT NULL,
    member_id TEXT,
    member_login TEXT,
    reason TEXT,
    message TEXT,
    import_time BIGINT NOT NULL,
    check_time BIGINT,
    refresh_time BIGINT,
    expire_time BIGINT,
    refresh_started BIGINT,
    refresh_holder TEXT,
    retried BOOLEAN NOT NULL,
    job_id TEXT,
    PRIMARY KEY (account_id, site, slot)
);
ALTER TABLE accounts ADD COLUMN session TEXT;
CREATE TABLE wardrobe_imports (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    state TEXT NOT NULL,
    total BIGINT NOT NULL,
    done BIGINT NOT NULL,
    created BIGINT NOT NULL,
    differing BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    problems TEXT NOT NULL,
    reason TEXT,
    message TEXT,
    create_time BIGINT NOT NULL,
    end_time BIGINT,
    sequence BIGINT NOT NULL
);
CREATE INDEX wardrobe_imports_account ON wardrobe_imports (owner_id, account_id, create_time DESC);
ALTER TABLE accounts ADD COLUMN quiet_until BIGINT;
ALTER TABLE listings ADD COLUMN remote_seen TEXT;
ALTER TABLE listings ADD COLUMN remote_differences TEXT NOT NULL DEFAULT '[]';
ALTER TABLE listings ADD COLUMN remote_read_time BIGINT;
ALTER TABLE publish_jobs ADD COLUMN kind TEXT NOT NULL DEFAULT 'PUBLISH';
ALTER TABLE publish_jobs ADD COLUMN schedule_time BIGINT;
ALTER TABLE publish_jobs ADD COLUMN hand_over BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE publish_jobs ADD COLUMN changes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE publish_steps ADD COLUMN selector TEXT;
ALTER TABLE publish_steps ADD COLUMN thumbnail_key TEXT;
DROP INDEX effects_open_publish;
CREATE UNIQUE INDEX effects_open_publish ON effects (account_id)
    WHERE kind IN ('PUBLISH', 'HAND_OVER') AND state IN ('INTENDED', 'UNCONFIRMED');
DROP INDEX publish_jobs_open;
CREATE UNIQUE INDEX publish_jobs_open ON publish_jobs (listing_id)
    WHERE state NOT IN ('PUBLISHED', 'DONE', 'FAILED', 'CANCELLED', 'EXPIRED');
ALTER TABLE effects ADD COLUMN seen TEXT;

-- The first schema: owners, accounts, photos, listings, jobs, the ledger and the event log.
CREATE TABLE instance (
    id TEXT PRIMARY KEY,
    previous_id TEXT,
    log_epoch TEXT NOT NULL,
    oldest_program TEXT NOT NULL,
    create_time BIGINT NOT NULL
);
CREATE TABLE owners (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    create_time BIGINT NOT NULL
);
CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    name TEXT NOT NULL,
    secret_hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT,
    last_use_time BIGINT,
    revoke_time BIGINT,
    sequence BIGINT NOT NULL
);
CREATE INDEX api_tokens_owner ON api_tokens (owner_id, create_time, id);
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    display_name TEXT NOT NULL,
    market TEXT NOT NULL,
    site TEXT NOT NULL,
    language TEXT NOT NULL,
    mode TEXT NOT NULL,
    state TEXT NOT NULL,
    pause_reason TEXT,
    pause_message TEXT,
    pause_time BIGINT,
    pause_publish_job_id TEXT,
    member_id TEXT,
    member_login TEXT,
    publish_limit_per_minute BIGINT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    delete_time BIGINT,
    sequence BIGINT NOT NULL
);
CREATE INDEX accounts_owner ON accounts (owner_id, create_time, id);
CREATE TABLE account_locks (
    account_id TEXT PRIMARY KEY REFERENCES accounts (id),
    epoch BIGINT NOT NULL,
    holder TEXT,
    lease_until BIGINT NOT NULL
);
CREATE TABLE catalogs (
    site TEXT NOT NULL,
    language TEXT NOT NULL,
    body TEXT NOT NULL,
    fetch_time BIGINT NOT NULL,
    PRIMARY KEY (site, language)
);
CREATE TABLE photos (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    sha256 TEXT NOT NULL,
    perceptual_hash BIGINT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    content_type TEXT NOT NULL,
    file_name TEXT NOT NULL,
    near_duplicates TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    UNIQUE (owner_id, sha256)
);
CREATE INDEX photos_owner ON photos (owner_id, create_time, id);
CREATE TABLE listings (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    title TEXT NOT NULL,
    title_lower TEXT NOT NULL,
    description TEXT NOT NULL,
    price_minor_units BIGINT,
    currency TEXT NOT NULL,
    category_id BIGINT,
    brand_id BIGINT,
    size_id BIGINT,
    condition_id BIGINT,
    color_ids TEXT NOT NULL,
    material_ids TEXT NOT NULL,
    package_size_id BIGINT,
    choice_names TEXT NOT NULL,
    photo_ids TEXT NOT NULL,
    state TEXT NOT NULL,
    active_publish_job_id TEXT,
    hidden BOOLEAN NOT NULL,
    under_review BOOLEAN NOT NULL,
    remote_item_id TEXT,
    remote_url TEXT,
    remote_site TEXT,
    publish_time BIGINT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    sequence BIGINT NOT NULL
);
CREATE INDEX listings_owner ON listings (owner_id, create_time DESC, id DESC);
CREATE INDEX listings_account ON listings (owner_id, account_id, create_time DESC, id DESC);
CREATE INDEX listings_state ON listings (owner_id, state, create_time DESC, id DESC);
CREATE TABLE listing_photos (
    photo_id TEXT NOT NULL REFERENCES photos (id),
    listing_id TEXT NOT NULL REFERENCES listings (id),
    PRIMARY KEY (photo_id, listing_id)
);
CREATE INDEX listing_photos_listing ON listing_photos (listing_id);
CREATE TABLE publish_jobs (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    listing_id TEXT NOT NULL,
    site TEXT NOT NULL,
    state TEXT NOT NULL,
    dry_run BOOLEAN NOT NULL,
    prepare_number BIGINT NOT NULL,
    revision TEXT NOT NULL,
    revision_hash TEXT NOT NULL,
    listing_hash TEXT NOT NULL,
    read_back TEXT,
    read_back_hash TEXT,
    screenshot_key TEXT,
    needs_manual BOOLEAN NOT NULL,
    reason TEXT,
    message TEXT,
    wait_reason TEXT,
    wait_until BIGINT,
    confirm_expire_time BIGINT,
    confirm_time BIGINT,
    cancel_requested BOOLEAN NOT NULL,
    draft_remote_id TEXT,
    remote_item_id TEXT,
    remote_url TEXT,
    hidden BOOLEAN NOT NULL,
    possible_duplicate BOOLEAN NOT NULL,
    stray_drafts TEXT NOT NULL,
    prepare_attempts BIGINT NOT NULL,
    publish_attempts BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    end_time BIGINT,
    sequence BIGINT NOT NULL
);
CREATE UNIQUE INDEX publish_jobs_open ON publish_jobs (listing_id)
    WHERE state NOT IN ('PUBLISHED', 'FAILED', 'CANCELLED', 'EXPIRED');
CREATE INDEX publish_jobs_owner ON publish_jobs (owner_id, create_time DESC, id DESC);
CREATE INDEX publish_jobs_confirmed ON publish_jobs (confirm_time);
CREATE TABLE publish_steps (
    publish_job_id TEXT NOT NULL REFERENCES publish_jobs (id),
    number BIGINT NOT NULL,
    time BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    step TEXT NOT NULL,
    outcome TEXT NOT NULL,
    message TEXT NOT NULL,
    screenshot_key TEXT,
    screenshot_bytes BIGINT,
    page_text_key TEXT,
    PRIMARY KEY (publish_job_id, number)
);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    owner_id TEXT,
    kind TEXT NOT NULL,
    account_id TEXT,
    subject_id TEXT,
    state TEXT NOT NULL,
    priority BIGINT NOT NULL,
    due_time BIGINT NOT NULL,
    claims BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    claim_epoch BIGINT NOT NULL,
    lease_until BIGINT,
    worker_id TEXT,
    unique_key TEXT,
    payload TEXT NOT NULL,
    outcome TEXT,
    error TEXT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL
);
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key) WHERE state IN ('WAITING', 'QUEUED', 'RUNNING');
CREATE INDEX jobs_due ON jobs (due_time) WHERE state = 'QUEUED';
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'RUNNING';
CREATE INDEX jobs_ended ON jobs (update_time) WHERE state IN ('DONE', 'DEAD', 'CANCELLED');
CREATE INDEX jobs_subject ON jobs (subject_id);
CREATE TABLE effects (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    site TEXT NOT NULL,
    publish_job_id TEXT NOT NULL REFERENCES publish_jobs (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    claim_epoch BIGINT NOT NULL,
    composer_id TEXT NOT NULL,
    intent_time BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    reconcile_after BIGINT NOT NULL,
    settle_until BIGINT NOT NULL,
    known_remote_ids TEXT NOT NULL,
    target_remote_id TEXT,
    target_photo_ids TEXT NOT NULL,
    remote_id TEXT,
    note TEXT,
    decide_time BIGINT,
    watch_until BIGINT
);
CREATE UNIQUE INDEX effects_open_publish ON effects (account_id)
    WHERE kind = 'PUBLISH' AND state IN ('INTENDED', 'UNCONFIRMED');
CREATE UNIQUE INDEX effects_open_job ON effects (publish_job_id) WHERE state IN ('INTENDED', 'UNCONFIRMED');
CREATE INDEX effects_intent ON effects (kind, intent_time);
CREATE INDEX effects_watch ON effects (watch_until) WHERE watch_until IS NOT NULL;
CREATE TABLE remote_items (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    remote_item_id TEXT NOT NULL,
    site TEXT NOT NULL,
    publish_job_id TEXT NOT NULL,
    listing_id TEXT NOT NULL,
    claim_time BIGINT NOT NULL,
    PRIMARY KEY (account_id, remote_item_id)
);
CREATE TABLE composers (
    id TEXT PRIMARY KEY,
    publish_job_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    claim_epoch BIGINT NOT NULL,
    identity TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    state TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    end_time BIGINT
);
CREATE INDEX composers_job ON composers (publish_job_id);
CREATE INDEX composers_open ON composers (account_id) WHERE state = 'OPEN';
CREATE TABLE requests (
    owner_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    method TEXT NOT NULL,
    parameters_hash TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (owner_id, request_id)
);
CREATE INDEX requests_resource ON requests (resource_id);
CREATE TABLE event_heads (
    owner_id TEXT PRIMARY KEY REFERENCES owners (id),
    sequence BIGINT NOT NULL,
    floor BIGINT NOT NULL
);
CREATE TABLE events (
    owner_id TEXT NOT NULL REFERENCES owners (id),
    sequence BIGINT NOT NULL,
    time BIGINT NOT NULL,
    kind TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    account_id TEXT,
    payload TEXT NOT NULL,
    PRIMARY KEY (owner_id, sequence)
);
CREATE INDEX events_time ON events (time);
CREATE TABLE schedules (
    id TEXT PRIMARY KEY,
    interval_ms BIGINT NOT NULL,
    enabled BOOLEAN NOT NULL,
    next_run BIGINT NOT NULL,
    last_run BIGINT,
    last_outcome TEXT,
    last_message TEXT
);
CREATE TABLE workers (
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid BIGINT NOT NULL,
    start_ticks BIGINT NOT NULL,
    state TEXT NOT NULL,
    start_time BIGINT NOT NULL,
    heartbeat_time BIGINT NOT NULL
);

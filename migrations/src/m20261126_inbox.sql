-- The inbox: threads, messages, people, replies, templates; and a ledger whose effects may be a reply's too.
CREATE TABLE people (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    site TEXT NOT NULL,
    member_id TEXT NOT NULL,
    login TEXT NOT NULL,
    is_system BOOLEAN NOT NULL,
    create_time BIGINT NOT NULL,
    UNIQUE (owner_id, site, member_id)
);
CREATE TABLE threads (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    site TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    person_id TEXT NOT NULL REFERENCES people (id),
    subject TEXT NOT NULL,
    listing_id TEXT,
    transaction_state TEXT,
    snippet TEXT NOT NULL,
    last_message_time BIGINT NOT NULL,
    unread_count BIGINT NOT NULL,
    unread BOOLEAN NOT NULL,
    remote_unread BOOLEAN NOT NULL,
    waiting_for_me BOOLEAN NOT NULL,
    has_offer BOOLEAN NOT NULL,
    archived BOOLEAN NOT NULL,
    snooze_until BIGINT,
    labels TEXT NOT NULL,
    note TEXT NOT NULL,
    draft_text TEXT,
    draft_version BIGINT NOT NULL,
    draft_time BIGINT,
    reply_allowed BOOLEAN NOT NULL,
    read_by_person BOOLEAN NOT NULL,
    message_count BIGINT NOT NULL,
    listed TEXT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    delete_time BIGINT,
    sequence BIGINT NOT NULL,
    UNIQUE (account_id, site, remote_id)
);
CREATE INDEX threads_owner ON threads (owner_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND NOT archived;
CREATE INDEX threads_account ON threads (owner_id, account_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND NOT archived;
CREATE INDEX threads_archived ON threads (owner_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND archived;
CREATE INDEX threads_unread ON threads (owner_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND unread;
CREATE INDEX threads_waiting ON threads (owner_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND waiting_for_me;
CREATE INDEX threads_offer ON threads (owner_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND has_offer;
CREATE INDEX threads_snoozed ON threads (owner_id, last_message_time DESC, id DESC)
    WHERE delete_time IS NULL AND snooze_until IS NOT NULL;
CREATE INDEX threads_sequence ON threads (owner_id, sequence);
CREATE INDEX threads_ids ON threads (owner_id, id) WHERE delete_time IS NULL;
CREATE INDEX threads_counts ON threads (owner_id, account_id, archived, snooze_until, unread, unread_count, waiting_for_me,
    has_offer, delete_time) WHERE delete_time IS NULL;
CREATE INDEX threads_person ON threads (person_id);
CREATE TABLE thread_labels (
    thread_id TEXT NOT NULL REFERENCES threads (id),
    label TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    PRIMARY KEY (thread_id, label)
);
CREATE INDEX thread_labels_owner ON thread_labels (owner_id, label);
CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    thread_id TEXT NOT NULL REFERENCES threads (id),
    remote_key TEXT NOT NULL,
    remote_id TEXT,
    kind TEXT NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    content TEXT,
    attachments TEXT NOT NULL,
    time BIGINT NOT NULL,
    position BIGINT NOT NULL,
    read BOOLEAN NOT NULL,
    hidden BOOLEAN NOT NULL,
    reply_id TEXT,
    sequence BIGINT NOT NULL,
    UNIQUE (thread_id, remote_key)
);
CREATE INDEX messages_thread ON messages (thread_id, position DESC);
CREATE INDEX messages_pending ON messages (account_id) WHERE attachments LIKE '%"PENDING"%';
CREATE TABLE inbox_syncs (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    site TEXT NOT NULL,
    watermark BIGINT NOT NULL,
    full_time BIGINT,
    last_read_time BIGINT,
    next_read_time BIGINT,
    late_reason TEXT,
    late_message TEXT,
    asked TEXT NOT NULL,
    member_id TEXT,
    PRIMARY KEY (account_id, site)
);
CREATE TABLE replies (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    account_id TEXT NOT NULL REFERENCES accounts (id),
    thread_id TEXT NOT NULL REFERENCES threads (id),
    site TEXT NOT NULL,
    state TEXT NOT NULL,
    text TEXT NOT NULL,
    photo_ids TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    number BIGINT NOT NULL,
    manual BOOLEAN NOT NULL,
    prepare_number BIGINT NOT NULL,
    send_time BIGINT,
    confirm_expire_time BIGINT,
    confirm_time BIGINT,
    needs_manual BOOLEAN NOT NULL,
    reason TEXT,
    message TEXT,
    attempts BIGINT NOT NULL,
    message_id TEXT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    end_time BIGINT,
    sequence BIGINT NOT NULL
);
CREATE INDEX replies_owner ON replies (owner_id, create_time DESC, id DESC);
CREATE INDEX replies_thread ON replies (thread_id, number);
CREATE INDEX replies_open ON replies (owner_id, id) WHERE end_time IS NULL;
CREATE TABLE templates (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    UNIQUE (owner_id, name)
);
ALTER TABLE events ADD COLUMN thread_id TEXT;
CREATE TABLE ledger (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    site TEXT NOT NULL,
    subject_id TEXT NOT NULL,
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
    watch_until BIGINT,
    seen TEXT
);
INSERT INTO ledger (id, owner_id, account_id, site, subject_id, kind, state, claim_epoch, composer_id, intent_time,
    not_after, reconcile_after, settle_until, known_remote_ids, target_remote_id, target_photo_ids, remote_id, note,
    decide_time, watch_until, seen)
SELECT id, owner_id, account_id, site, publish_job_id, kind, state, claim_epoch, composer_id, intent_time,
    not_after, reconcile_after, settle_until, known_remote_ids, target_remote_id, target_photo_ids, remote_id, note,
    decide_time, watch_until, seen
FROM effects;
DROP TABLE effects;
ALTER TABLE ledger RENAME TO effects;
CREATE UNIQUE INDEX effects_open_publish ON effects (account_id)
    WHERE kind IN ('PUBLISH', 'HAND_OVER') AND state IN ('INTENDED', 'UNCONFIRMED');
CREATE UNIQUE INDEX effects_open_reply ON effects (account_id, target_remote_id)
    WHERE kind = 'REPLY' AND state IN ('INTENDED', 'UNCONFIRMED');
CREATE UNIQUE INDEX effects_reply_message ON effects (account_id, site, remote_id)
    WHERE kind = 'REPLY' AND remote_id IS NOT NULL;
CREATE UNIQUE INDEX effects_open_job ON effects (subject_id) WHERE state IN ('INTENDED', 'UNCONFIRMED');
CREATE INDEX effects_intent ON effects (kind, intent_time);
CREATE INDEX effects_watch ON effects (watch_until) WHERE watch_until IS NOT NULL;

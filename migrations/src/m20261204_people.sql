-- People who sign in, their sessions, mailed tokens, invitations, and the counters of failed attempts. Other tables
-- name a user in the columns that name an API token: the parent of a token, the token of a webhook endpoint.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    email TEXT NOT NULL,
    display_name TEXT NOT NULL,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    disable_time BIGINT,
    sealed_second_factor TEXT,
    second_factor_enabled BOOLEAN NOT NULL,
    second_factor_step BIGINT NOT NULL,
    recovery_hashes TEXT NOT NULL,
    sequence BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_email ON users (email);
CREATE INDEX users_workspace ON users (workspace_id, create_time, id);
CREATE TABLE user_sessions (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    device TEXT NOT NULL,
    address TEXT NOT NULL,
    generation BIGINT NOT NULL,
    rotate_time BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    last_use_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    revoke_time BIGINT,
    sequence BIGINT NOT NULL
);
CREATE INDEX user_sessions_user ON user_sessions (user_id, create_time, id);
CREATE INDEX user_sessions_expire ON user_sessions (expire_time);
CREATE TABLE mail_tokens (
    hash TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    user_id TEXT,
    email TEXT NOT NULL,
    payload TEXT NOT NULL,
    expire_time BIGINT NOT NULL
);
CREATE INDEX mail_tokens_user ON mail_tokens (user_id);
CREATE TABLE invitations (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    inviter_id TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL
);
CREATE UNIQUE INDEX invitations_token ON invitations (token_hash);
CREATE INDEX invitations_workspace ON invitations (workspace_id, create_time, id);
CREATE TABLE attempts (
    subject TEXT PRIMARY KEY,
    count BIGINT NOT NULL,
    window_end BIGINT NOT NULL
);
CREATE INDEX attempts_end ON attempts (window_end);

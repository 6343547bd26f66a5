-- Webhooks: endpoints with their place in the event log, what is delivered to them, and each attempt at it.
CREATE TABLE webhook_endpoints (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    event_types TEXT NOT NULL,
    scopes TEXT NOT NULL,
    ordered BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    disable_reason TEXT,
    message TEXT,
    secrets TEXT NOT NULL,
    old_secret_expire_time BIGINT,
    log_position BIGINT NOT NULL,
    failing_since BIGINT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    sequence BIGINT NOT NULL
);
CREATE INDEX webhook_endpoints_owner ON webhook_endpoints (owner_id, create_time DESC, id DESC);
CREATE TABLE webhook_deliveries (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL REFERENCES owners (id),
    endpoint_id TEXT NOT NULL REFERENCES webhook_endpoints (id),
    webhook_id TEXT NOT NULL,
    event_sequence BIGINT,
    event_type TEXT NOT NULL,
    event_time BIGINT NOT NULL,
    resource_type TEXT,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    due_time BIGINT NOT NULL,
    last_status BIGINT,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    end_time BIGINT,
    UNIQUE (endpoint_id, webhook_id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_time) WHERE state = 'PENDING';
CREATE INDEX webhook_deliveries_order ON webhook_deliveries (endpoint_id, event_sequence) WHERE state = 'PENDING';
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (endpoint_id, create_time DESC, id DESC);
CREATE INDEX webhook_deliveries_owner ON webhook_deliveries (owner_id, create_time DESC, id DESC);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (endpoint_id, event_time);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (end_time) WHERE end_time IS NOT NULL;
CREATE TABLE webhook_attempts (
    delivery_id TEXT NOT NULL REFERENCES webhook_deliveries (id),
    number BIGINT NOT NULL,
    url TEXT NOT NULL,
    time BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    request_headers TEXT NOT NULL,
    status BIGINT,
    response_headers TEXT NOT NULL,
    response_body TEXT NOT NULL,
    truncated BOOLEAN NOT NULL,
    error TEXT,
    PRIMARY KEY (delivery_id, number)
);

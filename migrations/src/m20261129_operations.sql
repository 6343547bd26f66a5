-- For operators: files of photos that are to be removed when the media store is there, and indexes to count by.
CREATE TABLE file_removals (
    sha256 TEXT PRIMARY KEY,
    due_time BIGINT NOT NULL,
    started BOOLEAN NOT NULL
);
CREATE INDEX file_removals_due ON file_removals (due_time);
CREATE INDEX jobs_dead ON jobs (kind) WHERE state = 'DEAD';
CREATE INDEX effects_outcome ON effects (kind, state);

-- The search index: documents, each owner's state, and the words, in the way of each engine.
CREATE TABLE search_documents (
    id BIGINT PRIMARY KEY,
    space BIGINT NOT NULL,
    kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    thread_id TEXT,
    UNIQUE (entity_id, kind)
);
CREATE INDEX search_documents_thread ON search_documents (thread_id) WHERE thread_id IS NOT NULL;
CREATE TABLE search_indexes (
    owner_id TEXT PRIMARY KEY REFERENCES owners (id),
    number BIGINT NOT NULL UNIQUE,
    version BIGINT NOT NULL,
    phase TEXT NOT NULL,
    place TEXT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    update_time BIGINT NOT NULL
);
INSERT INTO search_indexes (owner_id, number, version, phase, place, done, total, update_time)
SELECT id, ROW_NUMBER() OVER (ORDER BY create_time, id), 0, 'THREADS', '', 0, 0, 0
FROM owners;

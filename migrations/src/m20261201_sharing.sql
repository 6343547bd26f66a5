-- What several processes share: which key seals and signs, by its id (none before the first start that says so), and schedules by
-- their next turn, which each process looks for twice a second.
ALTER TABLE instance ADD COLUMN key_id TEXT;
CREATE INDEX schedules_next ON schedules (next_run) WHERE enabled;

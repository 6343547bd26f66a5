-- Keeping house: where a database was moved, schedules that run daily at a time, photos that a listing has used.
ALTER TABLE instance ADD COLUMN move_id TEXT;
ALTER TABLE instance ADD COLUMN move_state TEXT;
ALTER TABLE instance ADD COLUMN move_place TEXT;
CREATE TABLE move_positions (
    table_name TEXT PRIMARY KEY,
    place TEXT NOT NULL,
    done BIGINT NOT NULL
);
ALTER TABLE schedules ADD COLUMN daily_at TEXT;
UPDATE schedules SET id = 'prune', daily_at = '02:00' WHERE id = 'retention';
ALTER TABLE photos ADD COLUMN used BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE photos SET used = TRUE;

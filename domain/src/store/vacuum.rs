//! Giving back to the machine what was removed, and telling the planner what is there.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::Store;
use crate::{Error, Result};

/// Tables of which much is removed or rewritten.
const CHURNED: [&str; 14] = [
    "account_locks",
    "composers",
    "event_heads",
    "events",
    "inbox_syncs",
    "jobs",
    "requests",
    "schedules",
    "search_documents",
    "search_indexes",
    "threads",
    "webhook_attempts",
    "webhook_deliveries",
    "workers",
];
/// Pages that SQLite gives back at once, so that nobody waits long for the writer.
const PAGES: i64 = 2_000;

impl Store {
    /// Does so, beside everything else that goes on. Says what was done.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn vacuum(&self) -> Result<String> {
        if self.backend() == DbBackend::Postgres {
            for table in CHURNED {
                self.writer()
                    .execute_unprepared(&format!("VACUUM (ANALYZE) {table}"))
                    .await?;
            }
            return Ok(format!("vacuumed {} tables", CHURNED.len()));
        }
        let before = self.pragma("freelist_count").await?;
        let mut free = before;
        while free > 0 {
            self.writer()
                .execute_unprepared(&format!("PRAGMA incremental_vacuum({PAGES})"))
                .await?;
            let left = self.pragma("freelist_count").await?;
            if left >= free {
                // Others free pages as fast as they are given back, or the file was made without this.
                break;
            }
            free = left;
        }
        for statement in ["PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA optimize"] {
            self.writer().execute_unprepared(statement).await?;
        }
        let given = (before - self.pragma("freelist_count").await?).max(0) * self.pragma("page_size").await?;
        Ok(format!("gave back {} KiB", given / 1024))
    }

    async fn pragma(&self, name: &str) -> Result<i64> {
        let statement = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {name}"));
        let row = self.writer().query_one_raw(statement).await?;
        let row = row.ok_or_else(|| Error::Internal(format!("SQLite told no {name}")))?;
        Ok(row.try_get_by_index(0)?)
    }
}

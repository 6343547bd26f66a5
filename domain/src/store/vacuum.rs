//! Database maintenance: returns free space to the file system and updates the planner's statistics.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::Store;
use crate::{Error, Result};

/// The tables in which many rows are removed or rewritten.
const CHURNED: [&str; 14] = [
    "account_locks",
    "listing_form_sessions",
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
/// The number of pages that SQLite frees with one statement, so that other writers wait only briefly.
const PAGES: i64 = 2_000;

impl Store {
    /// Vacuums the database while it is in use. Returns a summary.
    ///
    /// # Errors
    /// The database fails.
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
                // Other writers free pages as fast as this loop, or the file was created without incremental vacuum.
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
        let row = row.ok_or_else(|| Error::Internal(format!("SQLite returned no {name}")))?;
        Ok(row.try_get_by_index(0)?)
    }
}

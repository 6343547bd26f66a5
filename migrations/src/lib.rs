//! The versioned schema: one set of migrations for SQLite and PostgreSQL.
//!
//! Statements are written in the part of SQL that both engines share: text, `BIGINT` for numbers and for times (UTC
//! milliseconds), `BOOLEAN`. Enums are text. To add one: a module `mYYYYMMDD_what`, listed in [`Migrator`]; expand first,
//! contract in a later release, and raise [`OLDEST_PROGRAM`] only when an older program can no longer run on the result.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DatabaseConnection, DbBackend, TransactionTrait};

mod m20261121_spine;
mod m20261125_faces;
mod m20261126_inbox;
mod m20261126_members;
mod m20261127_removals;
mod m20261127_search;
mod m20261128_webhooks;
mod m20261129_operations;

/// The oldest program version that may run on the newest schema.
pub const OLDEST_PROGRAM: &str = "0.1.0";

/// Runs the migrations in order, each once.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_spine::Migration),
            Box::new(m20261125_faces::Migration),
            Box::new(m20261126_inbox::Migration),
            Box::new(m20261126_members::Migration),
            Box::new(m20261127_removals::Migration),
            Box::new(m20261127_search::Migration),
            Box::new(m20261128_webhooks::Migration),
            Box::new(m20261129_operations::Migration),
        ]
    }
}

/// Runs what is missing, one process at a time.
///
/// SQLite's data folder is locked by its one process. On PostgreSQL an advisory lock is held on a session of its own for as
/// long as the migrations run, since the pool may run each of them on another session.
pub async fn run_locked(connection: &DatabaseConnection) -> Result<(), DbErr> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Migrator::up(connection, None).await;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "it only carries the lock, and nothing is written in it"
    )]
    let guard = connection.begin().await?;
    guard
        .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
        .await?;
    let result = Migrator::up(connection, None).await;
    guard.rollback().await?;
    result
}

/// A number that nothing else on the server is likely to lock: "vinted" in ASCII.
const LOCK: i64 = 0x7669_6e74_6564;

/// Splits a script into its statements and runs them one by one, since drivers prepare one at a time.
async fn run_script(manager: &SchemaManager<'_>, script: &str) -> Result<(), DbErr> {
    for statement in script
        .split(";\n")
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
    {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}

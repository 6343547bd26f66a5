//! The versioned schema: one set of migrations for SQLite and PostgreSQL.
//!
//! Statements are written in the part of SQL that both engines share: text, `BIGINT` for numbers and for times (UTC
//! milliseconds), `BOOLEAN`. Enums are text. To add one: a script `mYYYYMMDD_what.sql`, listed in [`Migrator`]; expand
//! first, contract in a later release, and raise [`OLDEST_PROGRAM`] only when an older program can no longer run on the result.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DatabaseConnection, DbBackend, TransactionTrait};

pub use sea_orm_migration::MigratorTrait;

mod script;

use script::{Script, script};

/// The oldest program version that may run on the newest schema.
pub const OLDEST_PROGRAM: &str = "0.1.0";

/// Runs the migrations in order, each once.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let scripts = [
            script!("m20261121_spine"),
            script!("m20261125_faces"),
            script!("m20261126_inbox"),
            script!("m20261126_members"),
            script!("m20261127_removals"),
            Script {
                of_postgres: include_str!("m20261127_search_postgres.sql"),
                of_sqlite: include_str!("m20261127_search_sqlite.sql"),
                ..script!("m20261127_search")
            },
            script!("m20261128_webhooks"),
            script!("m20261129_keeping"),
            script!("m20261129_operations"),
            script!("m20261130_worker_names"),
            script!("m20261201_sharing"),
            script!("m20261202_tokens"),
        ];
        scripts
            .into_iter()
            .map(|script| Box::new(script) as Box<dyn MigrationTrait>)
            .collect()
    }
}

/// Runs what is missing, one process at a time.
///
/// SQLite's data folder is locked by its one process. On PostgreSQL an advisory lock is held on a session of its own for as
/// long as the migrations run, since the pool may run each of them on another session.
///
/// A database that a newer program has migrated is left as it is: its instance says whether this program may run on it.
///
/// # Errors
/// In words: which migration failed, or that the database belongs to another line of programs.
pub async fn run_locked(connection: &DatabaseConnection) -> Result<(), DbErr> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return run_missing(connection).await;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "it only carries the lock, and nothing is written in it"
    )]
    let guard = connection.begin().await?;
    // A session that does nothing in its transaction is ended after a while, and the lock would go with it.
    guard
        .execute_unprepared("SET LOCAL idle_in_transaction_session_timeout = 0")
        .await?;
    guard
        .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
        .await?;
    let result = run_missing(connection).await;
    guard.rollback().await?;
    result
}

async fn run_missing(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let applied = applied(connection).await?;
    let own = names();
    let unknown: Vec<_> = applied
        .iter()
        .filter(|name| !own.contains(name))
        .cloned()
        .collect();
    if !unknown.is_empty() {
        let missing: Vec<_> = own.into_iter().filter(|name| !applied.contains(name)).collect();
        if missing.is_empty() {
            tracing::warn!(?unknown, "the database was migrated by a newer program");
            return Ok(());
        }
        return Err(DbErr::Custom(format!(
            "the database was made by another vintedbot: it has {}, which this one does not know, and lacks {}; use the \
             program that made it, or one newer than both",
            unknown.join(", "),
            missing.join(", ")
        )));
    }
    let result = Migrator::up(connection, None).await;
    let Err(error) = result else { return Ok(()) };
    let done = self::applied(connection).await?;
    let failed = own.iter().find(|name| !done.contains(name));
    Err(DbErr::Custom(format!(
        "the migration {} failed: {error}; nothing of it was kept, and it is run again at the next start. Where what it makes \
         is there already, an earlier version was stopped while it migrated: restore the backup of before",
        failed.map_or("table", String::as_str)
    )))
}

/// Every migration of this program, in order.
pub fn names() -> Vec<String> {
    let own = Migrator::migrations();
    own.iter().map(|migration| migration.name().to_owned()).collect()
}

/// Those that a database has had.
async fn applied(connection: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    if !SchemaManager::new(connection).has_table(MIGRATIONS).await? {
        return Ok(Vec::new());
    }
    let models = Migrator::get_migration_models(connection).await?;
    Ok(models.into_iter().map(|model| model.version).collect())
}

/// The table that says which migrations a database has had.
pub const MIGRATIONS: &str = "seaql_migrations";

/// A number that nothing else on the server is likely to lock: "vinted" in ASCII.
const LOCK: i64 = 0x7669_6e74_6564;

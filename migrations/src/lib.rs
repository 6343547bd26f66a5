//! The versioned schema: one set of migrations for SQLite and PostgreSQL.
//!
//! Statements use the SQL that both engines share: `TEXT`, `BIGINT` for numbers and for times (UTC milliseconds),
//! `BOOLEAN`. Enums are text.
//!
//! To add a migration, write a script `mYYYYMMDD_topic.sql` and list it in [`Migrator`]. Expand first and contract in a
//! later release. Raise [`OLDEST_PROGRAM`] only if an older program can no longer run on the result.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DatabaseConnection, DbBackend, TransactionTrait};

pub use sea_orm_migration::MigratorTrait;

mod script;

use script::{Script, script};

/// The oldest program version that may run on the newest schema.
pub const OLDEST_PROGRAM: &str = "0.2.0";

/// The list of migrations, in order.
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
            script!("m20261203_names"),
            script!("m20261204_people"),
        ];
        scripts
            .into_iter()
            .map(|script| Box::new(script) as Box<dyn MigrationTrait>)
            .collect()
    }
}

/// Runs the missing migrations, in one process at a time.
///
/// With SQLite, the lock on the data folder ensures that. On PostgreSQL a separate session holds an advisory lock while
/// the migrations run, because the pool may run each migration on another session.
///
/// A database that a newer program has migrated is not changed. Its `instance` row says whether this program may run on
/// it.
///
/// # Errors
/// A migration failed, or the database has unknown migrations and lacks known ones. The text names them.
pub async fn run_locked(connection: &DatabaseConnection) -> Result<(), DbErr> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return run_missing(connection).await;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the transaction only holds the advisory lock and writes nothing"
    )]
    let guard = connection.begin().await?;
    // The server ends a session that is idle in a transaction, and the lock would end with it.
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
            tracing::warn!(?unknown, "a newer program has migrated the database");
            return Ok(());
        }
        return Err(DbErr::Custom(format!(
            "the database has migrations that this vintedbot does not know ({}) and lacks others ({}); use the program \
             that created the database, or a newer program that has all of them",
            unknown.join(", "),
            missing.join(", ")
        )));
    }
    let result = Migrator::up(connection, None).await;
    let Err(error) = result else { return Ok(()) };
    let done = self::applied(connection).await?;
    let failed = own.iter().find(|name| !done.contains(name));
    Err(DbErr::Custom(format!(
        "the migration {} failed: {error}; it was rolled back and is run again at the next start. If a table, column or \
         index exists already, an earlier version was stopped during this migration: restore the backup from before it",
        failed.map_or("table", String::as_str)
    )))
}

/// Returns the names of all migrations of this program, in order.
pub fn names() -> Vec<String> {
    let own = Migrator::migrations();
    own.iter().map(|migration| migration.name().to_owned()).collect()
}

/// Returns the names of the migrations that a database has.
async fn applied(connection: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    if !SchemaManager::new(connection).has_table(MIGRATIONS).await? {
        return Ok(Vec::new());
    }
    let models = Migrator::get_migration_models(connection).await?;
    Ok(models.into_iter().map(|model| model.version).collect())
}

/// The table that lists the migrations of a database.
pub const MIGRATIONS: &str = "seaql_migrations";

/// The key of the advisory lock: "vinted" in ASCII, which no other program on the server is likely to use.
const LOCK: i64 = 0x7669_6e74_6564;

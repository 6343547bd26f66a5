//! Opening the database, and locking the folder that it lives in.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fs4::FileExt;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode};
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use tokio::time::{Instant, sleep, timeout};

use super::Store;
use crate::clock::Clock;
use crate::ids::Ids;
use crate::{Error, Result, private};

/// Readers on SQLite. WAL readers do not wait for the writer; more than a few only cost memory.
const SQLITE_READERS: u32 = 4;
/// What connections to PostgreSQL are called there: those of instances, and those of whoever must be alone.
const NAME: &str = "vintedbot";
const NAME_ALONE: &str = "vintedbot migrate-store";
/// How long a database that does not answer yet is waited for, and a connection of its pool.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to answer, and after which pause it is asked again.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);
/// How often, and how long apart, it is looked whether an instance is still connected.
const LOOKS: u32 = 10;
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// The folder with everything that an instance keeps: database, keys, photos, screenshots, profiles.
///
/// It is locked as long as this value lives, so that two processes cannot share one folder.
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder where it is missing, closes it to other users of the machine, and locks it.
    ///
    /// # Errors
    /// It cannot be made or closed, or another process holds the lock.
    pub fn open(path: &Path) -> Result<Self> {
        let describe =
            |error: std::io::Error| Error::Setup(format!("data folder {}: {error}", path.display()));
        private::folder(path).map_err(describe)?;
        let lock = private::file(&path.join("lock")).map_err(describe)?;
        match FileExt::try_lock(&lock) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(_) => Err(Error::Setup(format!(
                "data folder {} is in use by another process; stop it, or set DATA_DIR to another folder",
                path.display()
            ))),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Connects to `url`: `sqlite://path`, `sqlite::memory:` or `postgres://…`.
pub async fn connect(url: &str, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Store> {
    if url.starts_with("postgres") {
        let pool = connect_postgres(url, NAME).await?;
        return Ok(Store::new(pool.clone(), pool, clock, ids, true));
    }
    check_scheme(url)?;
    close_sqlite(url)?;
    let connected = async |connections, query_only| {
        let connected = connect_sqlite(url, connections, query_only, SqliteLockingMode::Normal).await;
        connected.map_err(|error| cannot_be_used(url, &error))
    };
    let writer = connected(1, false).await?;
    let reader = if url.contains(":memory:") {
        writer.clone()
    } else {
        connected(SQLITE_READERS, true).await?
    };
    Ok(Store::new(writer, reader, clock, ids, false))
}

/// The file of an SQLite database; `None` where the address is of none.
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    let options = url
        .strip_prefix("sqlite:")
        .filter(|rest| !rest.contains(":memory:"));
    let options = options.and_then(|_| url.parse::<SqliteConnectOptions>().ok())?;
    Some(options.get_filename().to_owned())
}

/// Connects to a database that no other process may use meanwhile.
///
/// # Errors
/// Another process does.
pub async fn connect_alone(url: &str, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Store> {
    if url.starts_with("postgres") {
        let pool = connect_postgres(url, NAME_ALONE).await?;
        let store = Store::new(pool.clone(), pool, clock, ids, true);
        store.nobody_else().await?;
        return Ok(store);
    }
    check_scheme(url)?;
    close_sqlite(url)?;
    // One connection, which locks the file for as long as it is open, against readers too.
    let connected = connect_sqlite(url, 1, false, SqliteLockingMode::Exclusive).await;
    let alone = match connected {
        Ok(connection) => connection
            .execute_unprepared("BEGIN IMMEDIATE; COMMIT")
            .await
            .map(|_| connection),
        Err(error) => Err(error),
    };
    let connection = alone.map_err(|error| match innermost(&error).contains("locked") {
        true => in_use(url),
        false => cannot_be_used(url, &error),
    })?;
    Ok(Store::new(connection.clone(), connection, clock, ids, false))
}

fn in_use(what: &str) -> Error {
    Error::Setup(format!("{what} is in use by another process; stop it first"))
}

impl Store {
    /// Checks that no instance is connected to a database that several could be connected to.
    ///
    /// # Errors
    /// One is.
    pub async fn nobody_else(&self) -> Result<()> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        let sql = "SELECT COUNT(*) AS others FROM pg_stat_activity \
                   WHERE datname = current_database() AND application_name = $1";
        for _ in 0..LOOKS {
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [NAME.into()]);
            let row = self.reader().query_one_raw(statement).await?;
            let others: i64 = row.map_or(Ok(0), |row| row.try_get("", "others"))?;
            if others == 0 {
                return Ok(());
            }
            // Sessions of an instance that has just ended go a moment after it.
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        Err(in_use("the database on PostgreSQL"))
    }
}

fn check_scheme(url: &str) -> Result<()> {
    if url.starts_with("sqlite:") {
        return Ok(());
    }
    Err(Error::Setup(
        "an address of a database begins with sqlite: or postgres:".to_owned(),
    ))
}

/// Makes the database file where it is missing, and closes it to other users of the machine, with the files beside it. SQLite
/// gives those that it makes the mode of the database.
fn close_sqlite(url: &str) -> Result<()> {
    let named = |path: &PathBuf| !path.as_os_str().is_empty() && !path.starts_with("file:");
    let Some(database) = sqlite_file(url).filter(named) else {
        return Ok(());
    };
    // A file that cannot be made is left to SQLite, which says why.
    if !database.exists() {
        drop(private::file(&database));
    }
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut path = database.clone().into_os_string();
        path.push(suffix);
        let path = PathBuf::from(path);
        private::existing_file(&path)
            .map_err(|error| Error::Setup(format!("database file {}: {error}", path.display())))?;
    }
    Ok(())
}

async fn connect_sqlite(
    url: &str,
    connections: u32,
    query_only: bool,
    locking: SqliteLockingMode,
) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .acquire_timeout(STARTS_WITHIN)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .locking_mode(locking)
                .busy_timeout(Duration::from_secs(10))
                .pragma("auto_vacuum", "INCREMENTAL")
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "FULL");
            if query_only {
                sqlite.pragma("query_only", "ON")
            } else {
                sqlite
            }
        });
    Database::connect(options).await
}

async fn connect_postgres(url: &str, name: &'static str) -> Result<DatabaseConnection> {
    let place = place(url);
    wait_for_postgres(url, &place).await?;
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(12)
        .acquire_timeout(STARTS_WITHIN)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(move |postgres| {
            // A writer that is cut off holds its owner's event head; the server ends it instead of everybody waiting.
            postgres.application_name(name).options([
                ("idle_in_transaction_session_timeout", "10s"),
                ("synchronous_commit", "on"),
                ("tcp_keepalives_idle", "10"),
                ("tcp_keepalives_interval", "5"),
                ("tcp_keepalives_count", "3"),
            ])
        });
    let connected = Database::connect(options).await;
    connected.map_err(|error| cannot_be_used(&place, &error))
}

/// Waits for a server that does not answer yet, which is said once. What waiting does not mend is said at once.
async fn wait_for_postgres(url: &str, place: &str) -> Result<()> {
    let options: PgConnectOptions = url.parse().map_err(|error| cannot_be_used(place, &error))?;
    let until = Instant::now() + STARTS_WITHIN;
    let mut is_told = false;
    loop {
        let reason = match timeout(ANSWERS_WITHIN, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => {
                // How it takes its leave is nobody's concern: it did answer.
                drop(timeout(ANSWERS_WITHIN, connection.close()).await);
                return Ok(());
            }
            Ok(Err(error)) if is_starting(&error) => innermost(&error),
            Ok(Err(error)) => return Err(cannot_be_used(place, &error)),
            Err(_) => format!("no answer within {} s", ANSWERS_WITHIN.as_secs()),
        };
        if Instant::now() >= until {
            return Err(Error::Setup(format!("{place} cannot be used: {reason}")));
        }
        if !std::mem::replace(&mut is_told, true) {
            tracing::warn!(
                reason,
                "{place} does not answer yet; it is tried for {} s",
                STARTS_WITHIN.as_secs()
            );
        }
        sleep(PAUSE).await;
    }
}

/// Nobody answers there, or not yet: it starts (57P03), or it has no connection to spare (53300).
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}

/// A server's address without what is secret in it.
fn place(url: &str) -> String {
    match url.parse::<PgConnectOptions>() {
        Ok(options) => format!(
            "the database {} at {}:{}",
            options.get_database().unwrap_or(options.get_username()),
            options.get_host(),
            options.get_port()
        ),
        Err(_) => "the address of the database".to_owned(),
    }
}

fn cannot_be_used(place: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::Setup(format!("{place} cannot be used: {}", innermost(error)))
}

/// The cause that the others only repeat.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

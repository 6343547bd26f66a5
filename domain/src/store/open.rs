//! Opens the database and locks the data folder.

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

/// The number of read connections on SQLite. WAL readers do not wait for the writer; more connections only cost memory.
const SQLITE_READERS: u32 = 4;
/// The PostgreSQL application name of an instance.
const APPLICATION: &str = "vintedbot";
/// The PostgreSQL application name of a process that needs exclusive access.
const APPLICATION_ALONE: &str = "vintedbot migrate-store";
/// The time limit for a database that does not answer yet, and for acquiring a connection from its pool.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit of one attempt to connect to PostgreSQL.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between two attempts.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(500);
/// The number of checks whether an instance is still connected.
const ALONE_CHECKS: u32 = 10;
/// The pause between two such checks.
const ALONE_CHECK_PAUSE: Duration = Duration::from_millis(100);

/// The folder with all files of an instance: database, keys, photos, screenshots, profiles.
///
/// The folder is locked while this value lives, so that two processes cannot share it.
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Creates the folder if it is missing, restricts it to the current user, and locks it.
    ///
    /// # Errors
    /// The folder cannot be created or restricted, or another process holds the lock.
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
                "data folder {} is in use by another process; stop that process, or set DATA_DIR to another folder",
                path.display()
            ))),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Connects to `url`: `sqlite://path`, `sqlite::memory:` or `postgres://…`.
///
/// # Errors
/// The URL has another scheme, or the database cannot be used.
pub async fn connect(url: &str, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Store> {
    if url.starts_with("postgres") {
        let pool = connect_postgres(url, APPLICATION).await?;
        return Ok(Store::new(pool.clone(), pool, clock, ids, true));
    }
    check_scheme(url)?;
    restrict_sqlite_files(url)?;
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

/// Returns the file of an SQLite database; `None` for a URL that names no file.
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    let options = url
        .strip_prefix("sqlite:")
        .filter(|rest| !rest.contains(":memory:"));
    let options = options.and_then(|_| url.parse::<SqliteConnectOptions>().ok())?;
    Some(options.get_filename().to_owned())
}

/// Connects to a database for exclusive use.
///
/// # Errors
/// Another process uses the database; otherwise as [`connect`].
pub async fn connect_alone(url: &str, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Store> {
    if url.starts_with("postgres") {
        let pool = connect_postgres(url, APPLICATION_ALONE).await?;
        let store = Store::new(pool.clone(), pool, clock, ids, true);
        store.nobody_else().await?;
        return Ok(store);
    }
    check_scheme(url)?;
    restrict_sqlite_files(url)?;
    // A single connection, which locks the file against writers and readers while it is open.
    let connected = connect_sqlite(url, 1, false, SqliteLockingMode::Exclusive).await;
    let alone = match connected {
        Ok(connection) => connection
            .execute_unprepared("BEGIN IMMEDIATE; COMMIT")
            .await
            .map(|_| connection),
        Err(error) => Err(error),
    };
    let connection = alone.map_err(|error| match root_cause(&error).contains("locked") {
        true => in_use(url),
        false => cannot_be_used(url, &error),
    })?;
    Ok(Store::new(connection.clone(), connection, clock, ids, false))
}

fn in_use(what: &str) -> Error {
    Error::Setup(format!(
        "{what} is in use by another process; stop that process first"
    ))
}

impl Store {
    /// Checks that no instance is connected to a PostgreSQL database. Does nothing on SQLite.
    ///
    /// # Errors
    /// An instance is still connected after 10 checks, 100 ms apart.
    pub async fn nobody_else(&self) -> Result<()> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        let sql = "SELECT COUNT(*) AS others FROM pg_stat_activity \
                   WHERE datname = current_database() AND application_name = $1";
        for _ in 0..ALONE_CHECKS {
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [APPLICATION.into()]);
            let row = self.reader().query_one_raw(statement).await?;
            let others: i64 = row.map_or(Ok(0), |row| row.try_get("", "others"))?;
            if others == 0 {
                return Ok(());
            }
            // The sessions of an instance end shortly after its process.
            tokio::time::sleep(ALONE_CHECK_PAUSE).await;
        }
        Err(in_use("the PostgreSQL database"))
    }
}

fn check_scheme(url: &str) -> Result<()> {
    if url.starts_with("sqlite:") {
        return Ok(());
    }
    Err(Error::Setup(
        "a database URL must start with sqlite: or postgres:".to_owned(),
    ))
}

/// Creates the database file if it is missing, and restricts it and the files next to it to the current user. SQLite
/// gives the files that it creates later the mode of the database file.
fn restrict_sqlite_files(url: &str) -> Result<()> {
    let named = |path: &PathBuf| !path.as_os_str().is_empty() && !path.starts_with("file:");
    let Some(database) = sqlite_file(url).filter(named) else {
        return Ok(());
    };
    // If the file cannot be created, SQLite reports why when it opens it.
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
        .acquire_timeout(CONNECT_TIMEOUT)
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
    let address = without_secrets(url);
    wait_for_postgres(url, &address).await?;
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(12)
        .acquire_timeout(CONNECT_TIMEOUT)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(move |postgres| {
            // A writer that is cut off holds the lock on its workspace's event head. The timeout and the keep-alives
            // make the server end such a session.
            postgres.application_name(name).options([
                ("idle_in_transaction_session_timeout", "10s"),
                ("synchronous_commit", "on"),
                ("tcp_keepalives_idle", "10"),
                ("tcp_keepalives_interval", "5"),
                ("tcp_keepalives_count", "3"),
            ])
        });
    let connected = Database::connect(options).await;
    connected.map_err(|error| cannot_be_used(&address, &error))
}

/// Waits for a server that does not answer yet, and logs that once. Errors that a retry cannot fix are returned at
/// once.
async fn wait_for_postgres(url: &str, address: &str) -> Result<()> {
    let options: PgConnectOptions = url.parse().map_err(|error| cannot_be_used(address, &error))?;
    let until = Instant::now() + CONNECT_TIMEOUT;
    let mut is_logged = false;
    loop {
        let reason = match timeout(ATTEMPT_TIMEOUT, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => {
                // The server has answered, so the outcome of the close does not matter.
                drop(timeout(ATTEMPT_TIMEOUT, connection.close()).await);
                return Ok(());
            }
            Ok(Err(error)) if is_starting(&error) => root_cause(&error),
            Ok(Err(error)) => return Err(cannot_be_used(address, &error)),
            Err(_) => format!("no answer within {} s", ATTEMPT_TIMEOUT.as_secs()),
        };
        if Instant::now() >= until {
            return Err(Error::Setup(format!("{address} cannot be used: {reason}")));
        }
        if !std::mem::replace(&mut is_logged, true) {
            tracing::warn!(
                reason,
                "{address} does not answer yet; retrying for {} s",
                CONNECT_TIMEOUT.as_secs()
            );
        }
        sleep(ATTEMPT_PAUSE).await;
    }
}

/// Whether the server may accept a connection later: it is unreachable, starts up (57P03) or has no free connection
/// (53300).
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}

/// Describes the server and database of a URL, without user and password.
fn without_secrets(url: &str) -> String {
    match url.parse::<PgConnectOptions>() {
        Ok(options) => format!(
            "the database {} at {}:{}",
            options.get_database().unwrap_or(options.get_username()),
            options.get_host(),
            options.get_port()
        ),
        Err(_) => "the database URL".to_owned(),
    }
}

fn cannot_be_used(address: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::Setup(format!("{address} cannot be used: {}", root_cause(error)))
}

/// Returns the text of the innermost cause. The outer errors only repeat it.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

//! The database: on SQLite one writer behind a fair queue and several readers, on PostgreSQL one pool.
//!
//! Rules that the rest of the code relies on:
//!
//! - Only [`Store::write`] opens transactions, and only SQL is awaited inside one.
//! - Each transaction runs in a spawned task, so a cancelled caller cannot separate a commit from its notifications.
//! - A closure passed to [`Store::write`] must be repeatable. It runs again if PostgreSQL reports a serialisation
//!   failure or a deadlock, or if the closure detects a race ([`Error::Contended`]).
//! - [`Tx::emit`] queues events, which are written last in the transaction.
//! - Readers never hold a transaction. [`Reader`] runs each statement in a spawned task, so no caller's future holds a
//!   connection, for example while a stream waits for its client.
//! - A query for a caller is limited to the caller's workspace by [`OfWorkspace`], and on PostgreSQL, if the setting is
//!   on, once more by row-level security.

pub mod entities;
mod open;
mod reader;
mod row_level_security;
mod tenant;
mod tx;
mod vacuum;

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, IsolationLevel, RuntimeErr, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};

use tracing::Instrument as _;

use crate::clock::{Clock, Millis};
use crate::ids::Ids;
use crate::{Error, Result};

pub use open::{DataFolder, connect, connect_alone, sqlite_file};
pub use reader::Reader;
pub use row_level_security::{of_all_workspaces, within};
pub use tenant::{OfWorkspace, Tenant};
pub use tx::{Committed, Tx};

/// The number of attempts at a transaction that fails with a serialisation failure, a deadlock or a race.
const ATTEMPTS: u32 = 8;

/// Sends the notifications of a commit.
pub trait AfterCommit: Send + Sync + 'static {
    /// Is called after each commit.
    fn committed(&self, committed: &Committed);
}

/// The hooks of a simulation, which can end the simulated process before each statement, and before and after each
/// commit.
pub trait Probe: Send + Sync + 'static {
    /// Whether the simulated process dies at this point.
    fn dies(&self, point: Point) -> bool;

    /// Waits until the simulation schedules this process again: between transactions, and on PostgreSQL also between
    /// the statements of one.
    fn turn(&self) -> BoxFuture<'_, ()>;
}

/// A point in a transaction at which a simulated process can die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    Begin,
    Statement,
    Commit,
    Committed,
}

/// The work of a transaction. The type of the result is erased, so the code around it is compiled once instead of once
/// per caller of [`Store::write`].
type Work = Box<dyn for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<()>> + Send + Sync>;

/// The database, shared by all parts of this process. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: DatabaseConnection,
    reader: Reader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    after_commit: Option<Arc<dyn AfterCommit>>,
    probe: Option<Arc<dyn Probe>>,
    database_clock: bool,
}

impl Store {
    /// Wraps open connections. `database_clock` means that other machines share the database, so times that processes
    /// compare come from the database's clock instead of this machine's.
    pub fn new(
        writer: DatabaseConnection,
        reader: impl Into<Reader>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        database_clock: bool,
    ) -> Self {
        Self {
            writer,
            reader: reader.into(),
            clock,
            ids,
            after_commit: None,
            probe: None,
            database_clock,
        }
    }

    /// Replaces the clock of this machine.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the hook that runs after each commit.
    #[must_use]
    pub fn with_after_commit(mut self, after_commit: Arc<dyn AfterCommit>) -> Self {
        self.after_commit = Some(after_commit);
        self
    }

    /// Sets the probe of a simulation.
    #[must_use]
    pub fn with_probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.probe = Some(probe);
        self
    }

    /// Returns the connections for reads outside of a transaction. On SQLite they cannot write.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Returns the writing connection, for work outside of [`Self::write`]: migrations at start, moves, maintenance.
    /// The caller's future holds it while a statement runs, so code that answers a client must not use it.
    pub fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Returns the time to use for all values that two processes compare, such as leases and due times.
    pub async fn now(&self) -> Result<Millis> {
        database_now(&self.reader, &*self.clock, self.database_clock).await
    }

    /// Runs `work` in one transaction and commits it, or rolls it back if `work` fails.
    ///
    /// # Errors
    /// The error of `work`, or of the database.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    {
        let written = Arc::new(Mutex::new(None));
        let filled = Arc::clone(&written);
        let work: Work = Box::new(move |tx| {
            let (value, filled) = (work(tx), Arc::clone(&filled));
            Box::pin(async move {
                *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(value.await?);
                Ok(())
            })
        });
        self.run(work).await?;
        let value = written.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or_else(|| Error::Internal("a transaction returned no result".to_owned()))
    }

    async fn run(&self, work: Work) -> Result<()> {
        let (store, workspace) = (self.clone(), self.reader.workspace());
        if self.probe.is_some() {
            // A simulated process dies with its transaction, so the transaction must not outlive the caller.
            return store.attempt_until_committed(&work, workspace).await;
        }
        // In the caller's span, because a job row stores the current trace.
        tokio::spawn(async move { store.attempt_until_committed(&work, workspace).await }.in_current_span())
            .await
            .map_err(|error| Error::Internal(format!("the task of a transaction ended: {error}")))?
    }

    async fn attempt_until_committed(&self, work: &Work, workspace: Option<Arc<str>>) -> Result<()> {
        let mut attempt = 1;
        loop {
            match self.attempt(work, workspace.clone()).await {
                Err(error) if attempt < ATTEMPTS && is_transient(&error) => {
                    tracing::debug!(%error, attempt, "transaction is retried");
                    attempt += 1;
                }
                Err(Error::Database(error)) if is_serialization_failure(&error) => {
                    tracing::debug!(%error, attempt, "transaction is not retried again");
                    return Err(Error::Contended("the same rows"));
                }
                result => return result,
            }
        }
    }

    async fn attempt(&self, work: &Work, workspace: Option<Arc<str>>) -> Result<()> {
        self.probe_at(Point::Begin).await;
        let options = TransactionOptions {
            isolation_level: (self.backend() == DbBackend::Postgres).then_some(IsolationLevel::ReadCommitted),
            access_mode: None,
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "only Store::write may open transactions"
        )]
        let inner = self.writer.begin_with_options(options).await?;
        let tx = Tx::new(
            inner,
            Arc::clone(&self.clock),
            Arc::clone(&self.ids),
            self.database_clock,
            self.probe.clone(),
            workspace,
        );
        let result = tx.perform(work).await;
        if tx.died() {
            // The simulated process stops for good here, so release the connection first: it may be the only one.
            tx.rollback().await?;
            return std::future::pending().await;
        }
        match result {
            Ok(()) => {
                if self.probe.as_ref().is_some_and(|probe| probe.dies(Point::Commit)) {
                    tx.rollback().await?;
                    return std::future::pending().await;
                }
                let committed = tx.commit().await?;
                self.probe_at(Point::Committed).await;
                if let Some(after_commit) = &self.after_commit {
                    after_commit.committed(&committed);
                }
                Ok(())
            }
            Err(error) => {
                tx.rollback().await?;
                Err(error)
            }
        }
    }

    async fn probe_at(&self, point: Point) {
        let Some(probe) = &self.probe else { return };
        if probe.dies(point) {
            std::future::pending::<()>().await;
        }
        probe.turn().await;
    }

    /// Counts the connections of each pool. PostgreSQL has one pool for reads and writes.
    #[expect(clippy::disallowed_methods, reason = "counts connections and acquires none")]
    pub fn pools(&self) -> Vec<Pool> {
        match self.backend() {
            DbBackend::Postgres => {
                let pool = self.writer.get_postgres_connection_pool();
                vec![Pool::new("shared", pool.size(), pool.num_idle())]
            }
            _ => [("writer", &self.writer), ("reader", self.reader.pool())]
                .map(|(name, connection)| {
                    let pool = connection.get_sqlite_connection_pool();
                    Pool::new(name, pool.size(), pool.num_idle())
                })
                .into(),
        }
    }

    /// Returns the database engine.
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }
}

/// The number of connections in a pool.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    pub name: &'static str,
    pub open: u32,
    pub idle: u32,
}

impl Pool {
    fn new(name: &'static str, open: u32, idle: usize) -> Self {
        // The two numbers are read one after the other, so they may not match.
        let idle = u32::try_from(idle).unwrap_or(open).min(open);
        Self { name, open, idle }
    }
}

/// Returns the time of the database's clock if several machines share the database, else of this machine's.
async fn database_now(
    connection: &impl ConnectionTrait,
    clock: &dyn Clock,
    database_clock: bool,
) -> Result<Millis> {
    if !database_clock {
        return Ok(clock.now());
    }
    let statement = Statement::from_string(
        connection.get_database_backend(),
        "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now",
    );
    let row = connection.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::Internal("the database returned no time".to_owned()))?;
    Ok(row.try_get("", "now")?)
}

/// Whether a retry can succeed: a serialisation failure (40001), a deadlock (40P01), or a race that the work detected.
fn is_transient(error: &Error) -> bool {
    match error {
        Error::Contended(_) => true,
        Error::Database(error) => is_serialization_failure(error),
        _ => false,
    }
}

/// Returns whether PostgreSQL ended the transaction for a serialization failure or a deadlock.
fn is_serialization_failure(error: &DbErr) -> bool {
    matches!(code(error).as_deref(), Some("40001" | "40P01"))
}

/// Returns the engine's error code. The error text depends on the language of the server.
pub(crate) fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return None;
    };
    cause
        .as_database_error()?
        .code()
        .map(std::borrow::Cow::into_owned)
}

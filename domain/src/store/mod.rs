//! The database: one writer behind a fair queue and several readers on SQLite, one pool on PostgreSQL.
//!
//! Rules that everything else relies on:
//!
//! - [`Store::write`] is the only place that opens a transaction, and only SQL is awaited inside one.
//! - A transaction runs in a task of its own: a caller that goes away cannot part a commit from its wakes.
//! - What a closure given to [`Store::write`] does must be repeatable: it runs again when PostgreSQL reports a
//!   serialisation failure or a deadlock, or when a race is noticed ([`Error::Contended`]).
//! - Events are appended by [`Tx::emit`] and written as the transaction's last act.
//! - Readers never hold a transaction. [`Reader`] runs each statement in a task of its own, so that no caller's future
//!   holds a connection: a stream that waits for its client holds none.

pub mod entities;
mod open;
mod reader;
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
pub use tx::{Committed, Tx};

/// How often a transaction is tried again after a serialisation failure, a deadlock or a race.
const ATTEMPTS: u32 = 8;

/// Told of what was committed, after it was.
pub trait AfterCommit: Send + Sync + 'static {
    fn committed(&self, committed: &Committed);
}

/// Where a simulation may strike: before and after each statement and each commit.
pub trait Probe: Send + Sync + 'static {
    /// Whether the process dies here.
    fn dies(&self, point: Point) -> bool;

    /// Waits for the process's next turn: between transactions, and on PostgreSQL between the statements of one.
    fn turn(&self) -> BoxFuture<'_, ()>;
}

/// A moment in a transaction's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    Begin,
    Statement,
    Commit,
    Committed,
}

/// What a transaction does. Without the type of its result, so that the machinery of transactions and of their tasks is
/// compiled once and not for each of the hundred callers of [`Store::write`].
type Work = Box<dyn for<'t> Fn(&'t Tx) -> BoxFuture<'t, Result<()>> + Send + Sync>;

/// The database, shared by everything in this process.
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
    /// Wraps open connections. `database_clock` says that other machines share this database, so that its clock, not
    /// this machine's, is the one that all of them compare.
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

    /// The same database by another clock of this machine.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets who is told of commits.
    #[must_use]
    pub fn with_after_commit(mut self, after_commit: Arc<dyn AfterCommit>) -> Self {
        self.after_commit = Some(after_commit);
        self
    }

    /// Sets where a simulated process dies.
    #[must_use]
    pub fn with_probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.probe = Some(probe);
        self
    }

    /// For reading outside of a transaction. On SQLite these connections cannot write.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The writing connection, for what no transaction is for: migrations at start, moves, upkeep. The caller's future
    /// holds it while a statement runs, so nothing that answers a client may use it.
    pub fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// The time that everything which two processes compare is measured by.
    pub async fn now(&self) -> Result<Millis> {
        database_now(&self.reader, &*self.clock, self.database_clock).await
    }

    /// Runs `work` in one transaction and commits what it did, or nothing.
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
        value.ok_or_else(|| Error::Internal("a transaction left no result".to_owned()))
    }

    async fn run(&self, work: Work) -> Result<()> {
        let store = self.clone();
        if self.probe.is_some() {
            // A simulated process dies with its transaction, so that nothing may outlive the caller.
            return store.attempt_until_committed(&work).await;
        }
        // In the caller's span: a job that is written goes on with its trace.
        tokio::spawn(async move { store.attempt_until_committed(&work).await }.in_current_span())
            .await
            .map_err(|error| Error::Internal(format!("a transaction's task ended: {error}")))?
    }

    async fn attempt_until_committed(&self, work: &Work) -> Result<()> {
        let mut attempt = 1;
        loop {
            match self.attempt(work).await {
                Err(error) if attempt < ATTEMPTS && is_transient(&error) => {
                    tracing::debug!(%error, attempt, "transaction is run again");
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn attempt(&self, work: &Work) -> Result<()> {
        self.strike(Point::Begin).await;
        let options = TransactionOptions {
            isolation_level: (self.backend() == DbBackend::Postgres).then_some(IsolationLevel::ReadCommitted),
            access_mode: None,
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        };
        #[expect(clippy::disallowed_methods, reason = "the one place that the rule points to")]
        let inner = self.writer.begin_with_options(options).await?;
        let tx = Tx::new(
            inner,
            Arc::clone(&self.clock),
            Arc::clone(&self.ids),
            self.database_clock,
            self.probe.clone(),
        );
        let result = match work(&tx).await {
            Ok(()) => tx.flush_events().await,
            Err(error) => Err(error),
        };
        if tx.died() {
            // Rolled back before the simulated process stops for good, since it holds the only connection.
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
                self.strike(Point::Committed).await;
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

    async fn strike(&self, point: Point) {
        let Some(probe) = &self.probe else { return };
        if probe.dies(point) {
            std::future::pending::<()>().await;
        }
        probe.turn().await;
    }

    /// How many connections there are, each pool by itself. PostgreSQL has one for both.
    #[expect(clippy::disallowed_methods, reason = "it counts connections and takes none")]
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

    /// Which engine this is.
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }
}

/// Connections to the database.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    pub name: &'static str,
    pub open: u32,
    pub idle: u32,
}

impl Pool {
    fn new(name: &'static str, open: u32, idle: usize) -> Self {
        // The two are counted one after the other.
        let idle = u32::try_from(idle).unwrap_or(open).min(open);
        Self { name, open, idle }
    }
}

/// The database's clock where several machines share it, else this machine's.
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
    let row = row.ok_or_else(|| Error::Internal("the database told no time".to_owned()))?;
    Ok(row.try_get("", "now")?)
}

/// Serialisation failure (40001), deadlock (40P01), or a race that a transaction noticed itself.
fn is_transient(error: &Error) -> bool {
    match error {
        Error::Contended(_) => true,
        Error::Database(error) => matches!(code(error).as_deref(), Some("40001" | "40P01")),
        _ => false,
    }
}

/// The engine's code for what went wrong: its words depend on its language.
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

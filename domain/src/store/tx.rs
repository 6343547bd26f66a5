//! Transactions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::sea_query::LockType;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, QuerySelect, Statement,
};

use super::{Point, Probe, Work, database_now, row_level_security};
use crate::clock::{Clock, Millis};
use crate::events::PendingEvent;
use crate::ids::Ids;
use crate::{Result, events};

/// The notifications to send after a commit.
#[derive(Debug, Default)]
pub struct Committed {
    /// The ids of the workspaces whose event log grew.
    pub workspaces: Vec<String>,
    /// The ids of jobs, each with the milliseconds until the job may be due.
    pub jobs: Vec<(String, Millis)>,
}

/// An open transaction. SQL runs on it as on any connection.
pub struct Tx {
    inner: DatabaseTransaction,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    database_clock: bool,
    probe: Option<Arc<dyn Probe>>,
    /// The workspace to which row-level security limits the transaction.
    workspace: Option<Arc<str>>,
    died: AtomicBool,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    events: Vec<PendingEvent>,
    committed: Committed,
}

impl Tx {
    pub(super) fn new(
        inner: DatabaseTransaction,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        database_clock: bool,
        probe: Option<Arc<dyn Probe>>,
        workspace: Option<Arc<str>>,
    ) -> Self {
        Self {
            inner,
            clock,
            ids,
            database_clock,
            probe,
            workspace,
            died: AtomicBool::new(false),
            pending: Mutex::default(),
        }
    }

    /// Returns the time to use for all values that two processes compare. Read it again after waiting for a lock.
    pub async fn now(&self) -> Result<Millis> {
        database_now(self, &*self.clock, self.database_clock).await
    }

    /// Returns a new id.
    pub fn id(&self) -> String {
        self.ids.id()
    }

    /// Returns random bytes.
    pub fn secret(&self) -> [u8; 32] {
        self.ids.secret()
    }

    /// Queues an event. It gets its sequence and is written after the closure of [`Store::write`](super::Store::write)
    /// succeeds.
    pub fn emit(&self, event: PendingEvent) {
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .events
            .push(event);
    }

    /// Notifies the worker of a job, `delay` milliseconds after the commit.
    pub fn notify_job(&self, job_id: impl Into<String>, delay: Millis) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.committed.jobs.push((job_id.into(), delay));
    }

    /// Makes a query lock the rows that it reads until the end of the transaction. SQLite has one writer and needs no
    /// row locks.
    pub fn locked<Q: QuerySelect>(&self, query: Q) -> Q {
        match self.inner.get_database_backend() {
            DbBackend::Postgres => query.lock(LockType::Update),
            _ => query,
        }
    }

    /// Runs a query that has to see the rows of all workspaces, such as the check of a limit on the whole instance.
    pub async fn of_all_workspaces<T>(&self, query: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(workspace_id) = &self.workspace else {
            return query.await;
        };
        row_level_security::limit(&self.inner, "").await?;
        let found = query.await;
        if found.is_ok() {
            // A failed query fails the transaction.
            row_level_security::limit(&self.inner, workspace_id).await?;
        }
        found
    }

    /// Runs the work of the transaction and writes its events.
    pub(super) async fn perform(&self, work: &Work) -> Result<()> {
        if let Some(workspace_id) = &self.workspace {
            row_level_security::limit(&self.inner, workspace_id).await?;
        }
        work(self).await?;
        self.flush_events().await
    }

    pub(super) fn died(&self) -> bool {
        self.died.load(Ordering::SeqCst)
    }

    async fn flush_events(&self) -> Result<()> {
        let events = std::mem::take(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner).events);
        if events.is_empty() {
            return Ok(());
        }
        let workspaces = events::append(self, events).await?;
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .committed
            .workspaces = workspaces;
        Ok(())
    }

    pub(super) async fn commit(self) -> Result<Committed> {
        self.inner.commit().await?;
        Ok(self
            .pending
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .committed)
    }

    pub(super) async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }

    async fn probe_statement(&self) -> std::result::Result<(), DbErr> {
        let Some(probe) = &self.probe else { return Ok(()) };
        if self.died() || probe.dies(Point::Statement) {
            self.died.store(true, Ordering::SeqCst);
            return Err(DbErr::Custom("the simulated process died".to_owned()));
        }
        // On SQLite the other processes of the simulation wait for this transaction, so yielding here would deadlock.
        if self.get_database_backend() == DbBackend::Postgres {
            probe.turn().await;
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> std::result::Result<ExecResult, DbErr> {
        self.probe_statement().await?;
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> std::result::Result<ExecResult, DbErr> {
        self.probe_statement().await?;
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> std::result::Result<Option<QueryResult>, DbErr> {
        self.probe_statement().await?;
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> std::result::Result<Vec<QueryResult>, DbErr> {
        self.probe_statement().await?;
        self.inner.query_all_raw(statement).await
    }
}

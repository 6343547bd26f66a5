//! One open transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::sea_query::LockType;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, QuerySelect, Statement,
};

use super::{Point, Probe, database_now};
use crate::clock::{Clock, Millis};
use crate::events::PendingEvent;
use crate::ids::Ids;
use crate::{Result, events};

/// What a commit made others want to know.
#[derive(Debug, Default)]
pub struct Committed {
    /// Owners whose event log grew.
    pub owners: Vec<String>,
    /// Jobs, each with the milliseconds until it may be due.
    pub jobs: Vec<(String, Millis)>,
}

/// An open transaction. SQL runs on it as on any connection.
pub struct Tx {
    inner: DatabaseTransaction,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    database_clock: bool,
    probe: Option<Arc<dyn Probe>>,
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
    ) -> Self {
        Self {
            inner,
            clock,
            ids,
            database_clock,
            probe,
            died: AtomicBool::new(false),
            pending: Mutex::default(),
        }
    }

    /// The time by which what several processes compare is measured. Ask again after waiting for a lock.
    pub async fn now(&self) -> Result<Millis> {
        database_now(self, &*self.clock, self.database_clock).await
    }

    /// A new id.
    pub fn id(&self) -> String {
        self.ids.id()
    }

    /// Random bytes.
    pub fn secret(&self) -> [u8; 32] {
        self.ids.secret()
    }

    /// Appends an event, written with its sequence when the closure has ended well.
    pub fn emit(&self, event: PendingEvent) {
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .events
            .push(event);
    }

    /// Rings for a job after the commit, when `delay` milliseconds have passed.
    pub fn ring(&self, job_id: impl Into<String>, delay: Millis) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.committed.jobs.push((job_id.into(), delay));
    }

    /// Locks the rows that a query reads until the end of the transaction. SQLite has one writer, and needs nothing.
    pub fn locked<Q: QuerySelect>(&self, query: Q) -> Q {
        match self.inner.get_database_backend() {
            DbBackend::Postgres => query.lock(LockType::Update),
            _ => query,
        }
    }

    pub(super) fn died(&self) -> bool {
        self.died.load(Ordering::SeqCst)
    }

    pub(super) async fn flush_events(&self) -> Result<()> {
        let events = std::mem::take(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner).events);
        if events.is_empty() {
            return Ok(());
        }
        let owners = events::append(self, events).await?;
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .committed
            .owners = owners;
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

    async fn strike(&self) -> std::result::Result<(), DbErr> {
        let Some(probe) = &self.probe else { return Ok(()) };
        if self.died() || probe.dies(Point::Statement) {
            self.died.store(true, Ordering::SeqCst);
            return Err(DbErr::Custom("the simulated process died".to_owned()));
        }
        // SQLite has one writer: whoever waited for it here would wait for ever.
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
        self.strike().await?;
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> std::result::Result<ExecResult, DbErr> {
        self.strike().await?;
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> std::result::Result<Option<QueryResult>, DbErr> {
        self.strike().await?;
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> std::result::Result<Vec<QueryResult>, DbErr> {
        self.strike().await?;
        self.inner.query_all_raw(statement).await
    }
}

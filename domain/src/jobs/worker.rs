//! Worker processes: who holds what, and whether a past holder can still act.

use std::time::Duration;

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter};
use vintedbot_marketplace::Process;

use super::{State, WorkerState};
use crate::clock::Millis;
use crate::publishing::ComposerState;
use crate::store::entities::{account_locks, composers, jobs, workers};
use crate::store::{Store, Tx};
use crate::{Error, Result, failpoints};

/// A worker process of this start.
#[derive(Clone, Debug)]
pub struct WorkerIdentity {
    /// New at every start.
    pub id: String,
    /// What an operator calls it.
    pub name: Option<String>,
    /// The machine, so that a process number means something.
    pub host: String,
    pub process: Process,
}

/// How often a worker says that it lives, and for how long it is believed.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
const FRESH_MS: Millis = 30_000;

/// Records that a worker has started.
///
/// # Errors
/// Another one that lives has its name: its heartbeat is fresh, and it is not known to be gone.
pub async fn open_worker(
    store: &Store,
    identity: &WorkerIdentity,
    is_running: fn(&Process) -> bool,
) -> Result<()> {
    let identity = identity.clone();
    store
        .write(move |tx| {
            let identity = identity.clone();
            async move {
                let now = tx.now().await?;
                if let Some(name) = &identity.name {
                    if tx.get_database_backend() == DbBackend::Postgres {
                        // Two that start at the same moment under one name: the second sees the first.
                        tx.execute_unprepared("LOCK TABLE workers IN SHARE ROW EXCLUSIVE MODE")
                            .await?;
                    }
                    let same = workers::Entity::find()
                        .filter(workers::Column::Name.eq(name.as_str()))
                        .filter(lives(now))
                        .all(tx)
                        .await?;
                    if let Some(other) = same.iter().find(|row| !is_gone(row, &identity, is_running)) {
                        return Err(Error::Setup(format!(
                            "a worker named {name} lives already (process {}, last heard of {} s ago); give this one another --name, \
                             or wait until {} s have passed without a word from that one",
                            other.pid,
                            (now - other.heartbeat_time) / 1000,
                            FRESH_MS / 1000
                        )));
                    }
                }
                let row = workers::ActiveModel {
                    id: Set(identity.id),
                    name: Set(identity.name),
                    host: Set(identity.host),
                    pid: Set(i64::from(identity.process.pid)),
                    start_ticks: Set(i64::try_from(identity.process.start_ticks).unwrap_or(i64::MAX)),
                    state: Set(WorkerState::Open),
                    start_time: Set(now),
                    heartbeat_time: Set(now),
                };
                workers::Entity::insert(row).exec_without_returning(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Whether a worker of another process is at work on this database. On SQLite there is no other.
pub(crate) async fn anybody_works(tx: &Tx) -> Result<bool> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(false);
    }
    let now = tx.now().await?;
    Ok(count_living(tx, now).await? > 0)
}

/// How many workers live, as far as is known.
pub(crate) async fn count_living(connection: &impl ConnectionTrait, now: Millis) -> Result<u64> {
    Ok(workers::Entity::find()
        .filter(lives(now))
        .count(connection)
        .await?)
}

/// It has not closed, and was heard of lately.
fn lives(now: Millis) -> Condition {
    Condition::all()
        .add(workers::Column::State.eq(WorkerState::Open))
        .add(workers::Column::HeartbeatTime.gt(now - FRESH_MS))
}

/// Records that a worker lives.
pub async fn heartbeat(store: &Store, worker_id: &str) -> Result<()> {
    set(store, worker_id, None).await
}

/// Records that a worker has ended by itself and does nothing any more.
pub async fn close_worker(store: &Store, worker_id: &str) -> Result<()> {
    set(store, worker_id, Some(WorkerState::Closed)).await
}

async fn set(store: &Store, worker_id: &str, state: Option<WorkerState>) -> Result<()> {
    let worker_id = worker_id.to_owned();
    store
        .write(move |tx| {
            let worker_id = worker_id.clone();
            async move {
                let now = tx.now().await?;
                let mut update = workers::Entity::update_many()
                    .col_expr(workers::Column::HeartbeatTime, Expr::value(now))
                    .filter(workers::Column::Id.eq(worker_id));
                if let Some(state) = state {
                    update = update.col_expr(workers::Column::State, Expr::value(state));
                }
                update.exec(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Forgets workers that gave no sign of life since `before`, unless a browser or a job may still be theirs. Returns how many.
pub async fn purge_workers(store: &Store, before: Millis) -> Result<u64> {
    store
        .write(move |tx| {
            async move {
                let browsers = Query::select()
                    .column(composers::Column::WorkerId)
                    .from(composers::Entity)
                    .and_where(composers::Column::State.eq(ComposerState::Open))
                    .to_owned();
                let at_work = Query::select()
                    .column(jobs::Column::WorkerId)
                    .from(jobs::Entity)
                    .and_where(jobs::Column::State.eq(State::Running))
                    .and_where(jobs::Column::WorkerId.is_not_null())
                    .to_owned();
                let gone = workers::Entity::delete_many()
                    .filter(workers::Column::HeartbeatTime.lt(before))
                    .filter(workers::Column::Id.not_in_subquery(browsers))
                    .filter(workers::Column::Id.not_in_subquery(at_work))
                    .exec(tx)
                    .await?;
                Ok(gone.rows_affected)
            }
            .boxed()
        })
        .await
}

/// Whether a worker runs, or ran, where this one does: only then do its process numbers mean anything.
pub async fn is_on_this_machine(store: &Store, worker_id: &str, this: &WorkerIdentity) -> Result<bool> {
    let row = workers::Entity::find_by_id(worker_id).one(store.reader()).await?;
    Ok(row.is_some_and(|row| row.host == this.host))
}

/// Whether the worker that held something is known to be gone: closed, or, on this machine, its process no longer runs.
pub async fn owner_is_gone(
    store: &Store,
    worker_id: &str,
    this: &WorkerIdentity,
    is_running: impl Fn(&Process) -> bool,
) -> Result<bool> {
    let Some(row) = workers::Entity::find_by_id(worker_id).one(store.reader()).await? else {
        return Ok(false);
    };
    Ok(is_gone(&row, this, is_running))
}

/// How a starting worker knows that earlier workers are gone.
#[derive(Clone, Copy)]
pub enum Proof {
    /// It holds the lock of the folder that the database lies in, so that no other process works on it.
    FolderLock,
    /// Another worker's row is closed, or its process no longer runs on this machine.
    Process(fn(&Process) -> bool),
}

/// Ends the leases of jobs whose worker is known to be gone, so that they are claimed at once. Returns how many there were.
///
/// Only the wait for the lease goes away. An open intent is still reconciled after its `reconcile_after` alone, and an
/// open session refresh keeps its wait. A job whose worker may live keeps its lease. The rows of workers stay as they are:
/// a copied database also has a free lock, and then a second attempt still needs its own proof.
pub async fn release_abandoned(store: &Store, this: &WorkerIdentity, proof: Proof) -> Result<usize> {
    if failpoints::disables("release") {
        return Ok(0);
    }
    let this = this.clone();
    store
        .write(move |tx| {
            let this = this.clone();
            async move {
                let others = workers::Entity::find().filter(workers::Column::Id.ne(this.id.as_str()));
                let gone: Vec<String> = others
                    .all(tx)
                    .await?
                    .into_iter()
                    .filter(|row| match proof {
                        Proof::FolderLock => true,
                        Proof::Process(is_running) => is_gone(row, &this, is_running),
                    })
                    .map(|row| row.id)
                    .collect();
                let now = tx.now().await?;
                let leased = jobs::Entity::find()
                    .filter(jobs::Column::State.eq(State::Running))
                    .filter(jobs::Column::LeaseUntil.gt(now));
                let abandoned: Vec<jobs::Model> = tx
                    .locked(leased)
                    .all(tx)
                    .await?
                    .into_iter()
                    .filter(|job| job.worker_id.as_ref().is_some_and(|id| gone.contains(id)))
                    .collect();
                for job in &abandoned {
                    end_lease(tx, job, now).await?;
                    tx.ring(&job.id, 0);
                }
                Ok(abandoned.len())
            }
            .boxed()
        })
        .await
}

/// Ends the lease of one job and, where the job holds the lock of its account, of that.
async fn end_lease(tx: &Tx, job: &jobs::Model, now: Millis) -> Result<()> {
    jobs::Entity::update_many()
        .col_expr(jobs::Column::LeaseUntil, Expr::value(now))
        .filter(jobs::Column::Id.eq(job.id.as_str()))
        .filter(jobs::Column::ClaimEpoch.eq(job.claim_epoch))
        .filter(jobs::Column::State.eq(State::Running))
        .exec(tx)
        .await?;
    account_locks::Entity::update_many()
        .col_expr(account_locks::Column::LeaseUntil, Expr::value(now))
        .filter(account_locks::Column::Holder.eq(job.id.as_str()))
        .filter(account_locks::Column::LeaseUntil.gt(now))
        .exec(tx)
        .await?;
    Ok(())
}

fn is_gone(row: &workers::Model, this: &WorkerIdentity, is_running: impl Fn(&Process) -> bool) -> bool {
    if row.state == WorkerState::Closed {
        return true;
    }
    if row.host != this.host {
        return false;
    }
    let process = Process {
        pid: u32::try_from(row.pid).unwrap_or(0),
        start_ticks: u64::try_from(row.start_ticks).unwrap_or(0),
    };
    !is_running(&process)
}

//! Worker processes: their registration and heartbeat, and whether the holder of a lease can still act.

use std::time::Duration;

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter};
use vintedbot_marketplace::Process;

use super::{State, WorkerState};
use crate::clock::Millis;
use crate::publishing::FormSessionState;
use crate::store::entities::{account_locks, jobs, listing_form_sessions, workers};
use crate::store::{Store, Tx};
use crate::{Error, Result, failpoints};

/// The identity of a worker process.
#[derive(Clone, Debug)]
pub struct WorkerIdentity {
    /// Unique for each start.
    pub id: String,
    /// The worker name that the operator set. Absent: none.
    pub name: Option<String>,
    /// The machine that the process number belongs to.
    pub host: String,
    pub process: Process,
}

/// The interval of a worker's heartbeat.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a worker counts as live after a heartbeat.
const FRESH_MS: Millis = 30_000;

/// Registers a worker that has started.
///
/// # Errors
/// `Setup` if a live worker has the same name: its heartbeat is fresh, and it is not known to be gone.
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
                        // Of two concurrent starts with the same name, the second must see the first.
                        tx.execute_unprepared("LOCK TABLE workers IN SHARE ROW EXCLUSIVE MODE")
                            .await?;
                    }
                    let same = workers::Entity::find()
                        .filter(workers::Column::Name.eq(name.as_str()))
                        .filter(is_live(now))
                        .all(tx)
                        .await?;
                    if let Some(other) = same.iter().find(|row| !is_gone(row, &identity, is_running)) {
                        return Err(Error::Setup(format!(
                            "a live worker is already named {name} (process {}, last heartbeat {} s ago); set \
                             another --name, or wait until it has sent no heartbeat for {} s",
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

/// Returns whether a worker is live on this database. Always false on SQLite, where no other process uses the database.
pub(crate) async fn any_worker_is_live(tx: &Tx) -> Result<bool> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(false);
    }
    let now = tx.now().await?;
    Ok(count_live(tx, now).await? > 0)
}

/// Counts the live workers.
pub(crate) async fn count_live(connection: &impl ConnectionTrait, now: Millis) -> Result<u64> {
    Ok(workers::Entity::find()
        .filter(is_live(now))
        .count(connection)
        .await?)
}

/// The condition of a live worker: it is open and its heartbeat is fresh.
fn is_live(now: Millis) -> Condition {
    Condition::all()
        .add(workers::Column::State.eq(WorkerState::Open))
        .add(workers::Column::HeartbeatTime.gt(now - FRESH_MS))
}

/// Records a worker's heartbeat.
pub async fn heartbeat(store: &Store, worker_id: &str) -> Result<()> {
    set(store, worker_id, None).await
}

/// Records that a worker has stopped and can no longer act.
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

/// Removes workers without a heartbeat since `before`, unless an open form session or a running job names them. Returns
/// the number of removed workers.
pub async fn purge_workers(store: &Store, before: Millis) -> Result<u64> {
    store
        .write(move |tx| {
            async move {
                let browsers = Query::select()
                    .column(listing_form_sessions::Column::WorkerId)
                    .from(listing_form_sessions::Entity)
                    .and_where(listing_form_sessions::Column::State.eq(FormSessionState::Open))
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

/// Returns whether a worker runs or ran on the same machine as this one. Only then can its process number be checked.
pub async fn is_on_this_machine(store: &Store, worker_id: &str, this: &WorkerIdentity) -> Result<bool> {
    let row = workers::Entity::find_by_id(worker_id).one(store.reader()).await?;
    Ok(row.is_some_and(|row| row.host == this.host))
}

/// Returns whether a worker is known to be gone: it is closed, or its process no longer runs on this machine.
pub async fn worker_is_gone(
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

/// The proof by which a starting worker knows that earlier workers are gone.
#[derive(Clone, Copy)]
pub enum Proof {
    /// This process holds the lock of the data folder with the database, so that no other process uses it.
    FolderLock,
    /// The other worker's row is closed, or its process no longer runs on this machine.
    Process(fn(&Process) -> bool),
}

/// Ends the leases of jobs whose worker is known to be gone, so that they can be claimed at once. Returns the number of
/// jobs.
///
/// This removes only the wait for the lease. An open intent is still reconciled only after its `reconcile_after`, and
/// an open session refresh still has its wait. A job whose worker may be live retains its lease. The workers' rows stay
/// unchanged, because the lock of a copied database is free too, and ending a form session needs a separate proof.
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
                    tx.notify_job(&job.id, 0);
                }
                Ok(abandoned.len())
            }
            .boxed()
        })
        .await
}

/// Ends the lease of a job, and of the account lock if the job holds one.
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

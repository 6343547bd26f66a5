//! Worker processes: who holds what, and whether a past holder can still act.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_marketplace::Process;

use super::{State, WorkerState};
use crate::Result;
use crate::clock::Millis;
use crate::publishing::ComposerState;
use crate::store::Store;
use crate::store::entities::{composers, jobs, workers};

/// A worker process of this start.
#[derive(Clone, Debug)]
pub struct WorkerIdentity {
    /// New at every start.
    pub id: String,
    /// The machine, so that a process number means something.
    pub host: String,
    pub process: Process,
}

/// Records that a worker has started.
pub async fn open_worker(store: &Store, identity: &WorkerIdentity) -> Result<()> {
    let identity = identity.clone();
    store
        .write(move |tx| {
            let identity = identity.clone();
            async move {
                let now = tx.now().await?;
                let row = workers::ActiveModel {
                    id: Set(identity.id),
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
    if row.state == WorkerState::Closed {
        return Ok(true);
    }
    if row.host != this.host {
        return Ok(false);
    }
    let process = Process {
        pid: u32::try_from(row.pid).unwrap_or(0),
        start_ticks: u64::try_from(row.start_ticks).unwrap_or(0),
    };
    Ok(!is_running(&process))
}

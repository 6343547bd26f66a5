//! Worker processes: who holds what, and whether a past holder can still act.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_marketplace::Process;

use super::WorkerState;
use crate::Result;
use crate::store::Store;
use crate::store::entities::workers;

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

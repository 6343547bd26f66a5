//! What happens in the background: job handlers and schedules.
//!
//! The job's row is the truth. apalis' queue only carries ids of jobs that may be due: the handler behind it claims the row,
//! hands it to a task of its own and always answers that all is well. A new kind of job is a module with a `run` function
//! and an arm in [`dispatch`].

mod accounts;
mod dispatch;
mod effects;
mod inbox;
mod photos;
mod publishing;
mod queue;
mod removal;
mod replies;
mod schedules;
mod search;
mod sessions;
mod stage;
mod wardrobe;
mod webhooks;

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vintedbot_connector::{Outside, this_process};
use vintedbot_domain::Domain;
use vintedbot_domain::jobs::{self, WorkerIdentity};
use vintedbot_marketplace::{Marketplace, Process};

pub use stage::Stage;
pub use webhooks::OutsideTargets;

/// How a worker works.
#[derive(Clone, Debug)]
pub struct Config {
    /// Jobs at work at the same time.
    pub concurrency: usize,
    /// Where attempts keep their profiles and files, one folder each.
    pub work_dir: PathBuf,
    /// The name of this machine, so that a process number in the database means something.
    pub host: String,
    /// How often each account's inbox is read, as written when the account is first connected.
    pub sync_interval_ms: i64,
}

/// What went wrong when a worker started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Domain(#[from] vintedbot_domain::Error),
    #[error("the doorbell has a listener already")]
    BellTaken,
}

/// Everything that a handler works with.
pub struct Worker {
    domain: Domain,
    marketplace: Arc<dyn Marketplace>,
    identity: WorkerIdentity,
    config: Config,
    /// Cancelled when the process is to end: no new claims, and attempts stop before their intent.
    drain: CancellationToken,
    is_running: fn(&Process) -> bool,
    /// How webhooks are sent; without it none are.
    outside: Option<Arc<Outside>>,
}

impl Worker {
    /// A worker of this process, not yet recorded or started.
    pub fn new(
        domain: Domain,
        marketplace: Arc<dyn Marketplace>,
        config: Config,
        drain: CancellationToken,
    ) -> Self {
        let identity = WorkerIdentity {
            id: domain.ids.id(),
            host: config.host.clone(),
            process: this_process(),
        };
        Self {
            domain,
            marketplace,
            identity,
            config,
            drain,
            is_running: vintedbot_connector::is_running,
            outside: None,
        }
    }

    /// One that sends webhooks too.
    #[must_use]
    pub fn with_webhooks(mut self, outside: Arc<Outside>) -> Self {
        self.outside = Some(outside);
        self
    }

    /// A simulated worker: processes are what the simulation says they are.
    #[must_use]
    pub fn simulated(mut self, process: Process, is_running: fn(&Process) -> bool) -> Self {
        self.identity.process = process;
        self.is_running = is_running;
        self
    }

    /// The same worker on another way to the same database, one that a simulation strikes at.
    #[must_use]
    pub fn on_store(mut self, store: vintedbot_domain::store::Store) -> Self {
        self.domain.store = store;
        self
    }

    /// Records the worker and works until the drain token is cancelled; returns when everything at work has ended.
    pub async fn run(self) -> Result<(), Error> {
        let rings = self.domain.bell.listen().ok_or(Error::BellTaken)?;
        jobs::open_worker(&self.domain.store, &self.identity).await?;
        let zone = self.domain.settings.zone();
        jobs::write_defaults(&self.domain.store, &schedules::DEFAULTS, &zone).await?;
        // Timers of the process before are gone with it.
        self.domain
            .bell
            .ring(&jobs::expected(&self.domain.store, jobs::HORIZON).await?);
        let worker = Arc::new(self);
        let tasks = TaskTracker::new();
        tasks.spawn(schedules::run(Arc::clone(&worker)));
        if let Some(outside) = worker.outside.clone() {
            tasks.spawn(webhooks::run(Arc::clone(&worker), outside));
        }
        tasks.spawn(search::run(Arc::clone(&worker)));
        queue::run(Arc::clone(&worker), rings, &tasks).await;
        tasks.close();
        tasks.wait().await;
        jobs::close_worker(&worker.domain.store, &worker.identity.id).await?;
        Ok(())
    }

    /// Claims one job, if it is due, and works on it to the end of this attempt.
    pub async fn work_on(self: &Arc<Self>, job_id: &str) -> vintedbot_domain::Result<bool> {
        dispatch::work_on(self, job_id).await
    }

    /// Records the worker, as [`Worker::run`] does, for those who drive it by hand.
    pub async fn open(&self) -> Result<(), Error> {
        Ok(jobs::open_worker(&self.domain.store, &self.identity).await?)
    }

    /// Records that the worker does nothing any more, for those who drive it by hand.
    pub async fn close(&self) -> Result<(), Error> {
        Ok(jobs::close_worker(&self.domain.store, &self.identity.id).await?)
    }
}

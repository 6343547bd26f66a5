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
pub mod relay;
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

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vintedbot_connector::{Outside, this_process};
use vintedbot_domain::Domain;
use vintedbot_domain::jobs::{self, Kind, WorkerIdentity};
use vintedbot_marketplace::{Marketplace, Process};

pub use relay::Relay;
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
    /// Whether no other process can be at work on the database.
    is_sole: bool,
    /// How webhooks are sent; without it none are.
    outside: Option<Arc<Outside>>,
    /// The kinds of jobs that it takes.
    kinds: Vec<Kind>,
    /// The way to other processes, if there are any.
    relay: Option<Arc<Relay>>,
    /// Told when something may be due that nobody rang for.
    looks: Arc<Notify>,
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
            name: None,
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
            is_sole: false,
            outside: None,
            kinds: Kind::all(),
            relay: None,
            looks: Arc::default(),
        }
    }

    /// One with a name, which no other that lives may have.
    #[must_use]
    pub fn named(mut self, name: Option<String>) -> Self {
        self.identity.name = name;
        self
    }

    /// One that takes jobs of these kinds alone.
    #[must_use]
    pub fn of_kinds(mut self, kinds: Vec<Kind>) -> Self {
        self.kinds = kinds;
        self
    }

    /// One that shares rings with other processes.
    #[must_use]
    pub fn with_relay(mut self, relay: Option<Arc<Relay>>) -> Self {
        self.relay = relay;
        self
    }

    fn takes_every_kind(&self) -> bool {
        self.kinds.len() == Kind::all().len()
    }

    /// Says whether this process holds the lock of the folder that the database lies in: then every earlier worker is gone.
    #[must_use]
    pub fn sole(mut self, is_sole: bool) -> Self {
        self.is_sole = is_sole;
        self
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
        jobs::open_worker(&self.domain.store, &self.identity, self.is_running).await?;
        self.release_abandoned().await?;
        let zone = self.domain.settings.zone();
        jobs::write_defaults(&self.domain.store, &schedules::DEFAULTS, &zone).await?;
        let worker = Arc::new(self);
        let tasks = TaskTracker::new();
        let lives = tokio::spawn(live(Arc::clone(&worker)));
        tasks.spawn(end_abandoned(Arc::clone(&worker)));
        if let Some(relay) = worker.relay.clone() {
            tasks.spawn(look_for_missed(Arc::clone(&worker), relay));
        }
        tasks.spawn(schedules::run(Arc::clone(&worker)));
        if let Some(outside) = worker.outside.clone() {
            tasks.spawn(webhooks::run(Arc::clone(&worker), outside));
        }
        tasks.spawn(search::run(Arc::clone(&worker)));
        queue::run(Arc::clone(&worker), rings, &tasks).await;
        tasks.close();
        tasks.wait().await;
        lives.abort();
        jobs::close_worker(&worker.domain.store, &worker.identity.id).await?;
        Ok(())
    }

    /// Ends the leases of workers that are known to be gone.
    async fn release_abandoned(&self) -> Result<(), Error> {
        let proof = match self.is_sole {
            true => jobs::Proof::FolderLock,
            false => jobs::Proof::Process(self.is_running),
        };
        let count = jobs::release_abandoned(&self.domain.store, &self.identity, proof).await?;
        if count > 0 {
            tracing::info!(count, "jobs of workers that are gone are taken up at once");
        }
        Ok(())
    }

    /// Claims one job, if it is due, and works on it to the end of this attempt.
    pub async fn work_on(self: &Arc<Self>, job_id: &str) -> vintedbot_domain::Result<bool> {
        dispatch::work_on(self, job_id).await
    }

    /// Records the worker, as [`Worker::run`] does, for those who drive it by hand.
    pub async fn open(&self) -> Result<(), Error> {
        Ok(jobs::open_worker(&self.domain.store, &self.identity, self.is_running).await?)
    }

    /// Records that the worker does nothing any more, for those who drive it by hand.
    pub async fn close(&self) -> Result<(), Error> {
        Ok(jobs::close_worker(&self.domain.store, &self.identity.id).await?)
    }
}

/// Ends the attempts of workers that are gone.
async fn end_abandoned(worker: Arc<Worker>) {
    if let Err(error) = publishing::end_abandoned(&worker).await {
        tracing::warn!(%error, "what killed attempts left behind is ended with their next jobs only");
    }
}

/// Says that the worker lives, until it has ended.
async fn live(worker: Arc<Worker>) {
    loop {
        tokio::time::sleep(jobs::HEARTBEAT).await;
        if let Err(error) = jobs::heartbeat(&worker.domain.store, &worker.identity.id).await {
            tracing::warn!(%error, "a worker's heartbeat could not be written; tried again");
        }
    }
}

/// Looks for what is due whenever rings may have been missed.
async fn look_for_missed(worker: Arc<Worker>, relay: Arc<Relay>) {
    loop {
        tokio::select! {
            () = worker.drain.cancelled() => return,
            () = relay.missed() => worker.looks.notify_one(),
        }
    }
}

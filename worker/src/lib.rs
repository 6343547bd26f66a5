//! Background work: job handlers and schedules.
//!
//! The job's row is authoritative. apalis' queue only carries ids of jobs that may be due. Its handler passes the id to
//! the dispatcher and always returns Ok; a separate task claims the row and executes the job. A new kind of job is a
//! module with a `run` function and an arm in [`dispatch`].

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
use vintedbot_connector::{EgressClient, this_process};
use vintedbot_domain::Context;
use vintedbot_domain::jobs::{self, Kind, WorkerIdentity};
use vintedbot_marketplace::{Marketplace, Process};

pub use relay::Relay;
pub use stage::Stage;
pub use webhooks::EgressTargets;

/// The settings of a worker.
#[derive(Clone, Debug)]
pub struct Config {
    /// The maximum jobs that run at the same time.
    pub concurrency: usize,
    /// The folder of browser profiles and files, with one folder per attempt.
    pub work_dir: PathBuf,
    /// The id of this machine, which gives the process ids in the database their meaning.
    pub host: String,
    /// The interval between readings of an account's inbox, stored when the account is first connected.
    pub sync_interval_ms: i64,
}

/// The error that prevents a worker from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Domain(#[from] vintedbot_domain::Error),
    #[error("the job notifier already has a listener")]
    NotifierTaken,
}

/// The state that every handler uses.
pub struct Worker {
    context: Context,
    marketplace: Arc<dyn Marketplace>,
    identity: WorkerIdentity,
    config: Config,
    /// Cancelled when the process drains. No new claims are made then, and attempts stop before their intent.
    drain: CancellationToken,
    is_running: fn(&Process) -> bool,
    /// Whether no other process can use the database.
    is_sole: bool,
    /// The client that sends webhooks. Without it, no webhook is sent.
    egress: Option<Arc<EgressClient>>,
    /// The kinds of jobs that the worker executes.
    kinds: Vec<Kind>,
    /// The relay to other processes, if there are any.
    relay: Option<Arc<Relay>>,
    /// Notified when jobs may be due for which no notification arrived.
    looks: Arc<Notify>,
}

impl Worker {
    /// Creates a worker of this process, which is not yet recorded or started.
    pub fn new(
        context: Context,
        marketplace: Arc<dyn Marketplace>,
        config: Config,
        drain: CancellationToken,
    ) -> Self {
        let identity = WorkerIdentity {
            id: context.ids.id(),
            name: None,
            host: config.host.clone(),
            process: this_process(),
        };
        Self {
            context,
            marketplace,
            identity,
            config,
            drain,
            is_running: vintedbot_connector::is_running,
            is_sole: false,
            egress: None,
            kinds: Kind::all(),
            relay: None,
            looks: Arc::default(),
        }
    }

    /// Sets the worker name, which must be unique among live workers.
    #[must_use]
    pub fn named(mut self, name: Option<String>) -> Self {
        self.identity.name = name;
        self
    }

    /// Restricts the worker to these kinds of jobs.
    #[must_use]
    pub fn of_kinds(mut self, kinds: Vec<Kind>) -> Self {
        self.kinds = kinds;
        self
    }

    /// Sets the relay that shares notifications with other processes.
    #[must_use]
    pub fn with_relay(mut self, relay: Option<Arc<Relay>>) -> Self {
        self.relay = relay;
        self
    }

    fn takes_every_kind(&self) -> bool {
        self.kinds.len() == Kind::all().len()
    }

    /// Sets whether this process holds the lock of the folder that contains the database. If it does, every earlier
    /// worker has ended.
    #[must_use]
    pub fn sole(mut self, is_sole: bool) -> Self {
        self.is_sole = is_sole;
        self
    }

    /// Sets the client that sends webhooks.
    #[must_use]
    pub fn with_webhooks(mut self, egress: Arc<EgressClient>) -> Self {
        self.egress = Some(egress);
        self
    }

    /// Simulates the worker's process and the check whether a process is running.
    #[must_use]
    pub fn simulated(mut self, process: Process, is_running: fn(&Process) -> bool) -> Self {
        self.identity.process = process;
        self.is_running = is_running;
        self
    }

    /// Replaces the store by another connection to the same database, in which a simulation injects faults.
    #[must_use]
    pub fn on_store(mut self, store: vintedbot_domain::store::Store) -> Self {
        self.context.store = store;
        self
    }

    /// Records the worker and executes jobs until the drain token is cancelled. Returns when all running jobs have
    /// ended.
    pub async fn run(self) -> Result<(), Error> {
        let notifications = self.context.notifier.listen().ok_or(Error::NotifierTaken)?;
        jobs::open_worker(&self.context.store, &self.identity, self.is_running).await?;
        self.release_abandoned().await?;
        let zone = self.context.settings.zone();
        jobs::write_defaults(&self.context.store, &schedules::DEFAULTS, &zone).await?;
        let worker = Arc::new(self);
        let tasks = TaskTracker::new();
        let heartbeats = tokio::spawn(send_heartbeats(Arc::clone(&worker)));
        tasks.spawn(end_abandoned(Arc::clone(&worker)));
        if let Some(relay) = worker.relay.clone() {
            tasks.spawn(look_for_missed(Arc::clone(&worker), relay));
        }
        tasks.spawn(schedules::run(Arc::clone(&worker)));
        if let Some(egress) = worker.egress.clone() {
            tasks.spawn(webhooks::run(Arc::clone(&worker), egress));
        }
        tasks.spawn(search::run(Arc::clone(&worker)));
        queue::run(Arc::clone(&worker), notifications, &tasks).await;
        tasks.close();
        tasks.wait().await;
        heartbeats.abort();
        jobs::close_worker(&worker.context.store, &worker.identity.id).await?;
        Ok(())
    }

    /// Ends the leases of workers that have provably ended.
    async fn release_abandoned(&self) -> Result<(), Error> {
        let proof = match self.is_sole {
            true => jobs::Proof::FolderLock,
            false => jobs::Proof::Process(self.is_running),
        };
        let count = jobs::release_abandoned(&self.context.store, &self.identity, proof).await?;
        if count > 0 {
            tracing::info!(count, "jobs of ended workers are released");
        }
        Ok(())
    }

    /// Claims one job, if it is due, and executes one attempt.
    pub async fn work_on(self: &Arc<Self>, job_id: &str) -> vintedbot_domain::Result<bool> {
        dispatch::work_on(self, job_id).await
    }

    /// Records the worker, like [`Worker::run`]. For tests and tools that call [`Worker::work_on`].
    pub async fn open(&self) -> Result<(), Error> {
        Ok(jobs::open_worker(&self.context.store, &self.identity, self.is_running).await?)
    }

    /// Records that the worker has ended. For tests and tools that call [`Worker::work_on`].
    pub async fn close(&self) -> Result<(), Error> {
        Ok(jobs::close_worker(&self.context.store, &self.identity.id).await?)
    }
}

/// Ends the attempts of workers that have ended.
async fn end_abandoned(worker: Arc<Worker>) {
    if let Err(error) = publishing::end_abandoned(&worker).await {
        tracing::warn!(%error, "form sessions of ended workers remain; the next jobs of their accounts end them");
    }
}

/// Records heartbeats until the task is aborted.
async fn send_heartbeats(worker: Arc<Worker>) {
    loop {
        tokio::time::sleep(jobs::HEARTBEAT).await;
        if let Err(error) = jobs::heartbeat(&worker.context.store, &worker.identity.id).await {
            tracing::warn!(%error, "the heartbeat of the worker could not be written; retrying");
        }
    }
}

/// Triggers a query of due jobs whenever notifications may have been missed.
async fn look_for_missed(worker: Arc<Worker>, relay: Arc<Relay>) {
    loop {
        tokio::select! {
            () = worker.drain.cancelled() => return,
            () = relay.missed() => worker.looks.notify_one(),
        }
    }
}

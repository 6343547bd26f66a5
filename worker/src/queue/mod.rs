//! The dispatcher: notifications report that a job may be due, the database contains the due jobs, and [`fair`] selects
//! the next one.
//!
//! While a slot is free and a single job is notified, the job is claimed at once. If more jobs wait than there are
//! slots, the due jobs are read from the database and scheduled fairly. The due jobs are also read once a second and at
//! the next known due time. A lost notification or a job of another process is therefore delayed by at most one second.

mod fair;
mod notifications;

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;
use vintedbot_domain::jobs::{self, Candidate, Kind};

use crate::Worker;
use fair::FairScheduler;

/// The maximum time between two queries of due jobs, and the maximum age of a result that is still used.
const QUERY_EVERY: Duration = Duration::from_secs(1);
/// A small delay, so that a job is also due by the database's clock.
const DUE_DELAY: Duration = Duration::from_millis(2);

/// Dispatches jobs until the drain.
pub async fn run(worker: Arc<Worker>, notifications: UnboundedReceiver<String>, tasks: &TaskTracker) {
    let (dispatcher, notified) = unbounded_channel();
    let (has_free_slot, free) = watch::channel(false);
    if let Some(relay) = &worker.relay {
        for kind in &worker.kinds {
            let (worker, relay) = (Arc::clone(&worker), Arc::clone(relay));
            tasks.spawn(notifications::shared(
                worker,
                relay,
                *kind,
                dispatcher.clone(),
                free.clone(),
            ));
        }
    }
    tasks.spawn(notifications::local(
        Arc::clone(&worker),
        notifications,
        dispatcher,
    ));
    let now = Instant::now();
    let dispatcher = Dispatcher {
        permits: Arc::new(Semaphore::new(worker.config.concurrency)),
        scheduler: FairScheduler::new(salt(&worker.identity.id)),
        worker,
        tasks: tasks.clone(),
        notified,
        has_free_slot,
        candidates: Vec::new(),
        more: Vec::new(),
        last_query: now,
        next_query: now,
        at_work: AtWork::default(),
    };
    dispatcher.run().await;
}

/// The dispatcher of jobs to free slots.
struct Dispatcher {
    worker: Arc<Worker>,
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
    notified: UnboundedReceiver<String>,
    /// Whether a slot is free.
    has_free_slot: watch::Sender<bool>,
    scheduler: FairScheduler,
    /// The due jobs of the last query that are not dispatched yet.
    candidates: Vec<Candidate>,
    /// Kinds of which the last query did not return all due jobs.
    more: Vec<Kind>,
    last_query: Instant,
    next_query: Instant,
    at_work: AtWork,
}

impl Dispatcher {
    async fn run(mut self) {
        let drain = self.worker.drain.clone();
        loop {
            let permits = Arc::clone(&self.permits);
            let permit = tokio::select! {
                biased;
                () = drain.cancelled() => return,
                permit = permits.acquire_owned() => permit,
                Some(job_id) = self.notified.recv() => {
                    self.pass_on(job_id);
                    continue;
                }
            };
            let Ok(permit) = permit else { return };
            let job_id = tokio::select! {
                biased;
                () = drain.cancelled() => return,
                job_id = self.next() => job_id,
            };
            self.start(job_id, permit);
        }
    }

    /// Offers a job to other processes, because no slot is free here. The next free slot here queries the due jobs.
    fn pass_on(&mut self, job_id: String) {
        self.next_query = Instant::now();
        if let Some(relay) = &self.worker.relay
            && !self.at_work.has(&job_id)
        {
            relay.offer(job_id);
        }
    }

    /// Waits for the next job.
    async fn next(&mut self) -> String {
        loop {
            if self.next_query <= Instant::now() || self.last_query.elapsed() > QUERY_EVERY {
                self.query_due().await;
            }
            if let Some(candidate) = self.scheduler.take(&mut self.candidates) {
                let is_last = !self.candidates.iter().any(|other| other.kind == candidate.kind);
                if self.candidates.is_empty() || is_last && self.more.contains(&candidate.kind) {
                    // More jobs may be due than one query returns.
                    self.next_query = Instant::now();
                }
                return candidate.id;
            }
            self.has_free_slot.send_replace(true);
            tokio::select! {
                () = sleep_until(self.next_query) => {}
                () = self.worker.looks.notified() => self.next_query = Instant::now(),
                Some(job_id) = self.notified.recv() => {
                    // A single job needs no choice. A worker of only some kinds does not know yet whether the job is of
                    // such a kind.
                    if self.notified.is_empty() && self.worker.takes_every_kind() && !self.at_work.has(&job_id) {
                        return job_id;
                    }
                    while self.notified.try_recv().is_ok() {}
                    self.next_query = Instant::now();
                }
            }
        }
    }

    async fn query_due(&mut self) {
        self.last_query = Instant::now();
        self.next_query = self.last_query + QUERY_EVERY;
        match jobs::due(&self.worker.context.store, &self.worker.kinds).await {
            Ok(due) => {
                self.candidates = due.candidates;
                self.more = due.more;
                self.candidates
                    .retain(|candidate| !self.at_work.has(&candidate.id));
                let next = due.next.and_then(|next| u64::try_from(next).ok());
                if let Some(next) = next.map(Duration::from_millis) {
                    self.next_query = self.next_query.min(self.last_query + next + DUE_DELAY);
                }
            }
            Err(error) => {
                self.candidates.clear();
                tracing::warn!(%error, "the due jobs could not be read; retrying");
            }
        }
    }

    /// Starts a job in a separate task.
    fn start(&mut self, job_id: String, permit: OwnedSemaphorePermit) {
        self.has_free_slot
            .send_replace(self.permits.available_permits() > 0);
        let (worker, at_work) = (Arc::clone(&self.worker), self.at_work.begin(&job_id));
        let work = async move {
            if let Err(error) = worker.work_on(&job_id).await {
                tracing::error!(%error, job_id, "an attempt's outcome could not be recorded; its lease will expire");
            }
            drop(at_work);
        };
        self.tasks.spawn(SLOT.scope(RefCell::new(Some(permit)), work));
    }
}

/// The jobs that this process executes. It prevents a second start of a job before its first start has claimed it.
#[derive(Clone, Default)]
struct AtWork(Arc<Mutex<HashSet<String>>>);

impl AtWork {
    fn has(&self, job_id: &str) -> bool {
        self.lock().contains(job_id)
    }

    fn begin(&self, job_id: &str) -> AtWorkGuard {
        self.lock().insert(job_id.to_owned());
        AtWorkGuard {
            at_work: self.clone(),
            job_id: job_id.to_owned(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the job from [`AtWork`] when dropped.
struct AtWorkGuard {
    at_work: AtWork,
    job_id: String,
}

impl Drop for AtWorkGuard {
    fn drop(&mut self) {
        self.at_work.lock().remove(&self.job_id);
    }
}

/// Derives a number from the worker's id.
fn salt(id: &str) -> u64 {
    id.bytes().fold(0, |salt: u64, byte| {
        salt.wrapping_mul(31).wrapping_add(u64::from(byte))
    })
}

tokio::task_local! {
    /// The slot that a task occupies while it executes its job.
    static SLOT: RefCell<Option<OwnedSemaphorePermit>>;
}

/// Releases this task's slot for another job. From here on, the task waits for a person.
pub fn free_hand() {
    // A worker without a dispatcher has no slot to release.
    let _ = SLOT.try_with(RefCell::take);
}

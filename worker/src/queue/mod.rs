//! Who does what next: rings say that there may be work, the database says which, and [`fair`] says whose turn it is.
//!
//! While a hand is free and one job rings, it is claimed at once. As soon as more is waiting than there are hands for, what is
//! due is read from the database and handed out in turn. Besides, it is read once a second and whenever something is known to
//! come due, so that a ring that is lost, and a job of another process, cost a second at most.

mod doorbell;
mod fair;

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
use fair::Turns;

/// The longest without a look, and the longest that one is relied upon.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A little late, so that what comes due is due by the database's clock too.
const LATE: Duration = Duration::from_millis(2);

/// Hands out work until the drain.
pub async fn run(worker: Arc<Worker>, rings: UnboundedReceiver<String>, tasks: &TaskTracker) {
    let (desk, rung) = unbounded_channel();
    let (is_free, free) = watch::channel(false);
    if let Some(relay) = &worker.relay {
        for kind in &worker.kinds {
            let (worker, relay) = (Arc::clone(&worker), Arc::clone(relay));
            tasks.spawn(doorbell::shared(worker, relay, *kind, desk.clone(), free.clone()));
        }
    }
    tasks.spawn(doorbell::local(Arc::clone(&worker), rings, desk));
    let now = Instant::now();
    let desk = Desk {
        permits: Arc::new(Semaphore::new(worker.config.concurrency)),
        turns: Turns::new(salt(&worker.identity.id)),
        worker,
        tasks: tasks.clone(),
        rung,
        is_free,
        candidates: Vec::new(),
        more: Vec::new(),
        looked: now,
        next_look: now,
        at_work: AtWork::default(),
    };
    desk.run().await;
}

/// Where work is handed out.
struct Desk {
    worker: Arc<Worker>,
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
    rung: UnboundedReceiver<String>,
    /// Whether there is a hand that has nothing to do.
    is_free: watch::Sender<bool>,
    turns: Turns,
    /// What was due at the last look and is not handed out.
    candidates: Vec<Candidate>,
    /// Kinds of which that look did not bring everything.
    more: Vec<Kind>,
    looked: Instant,
    next_look: Instant,
    at_work: AtWork,
}

impl Desk {
    async fn run(mut self) {
        let drain = self.worker.drain.clone();
        loop {
            let permits = Arc::clone(&self.permits);
            let permit = tokio::select! {
                biased;
                () = drain.cancelled() => return,
                permit = permits.acquire_owned() => permit,
                Some(job_id) = self.rung.recv() => {
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
            self.hand_out(job_id, permit);
        }
    }

    /// No hand is free: somebody else may have one, and whoever is free here first looks for what there is.
    fn pass_on(&mut self, job_id: String) {
        self.next_look = Instant::now();
        if let Some(relay) = &self.worker.relay
            && !self.at_work.has(&job_id)
        {
            relay.offer(job_id);
        }
    }

    /// The job that is to be done next, when there is one.
    async fn next(&mut self) -> String {
        loop {
            if self.next_look <= Instant::now() || self.looked.elapsed() > LOOK_EVERY {
                self.look().await;
            }
            if let Some(candidate) = self.turns.take(&mut self.candidates) {
                let is_last = !self.candidates.iter().any(|other| other.kind == candidate.kind);
                if self.candidates.is_empty() || is_last && self.more.contains(&candidate.kind) {
                    // There may be more than one look brings.
                    self.next_look = Instant::now();
                }
                return candidate.id;
            }
            self.is_free.send_replace(true);
            tokio::select! {
                () = sleep_until(self.next_look) => {}
                () = self.worker.looks.notified() => self.next_look = Instant::now(),
                Some(job_id) = self.rung.recv() => {
                    // Alone, it needs no choice. A worker of some kinds alone does not know yet whether it is of those.
                    if self.rung.is_empty() && self.worker.takes_every_kind() && !self.at_work.has(&job_id) {
                        return job_id;
                    }
                    while self.rung.try_recv().is_ok() {}
                    self.next_look = Instant::now();
                }
            }
        }
    }

    async fn look(&mut self) {
        self.looked = Instant::now();
        self.next_look = self.looked + LOOK_EVERY;
        match jobs::due(&self.worker.domain.store, &self.worker.kinds).await {
            Ok(due) => {
                self.candidates = due.candidates;
                self.more = due.more;
                self.candidates
                    .retain(|candidate| !self.at_work.has(&candidate.id));
                let next = due.next.and_then(|next| u64::try_from(next).ok());
                if let Some(next) = next.map(Duration::from_millis) {
                    self.next_look = self.next_look.min(self.looked + next + LATE);
                }
            }
            Err(error) => {
                self.candidates.clear();
                tracing::warn!(%error, "what is due could not be read; tried again");
            }
        }
    }

    /// Starts work on a job in a task of its own.
    fn hand_out(&mut self, job_id: String, permit: OwnedSemaphorePermit) {
        self.is_free.send_replace(self.permits.available_permits() > 0);
        let (worker, at_work) = (Arc::clone(&self.worker), self.at_work.begin(&job_id));
        let work = async move {
            if let Err(error) = worker.work_on(&job_id).await {
                tracing::error!(%error, job_id, "an attempt could not be written down; its lease runs out");
            }
            drop(at_work);
        };
        self.tasks.spawn(HAND.scope(RefCell::new(Some(permit)), work));
    }
}

/// The jobs that this process works on, so that it does not take one twice before the first has claimed it.
#[derive(Clone, Default)]
struct AtWork(Arc<Mutex<HashSet<String>>>);

impl AtWork {
    fn has(&self, job_id: &str) -> bool {
        self.lock().contains(job_id)
    }

    fn begin(&self, job_id: &str) -> Ends {
        self.lock().insert(job_id.to_owned());
        Ends {
            at_work: self.clone(),
            job_id: job_id.to_owned(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Dropped, the job is not worked on any more, however that ended.
struct Ends {
    at_work: AtWork,
    job_id: String,
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.at_work.lock().remove(&self.job_id);
    }
}

/// A number of this worker's own.
fn salt(id: &str) -> u64 {
    id.bytes().fold(0, |salt: u64, byte| {
        salt.wrapping_mul(31).wrapping_add(u64::from(byte))
    })
}

tokio::task_local! {
    /// The hand that a task has for as long as it works on its job.
    static HAND: RefCell<Option<OwnedSemaphorePermit>>;
}

/// Frees this task's hand for another job: what it does from here on is to wait for a person.
pub fn free_hand() {
    // Who drives a worker by hand has none to free.
    let _ = HAND.try_with(RefCell::take);
}

//! The one place that knows the queue: rings go into apalis' storage, and its worker hands them out.
//!
//! Attempts, back-off and time-outs live in the job table, so apalis is asked for none of them, and its handler always
//! answers Ok. Its worker is started again under a new name whenever it ends before the drain.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{
    Data, MemorySink, MemoryStorage, MemoryStorageError, Task, TaskBuilder, WorkerBuilder,
};
use futures::channel::mpsc::unbounded;
use futures::lock::Mutex;
use futures::{Sink, SinkExt, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc::UnboundedReceiver};
use tokio_util::task::TaskTracker;

use crate::Worker;

/// What the handler needs.
#[derive(Clone)]
struct Hands {
    worker: Arc<Worker>,
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
}

/// Pause before apalis' worker is started again after it ended by itself.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// Hands out rings until the drain.
pub async fn run(worker: Arc<Worker>, mut rings: UnboundedReceiver<String>, tasks: &TaskTracker) {
    let drain = worker.drain.clone();
    let permits = Arc::new(Semaphore::new(worker.config.concurrency));
    let hands = Hands {
        worker: Arc::clone(&worker),
        tasks: tasks.clone(),
        permits,
    };
    let mut starts = 0u32;
    while !drain.is_cancelled() {
        let (storage, mut sink) = storage();
        starts += 1;
        let name = format!("{}-{starts}", worker.identity.id);
        let built = WorkerBuilder::new(name)
            .backend(storage)
            .data(hands.clone())
            .build(ring);
        let forward = async {
            while let Some(job_id) = rings.recv().await {
                if let Err(error) = sink.send(TaskBuilder::new(job_id).build()).await {
                    return tracing::warn!(%error, "a ring was lost; the sweeper finds its job");
                }
            }
        };
        tokio::select! {
            () = drain.cancelled() => return,
            () = forward => {}
            result = built.run() => tracing::warn!(?result, "the queue's worker ended and is started again"),
        }
        tokio::time::sleep(RESTART_PAUSE).await;
    }
}

/// apalis' storage in this process, and the end of it that rings are put into.
fn storage() -> (MemoryStorage<String>, MemorySink<String>) {
    let (sender, receiver) = unbounded::<Task<String>>();
    let sender = sender.sink_map_err(MemoryStorageError::from);
    let sender: Box<dyn Sink<Task<String>, Error = MemoryStorageError> + Send + Sync + Unpin> =
        Box::new(sender);
    let sink = MemorySink::new(Arc::new(Mutex::new(sender)));
    (MemoryStorage::new_with(sink.clone(), receiver.boxed()), sink)
}

/// Starts work on a job in a task of its own, as soon as a hand is free.
async fn ring(job_id: String, hands: Data<Hands>) {
    let Hands {
        worker,
        tasks,
        permits,
    } = (*hands).clone();
    if worker.drain.is_cancelled() {
        return;
    }
    let Ok(permit) = permits.acquire_owned().await else {
        return;
    };
    let work = async move {
        if let Err(error) = worker.work_on(&job_id).await {
            tracing::error!(%error, job_id, "an attempt could not be written down; its lease runs out");
        }
    };
    tasks.spawn(HAND.scope(RefCell::new(Some(permit)), work));
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

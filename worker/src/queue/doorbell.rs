//! apalis: rings go into its storage, and its workers hand them out.
//!
//! Attempts, back-off and time-outs live in the job table, so apalis is asked for none of them. Its workers end when their
//! storage fails them; each is started again under a new name, ever less often while that goes on.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::prelude::{
    BackendExt as _, MemorySink, MemoryStorage, MemoryStorageError, Task, TaskBuilder, WorkerBuilder,
};
use apalis_core::backend::ext::poll_strategy::Strategy;
use futures::channel::mpsc::unbounded;
use futures::lock::Mutex;
use futures::{FutureExt as _, Sink, SinkExt as _, StreamExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tower::Service;
use vintedbot_domain::jobs::Kind;

use crate::Worker;
use crate::relay::Relay;

/// Pauses before apalis' worker is started again after it ended by itself: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(10);
/// One that ran for so long had been well.
const WAS_WELL: Duration = Duration::from_secs(30);
/// How often Redis is looked at without being woken.
const POLL: Duration = Duration::from_secs(1);
/// How often what was handed out is removed from Redis.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// Takes the rings of this process to the desk, until the drain.
pub async fn local(worker: Arc<Worker>, mut rings: UnboundedReceiver<String>, desk: UnboundedSender<String>) {
    let mut restarts = Restarts::default();
    while !worker.drain.is_cancelled() {
        let (storage, mut sink) = memory();
        let hand_over = HandOver {
            desk: desk.clone(),
            gate: None,
        };
        let built = WorkerBuilder::new(restarts.name(&worker, "local"))
            .backend(storage)
            .build(hand_over);
        let forward = async {
            while let Some(job_id) = rings.recv().await {
                if let Err(error) = sink.send(TaskBuilder::new(job_id).build()).await {
                    return tracing::warn!(%error, "a ring was lost; the next look finds its job");
                }
            }
        };
        tokio::select! {
            () = worker.drain.cancelled() => return,
            () = forward => {}
            result = built.run() => tracing::warn!(?result, "the queue's worker ended and is started again"),
        }
        restarts.pause().await;
    }
}

/// Takes rings for one kind out of Redis while a hand is free here, until the drain.
pub async fn shared(
    worker: Arc<Worker>,
    relay: Arc<Relay>,
    kind: Kind,
    desk: UnboundedSender<String>,
    is_free: watch::Receiver<bool>,
) {
    let mut restarts = Restarts::default();
    while !worker.drain.is_cancelled() {
        let (storage, wakes) = relay.storage(kind);
        let strategy = Strategy::new().stream(wakes).interval(POLL);
        let hand_over = HandOver {
            desk: desk.clone(),
            gate: Some(Gate {
                is_free: is_free.clone(),
                opens: None,
            }),
        };
        let built = WorkerBuilder::new(restarts.name(&worker, &kind.name()))
            .backend(storage.poll_with_strategy(strategy))
            .build(hand_over);
        let tidy = async {
            loop {
                sleep(TIDY_EVERY).await;
                if let Err(error) = relay.tidy(kind).await {
                    tracing::debug!(%error, "old rings are still in Redis; tried again");
                }
            }
        };
        tokio::select! {
            () = worker.drain.cancelled() => return,
            () = tidy => {}
            result = built.run() => {
                let kind = kind.name();
                // The others end for the same reason at the same moment.
                if restarts.is_first() && relay.tell_of_listeners(WAS_WELL) {
                    tracing::warn!(?result, kind, "listeners for rings in Redis ended and are started again, until they last");
                } else {
                    tracing::debug!(?result, kind, "the listener in Redis is started again");
                }
            }
        }
        restarts.pause().await;
    }
}

/// Names for workers that are started again and again, and the pauses in between.
#[derive(Default)]
struct Restarts {
    count: u32,
    began: Option<Instant>,
    pause: Duration,
}

impl Restarts {
    /// A new name every time: apalis holds a name for taken until it has been silent for long.
    fn name(&mut self, worker: &Worker, what: &str) -> String {
        self.count += 1;
        self.began = Some(Instant::now());
        format!("{}-{what}-{}", worker.identity.id, self.count)
    }

    /// Whether it was well before, so that it is worth a word.
    fn is_first(&self) -> bool {
        self.pause.is_zero() || self.began.is_some_and(|began| began.elapsed() > WAS_WELL)
    }

    async fn pause(&mut self) {
        let was_well = self.began.is_some_and(|began| began.elapsed() > WAS_WELL);
        self.pause = if was_well {
            FIRST_PAUSE
        } else {
            (self.pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE)
        };
        sleep(self.pause).await;
    }
}

/// apalis' storage in this process, and the end of it that rings are put into.
fn memory() -> (MemoryStorage<String>, MemorySink<String>) {
    let (sender, receiver) = unbounded::<Task<String>>();
    let sender = sender.sink_map_err(MemoryStorageError::from);
    let sender: Box<dyn Sink<Task<String>, Error = MemoryStorageError> + Send + Sync + Unpin> =
        Box::new(sender);
    let sink = MemorySink::new(Arc::new(Mutex::new(sender)));
    (MemoryStorage::new_with(sink.clone(), receiver.boxed()), sink)
}

/// What apalis calls with each ring: it is put on the desk, and all is well.
struct HandOver {
    desk: UnboundedSender<String>,
    /// Closed, rings are left where they are, for another process.
    gate: Option<Gate>,
}

struct Gate {
    is_free: watch::Receiver<bool>,
    opens: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Gate {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let opens = self.opens.get_or_insert_with(|| {
            let mut is_free = self.is_free.clone();
            async move { drop(is_free.wait_for(|is_free| *is_free).await) }.boxed()
        });
        let polled = opens.as_mut().poll(context);
        if polled.is_ready() {
            self.opens = None;
        }
        polled
    }
}

impl Service<Task<String>> for HandOver {
    type Response = ();
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<(), Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match &mut self.gate {
            Some(gate) => gate.poll(context).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, ring: Task<String>) -> Self::Future {
        // Nobody at the desk: the process drains.
        drop(self.desk.send(ring.args));
        std::future::ready(Ok(()))
    }
}

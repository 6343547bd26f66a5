//! Notifications through apalis: they are pushed to its storage, and its workers pass them to the dispatcher.
//!
//! Attempts, backoff and timeouts are handled by the job table, so apalis' own are not used. apalis' workers end if
//! their storage fails. Each is restarted with a new name and with growing pauses.

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

/// The first and the longest pause before an ended apalis worker is restarted.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(10);
/// A worker that ran for this time counts as healthy.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);
/// The interval at which Redis is polled without a wake-up.
const POLL: Duration = Duration::from_secs(1);
/// The interval at which handled notifications are removed from Redis.
const CLEANUP_EVERY: Duration = Duration::from_secs(30);

/// Passes the notifications of this process to the dispatcher, until the drain.
pub async fn local(
    worker: Arc<Worker>,
    mut notifications: UnboundedReceiver<String>,
    dispatcher: UnboundedSender<String>,
) {
    let mut restarts = Restarts::default();
    while !worker.drain.is_cancelled() {
        let (storage, mut sink) = memory();
        let service = DispatchService {
            dispatcher: dispatcher.clone(),
            gate: None,
        };
        let built = WorkerBuilder::new(restarts.name(&worker, "local"))
            .backend(storage)
            .build(service);
        let forward = async {
            while let Some(job_id) = notifications.recv().await {
                if let Err(error) = sink.send(TaskBuilder::new(job_id).build()).await {
                    return tracing::warn!(%error, "a notification was lost; the next query finds its job");
                }
            }
        };
        tokio::select! {
            () = worker.drain.cancelled() => return,
            () = forward => {}
            result = built.run() => tracing::warn!(?result, "the queue's worker ended; restarting it"),
        }
        restarts.pause().await;
    }
}

/// Takes notifications for one kind from Redis while a slot is free here, until the drain.
pub async fn shared(
    worker: Arc<Worker>,
    relay: Arc<Relay>,
    kind: Kind,
    dispatcher: UnboundedSender<String>,
    has_free_slot: watch::Receiver<bool>,
) {
    let mut restarts = Restarts::default();
    while !worker.drain.is_cancelled() {
        let (storage, wakes) = relay.storage(kind);
        let strategy = Strategy::new().stream(wakes).interval(POLL);
        let service = DispatchService {
            dispatcher: dispatcher.clone(),
            gate: Some(Gate {
                has_free_slot: has_free_slot.clone(),
                opens: None,
            }),
        };
        let built = WorkerBuilder::new(restarts.name(&worker, &kind.name()))
            .backend(storage.poll_with_strategy(strategy))
            .build(service);
        let cleanup = async {
            loop {
                sleep(CLEANUP_EVERY).await;
                if let Err(error) = relay.cleanup(kind).await {
                    tracing::debug!(%error, "handled notifications could not be removed from Redis; retrying");
                }
            }
        };
        tokio::select! {
            () = worker.drain.cancelled() => return,
            () = cleanup => {}
            result = built.run() => {
                let kind = kind.name();
                // The listeners of the other kinds end for the same reason at the same time.
                if restarts.is_first() && relay.tell_of_listeners(HEALTHY_AFTER) {
                    tracing::warn!(?result, kind, "the listeners for notifications in Redis ended; restarting them");
                } else {
                    tracing::debug!(?result, kind, "restarting the listener in Redis");
                }
            }
        }
        restarts.pause().await;
    }
}

/// The names and the pauses of a restarted worker.
#[derive(Default)]
struct Restarts {
    count: u32,
    began: Option<Instant>,
    pause: Duration,
}

impl Restarts {
    /// Returns a new name for every start, because apalis reserves a name until its worker has been silent for long.
    fn name(&mut self, worker: &Worker, what: &str) -> String {
        self.count += 1;
        self.began = Some(Instant::now());
        format!("{}-{what}-{}", worker.identity.id, self.count)
    }

    /// Returns whether the worker was healthy before, so that its end is worth a warning.
    fn is_first(&self) -> bool {
        self.pause.is_zero() || self.began.is_some_and(|began| began.elapsed() > HEALTHY_AFTER)
    }

    async fn pause(&mut self) {
        let was_healthy = self.began.is_some_and(|began| began.elapsed() > HEALTHY_AFTER);
        self.pause = if was_healthy {
            FIRST_PAUSE
        } else {
            (self.pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE)
        };
        sleep(self.pause).await;
    }
}

/// Returns apalis' in-process storage and the sink for notifications.
fn memory() -> (MemoryStorage<String>, MemorySink<String>) {
    let (sender, receiver) = unbounded::<Task<String>>();
    let sender = sender.sink_map_err(MemoryStorageError::from);
    let sender: Box<dyn Sink<Task<String>, Error = MemoryStorageError> + Send + Sync + Unpin> =
        Box::new(sender);
    let sink = MemorySink::new(Arc::new(Mutex::new(sender)));
    (MemoryStorage::new_with(sink.clone(), receiver.boxed()), sink)
}

/// The service that apalis calls with each notification. It passes the job id to the dispatcher and always returns Ok.
struct DispatchService {
    dispatcher: UnboundedSender<String>,
    /// While the gate is closed, notifications remain in Redis for another process.
    gate: Option<Gate>,
}

struct Gate {
    has_free_slot: watch::Receiver<bool>,
    opens: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Gate {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let opens = self.opens.get_or_insert_with(|| {
            let mut has_free_slot = self.has_free_slot.clone();
            async move { drop(has_free_slot.wait_for(|has_free_slot| *has_free_slot).await) }.boxed()
        });
        let polled = opens.as_mut().poll(context);
        if polled.is_ready() {
            self.opens = None;
        }
        polled
    }
}

impl Service<Task<String>> for DispatchService {
    type Response = ();
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<(), Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match &mut self.gate {
            Some(gate) => gate.poll(context).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, notification: Task<String>) -> Self::Future {
        // Sending fails only while the process drains.
        drop(self.dispatcher.send(notification.args));
        std::future::ready(Ok(()))
    }
}

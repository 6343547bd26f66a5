//! Fan-out of the event log: one tailer per workspace and process reads the log and sends its events to all watchers.
//!
//! A hint wakes a tailer. In addition, one query a second polls the heads of all watched workspaces, so a lost hint
//! delays an event by at most one second, and events of other processes are found. A watcher that lags reads the log
//! itself; no event is dropped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, broadcast, mpsc};

use super::{Event, log};
use crate::inbox::sync::Freshness;
use crate::store::{Committed, Store};

/// The number of events that a watcher may lag behind before it reads the log itself.
const BUFFER: usize = 256;
/// The number of events that a tailer reads with one query.
const BATCH: u64 = 256;
/// The interval at which the heads of watched workspaces are polled. Streams end within a second of the revocation of
/// their token or session.
const POLL: Duration = Duration::from_millis(500);
/// The position of a tailer that has not read the head yet. It differs from every head.
const UNKNOWN: i64 = -1;

/// Progress or freshness: sent to the current watchers, never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ephemeral {
    /// The progress of an upload call: the photos processed so far.
    Photos {
        request_id: String,
        done: i32,
        total: i32,
        file_name: String,
    },
    /// A step of a publish job.
    PublishStep {
        publish_job_id: String,
        number: i64,
        attempt: i64,
        step: String,
        outcome: String,
        message: String,
        time: i64,
        selector: Option<String>,
        thumbnail_key: Option<String>,
    },
    /// The outcome of an inbox sync of an account.
    InboxFreshness {
        account_id: String,
        freshness: Freshness,
    },
}

/// A message to other processes, which then query at once instead of at their next poll. A lost hint costs only that
/// delay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hint {
    /// The event logs of these workspaces grew.
    Grown { workspaces: Vec<String> },
    /// Webhook work may be due.
    Webhooks,
    /// An ephemeral message for the current watchers of this workspace.
    Told {
        workspace_id: String,
        ephemeral: Ephemeral,
    },
}

/// A message to a watcher.
#[derive(Clone, Debug)]
pub enum Wake {
    Event(Arc<Event>),
    Ephemeral(Arc<Ephemeral>),
    /// The tailer started or restarted at the head; each watcher has to read the log itself.
    Reread,
}

/// Distributes events to any number of watchers as they are appended. Cheap to clone.
#[derive(Clone, Default)]
pub struct Feed {
    workspaces: Arc<Mutex<HashMap<String, Workspace>>>,
    /// Whether the poll task runs; changed under the lock of `workspaces`.
    is_polled: Arc<AtomicBool>,
    webhooks: Arc<Notify>,
    /// The queue of hints for other processes, if there are any. Hints are dropped while it is full, because no caller
    /// may wait for it.
    outward: Arc<OnceLock<mpsc::Sender<Hint>>>,
    dropped: Arc<AtomicU64>,
}

struct Workspace {
    sender: broadcast::Sender<Wake>,
    hint: Arc<Notify>,
    /// The sequence up to which the tailer has read, or [`UNKNOWN`].
    position: Arc<AtomicI64>,
}

impl Feed {
    /// Subscribes to a workspace. Subscribe first, then read the log: an event appended in between arrives twice
    /// instead of not at all.
    pub fn subscribe(&self, store: &Store, workspace_id: &str) -> broadcast::Receiver<Wake> {
        let mut workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(workspace) = workspaces.get(workspace_id) {
            return workspace.sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BUFFER);
        let hint = Arc::new(Notify::new());
        let position = Arc::new(AtomicI64::new(UNKNOWN));
        workspaces.insert(
            workspace_id.to_owned(),
            Workspace {
                sender: sender.clone(),
                hint: Arc::clone(&hint),
                position: Arc::clone(&position),
            },
        );
        if !self.is_polled.swap(true, Ordering::Relaxed) {
            tokio::spawn(self.clone().poll(store.clone()));
        }
        let tailer = Tailer {
            feed: self.clone(),
            store: store.clone(),
            workspace_id: workspace_id.to_owned(),
            sender,
            hint,
            position,
        };
        tokio::spawn(tailer.run());
        receiver
    }

    /// Wakes the tailers whose log has another head than they have read, and tailers without subscribers, so that they
    /// end. Returns when no workspace is watched.
    async fn poll(self, store: Store) {
        loop {
            tokio::time::sleep(POLL).await;
            let mut watched = HashMap::new();
            {
                let workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
                if workspaces.is_empty() {
                    self.is_polled.store(false, Ordering::Relaxed);
                    return;
                }
                for (id, workspace) in workspaces.iter() {
                    if workspace.sender.receiver_count() == 0 {
                        workspace.hint.notify_one();
                    } else {
                        let (hint, position) = (Arc::clone(&workspace.hint), Arc::clone(&workspace.position));
                        watched.insert(id.clone(), (hint, position));
                    }
                }
            }
            let ids: Vec<&str> = watched.keys().map(String::as_str).collect();
            match log::heads(&store, &ids).await {
                Ok(heads) => {
                    for (workspace_id, head) in heads {
                        if let Some((hint, position)) = watched.get(&workspace_id)
                            && position.load(Ordering::Relaxed) != head
                        {
                            hint.notify_one();
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "the heads of watched logs could not be read"),
            }
        }
    }

    /// Sets the queue of hints for other processes. Later calls have no effect.
    pub fn tell_others(&self, outward: mpsc::Sender<Hint>) {
        drop(self.outward.set(outward));
    }

    /// Returns the number of hints for other processes that were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Handles a hint from another process.
    pub fn hear(&self, hint: Hint) {
        match hint {
            Hint::Grown { workspaces } => {
                self.webhooks.notify_one();
                self.wake(&workspaces);
            }
            Hint::Webhooks => self.webhooks.notify_one(),
            Hint::Told {
                workspace_id,
                ephemeral,
            } => self.send_ephemeral(&workspace_id, ephemeral),
        }
    }

    /// Wakes all tailers and the webhook dispatcher, after hints may have been lost.
    pub fn look(&self) {
        self.webhooks.notify_one();
        let workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        for workspace in workspaces.values() {
            workspace.hint.notify_one();
        }
    }

    /// Notifies the webhook dispatchers of all processes that work may be due.
    pub fn hint_webhooks(&self) {
        self.webhooks.notify_one();
        self.send_outward(|| Hint::Webhooks);
    }

    /// Waits for a webhook hint. Only the webhook dispatcher of this process may call it.
    pub async fn webhooks_hinted(&self) {
        self.webhooks.notified().await;
    }

    /// Wakes the readers of the workspaces whose log grew in a commit.
    pub fn hint(&self, committed: &Committed) {
        if committed.workspaces.is_empty() {
            return;
        }
        self.webhooks.notify_one();
        self.wake(&committed.workspaces);
        self.send_outward(|| Hint::Grown {
            workspaces: committed.workspaces.clone(),
        });
    }

    /// Sends an ephemeral message to the current watchers of a workspace, in all processes.
    pub fn tell(&self, workspace_id: &str, ephemeral: Ephemeral) {
        self.send_outward(|| Hint::Told {
            workspace_id: workspace_id.to_owned(),
            ephemeral: ephemeral.clone(),
        });
        self.send_ephemeral(workspace_id, ephemeral);
    }

    fn wake(&self, workspace_ids: &[String]) {
        let workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        for workspace in workspace_ids.iter().filter_map(|id| workspaces.get(id)) {
            workspace.hint.notify_one();
        }
    }

    fn send_ephemeral(&self, workspace_id: &str, ephemeral: Ephemeral) {
        let workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(workspace) = workspaces.get(workspace_id) {
            // Sending fails without subscribers. Ephemeral messages are not stored for later.
            drop(workspace.sender.send(Wake::Ephemeral(Arc::new(ephemeral))));
        }
    }

    fn send_outward(&self, hint: impl FnOnce() -> Hint) {
        if let Some(outward) = self.outward.get()
            && outward.try_send(hint()).is_err()
        {
            // The other processes poll anyway.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Tailer {
    feed: Feed,
    store: Store,
    workspace_id: String,
    sender: broadcast::Sender<Wake>,
    hint: Arc<Notify>,
    position: Arc<AtomicI64>,
}

impl Tailer {
    async fn run(self) {
        let mut position = None;
        loop {
            match self.forward(position).await {
                Ok(next) => position = Some(next),
                Err(error) => {
                    tracing::debug!(%error, workspace_id = self.workspace_id, "tailer restarts at the head");
                    position = None;
                    drop(self.sender.send(Wake::Reread));
                }
            }
            self.position
                .store(position.unwrap_or(UNKNOWN), Ordering::Relaxed);
            // A hint since the last read has left a permit, so this returns at once. The poll replaces lost hints.
            self.hint.notified().await;
            if self.end_if_unwatched() {
                return;
            }
        }
    }

    /// Sends the events after `position` and returns the new position. Without a position, returns the head.
    async fn forward(&self, position: Option<i64>) -> crate::Result<i64> {
        let Some(mut position) = position else {
            let head = log::head(&self.store, &self.workspace_id).await?;
            // A watcher that subscribed before this read may have read a shorter log.
            drop(self.sender.send(Wake::Reread));
            return Ok(head);
        };
        loop {
            let page = log::read(&self.store, &self.workspace_id, position, BATCH).await?;
            let Some(last) = page.events.last() else {
                return Ok(position);
            };
            position = last.sequence;
            for event in page.events {
                drop(self.sender.send(Wake::Event(Arc::new(event))));
            }
        }
    }

    /// Removes the tailer if it has no subscribers. Returns whether the tailer has to end.
    ///
    /// It holds the lock that subscribers take, so that no watcher subscribes to a tailer that has ended.
    fn end_if_unwatched(&self) -> bool {
        let mut workspaces = self
            .feed
            .workspaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.sender.receiver_count() > 0 {
            return false;
        }
        if workspaces
            .get(&self.workspace_id)
            .is_some_and(|workspace| workspace.sender.same_channel(&self.sender))
        {
            workspaces.remove(&self.workspace_id);
        }
        true
    }
}

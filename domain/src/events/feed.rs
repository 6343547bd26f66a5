//! Waking readers: one tailer per owner and process reads the log and hands its events to every watcher.
//!
//! A wake is a hint. Besides, the heads of all watched owners are polled once a second, together, so that a lost hint costs a
//! second and an event of another process is seen. A watcher that lags reads the log itself; nothing is dropped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, broadcast, mpsc};

use super::{Event, log};
use crate::inbox::sync::Freshness;
use crate::store::{Committed, Store};

/// Events that a watcher may lag behind before it reads the log itself.
const BUFFER: usize = 256;
/// How many events a tailer reads at once.
const BATCH: u64 = 256;
/// How often watched owners are looked at without a hint.
const POLL: Duration = Duration::from_secs(1);
/// The position of a tailer that does not know it: no head is there.
const NOWHERE: i64 = -1;

/// Something in progress: sent to those who watch now, never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ephemeral {
    /// Photos of one call being processed.
    Photos {
        request_id: String,
        done: i32,
        total: i32,
        file_name: String,
    },
    /// A publish job's step.
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
    /// An account's inbox was read, or could not be.
    InboxFreshness {
        account_id: String,
        freshness: Freshness,
    },
}

/// What other processes are told, so that they look at once and not at their next poll. Losing one costs no more than that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hint {
    /// The logs of these owners grew.
    Grown { owners: Vec<String> },
    /// There may be something for webhooks to do.
    Webhooks,
    /// For those who watch this owner now.
    Told { owner_id: String, ephemeral: Ephemeral },
}

/// What a watcher is woken with.
#[derive(Clone, Debug)]
pub enum Wake {
    Event(Arc<Event>),
    Ephemeral(Arc<Ephemeral>),
    /// The place that this owner was at is gone from the log; every watcher finds out by reading.
    Reread,
}

/// Hands out events as they come, to any number of watchers.
#[derive(Clone, Default)]
pub struct Feed {
    owners: Arc<Mutex<HashMap<String, Owner>>>,
    /// Whether somebody polls; changed under the lock of `owners`.
    is_polled: Arc<AtomicBool>,
    webhooks: Arc<Notify>,
    /// Where hints for other processes go, if there are any. Full: they are dropped, since nobody may wait for them.
    outward: Arc<OnceLock<mpsc::Sender<Hint>>>,
    dropped: Arc<AtomicU64>,
}

struct Owner {
    sender: broadcast::Sender<Wake>,
    hint: Arc<Notify>,
    /// How far the tailer has read.
    position: Arc<AtomicI64>,
}

impl Feed {
    /// Starts to watch an owner. Subscribe first, then read the log: what comes in between comes twice, never not at all.
    pub fn subscribe(&self, store: &Store, owner_id: &str) -> broadcast::Receiver<Wake> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = owners.get(owner_id) {
            return owner.sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BUFFER);
        let hint = Arc::new(Notify::new());
        let position = Arc::new(AtomicI64::new(NOWHERE));
        owners.insert(
            owner_id.to_owned(),
            Owner {
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
            owner_id: owner_id.to_owned(),
            sender,
            hint,
            position,
        };
        tokio::spawn(tailer.run());
        receiver
    }

    /// Wakes the tailers whose logs are not where they left them, and those that nobody needs any more, until nobody watches.
    async fn poll(self, store: Store) {
        loop {
            tokio::time::sleep(POLL).await;
            let mut watched = HashMap::new();
            {
                let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
                if owners.is_empty() {
                    self.is_polled.store(false, Ordering::Relaxed);
                    return;
                }
                for (id, owner) in owners.iter() {
                    if owner.sender.receiver_count() == 0 {
                        owner.hint.notify_one();
                    } else {
                        let (hint, position) = (Arc::clone(&owner.hint), Arc::clone(&owner.position));
                        watched.insert(id.clone(), (hint, position));
                    }
                }
            }
            let ids: Vec<&str> = watched.keys().map(String::as_str).collect();
            match log::heads(&store, &ids).await {
                Ok(heads) => {
                    for (owner_id, head) in heads {
                        if let Some((hint, position)) = watched.get(&owner_id)
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

    /// Has other processes told too, through a queue of the caller's. Once; later calls change nothing.
    pub fn tell_others(&self, outward: mpsc::Sender<Hint>) {
        drop(self.outward.set(outward));
    }

    /// Hints for other processes that were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Takes in what another process told.
    pub fn hear(&self, hint: Hint) {
        match hint {
            Hint::Grown { owners } => {
                self.webhooks.notify_one();
                self.wake(&owners);
            }
            Hint::Webhooks => self.webhooks.notify_one(),
            Hint::Told { owner_id, ephemeral } => self.show(&owner_id, ephemeral),
        }
    }

    /// Has every watched log and the webhooks looked at, after hints may have been missed.
    pub fn look(&self) {
        self.webhooks.notify_one();
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        for owner in owners.values() {
            owner.hint.notify_one();
        }
    }

    /// Hints that there may be something for webhooks to do.
    pub fn hint_webhooks(&self) {
        self.webhooks.notify_one();
        self.send_outward(|| Hint::Webhooks);
    }

    /// Waits for such a hint. For the one dispatcher of this process.
    pub async fn webhooks_hinted(&self) {
        self.webhooks.notified().await;
    }

    /// Hints that these owners' logs grew.
    pub fn hint(&self, committed: &Committed) {
        if committed.owners.is_empty() {
            return;
        }
        self.webhooks.notify_one();
        self.wake(&committed.owners);
        self.send_outward(|| Hint::Grown {
            owners: committed.owners.clone(),
        });
    }

    /// Tells those who watch now.
    pub fn tell(&self, owner_id: &str, ephemeral: Ephemeral) {
        self.send_outward(|| Hint::Told {
            owner_id: owner_id.to_owned(),
            ephemeral: ephemeral.clone(),
        });
        self.show(owner_id, ephemeral);
    }

    fn wake(&self, owner_ids: &[String]) {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        for owner in owner_ids.iter().filter_map(|id| owners.get(id)) {
            owner.hint.notify_one();
        }
    }

    fn show(&self, owner_id: &str, ephemeral: Ephemeral) {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = owners.get(owner_id) {
            // Nobody listening is fine: progress is for those who look.
            drop(owner.sender.send(Wake::Ephemeral(Arc::new(ephemeral))));
        }
    }

    fn send_outward(&self, hint: impl FnOnce() -> Hint) {
        if let Some(outward) = self.outward.get()
            && outward.try_send(hint()).is_err()
        {
            // They poll.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Tailer {
    feed: Feed,
    store: Store,
    owner_id: String,
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
                    tracing::debug!(%error, owner_id = self.owner_id, "tailer starts again at the head");
                    position = None;
                    drop(self.sender.send(Wake::Reread));
                }
            }
            self.position
                .store(position.unwrap_or(NOWHERE), Ordering::Relaxed);
            // What came since the log was read has left a permit here; whatever is missed, the poll finds.
            self.hint.notified().await;
            if self.ends() {
                return;
            }
        }
    }

    /// Sends everything after `position` and returns the new one; without one, starts at the head.
    async fn forward(&self, position: Option<i64>) -> crate::Result<i64> {
        let Some(mut position) = position else {
            let head = log::head(&self.store, &self.owner_id).await?;
            // Whoever subscribed before the head was known may have read a shorter log.
            drop(self.sender.send(Wake::Reread));
            return Ok(head);
        };
        loop {
            let page = log::read(&self.store, &self.owner_id, position, BATCH).await?;
            let Some(last) = page.events.last() else {
                return Ok(position);
            };
            position = last.sequence;
            for event in page.events {
                drop(self.sender.send(Wake::Event(Arc::new(event))));
            }
        }
    }

    /// Under the lock that subscribers take, so that nobody subscribes to a tailer that has just ended.
    fn ends(&self) -> bool {
        let mut owners = self.feed.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if self.sender.receiver_count() > 0 {
            return false;
        }
        if owners
            .get(&self.owner_id)
            .is_some_and(|owner| owner.sender.same_channel(&self.sender))
        {
            owners.remove(&self.owner_id);
        }
        true
    }
}

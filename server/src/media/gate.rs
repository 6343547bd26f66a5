//! How many photos may be on their way at once, in and out: each holds a file, a piece of memory or a place on disk.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vintedbot_domain::media::Spool;
use vintedbot_domain::{Error, Reason, failpoints};

use crate::errors::Problem;

/// Uploads that are coming, over gRPC streams and upload links: in all, and of one owner. Each holds one file, and at most
/// 256 MiB of disk. A browser sends six at once.
const UPLOADS: Places = Places { all: 32, each: 8 };
/// Calls that bring photos in one message, which is held in memory as a whole: in all, and of one owner.
const MESSAGES: Places = Places { all: 3, each: 2 };
/// Calls of one owner that wait for such a place: more are refused.
const WAITING: usize = 100;
/// How long they wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// Files that are being sent: in all, and of one link. Each holds a descriptor. Browsers open six connections.
const DOWNLOADS: Places = Places { all: 128, each: 8 };
/// After which pause a refused call may be tried again.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
struct Places {
    all: usize,
    each: usize,
}

/// What passes in and out of one port.
#[derive(Debug)]
pub struct Gate {
    pub spool: Spool,
    uploads: Queue,
    messages: Queue,
    downloads: Arc<Slots>,
}

impl Gate {
    /// Opens the spool, and empties it.
    ///
    /// # Errors
    /// The folder cannot be made, closed to others or emptied.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        Ok(Self {
            spool: Spool::open(folder)?,
            uploads: Queue::new("uploads", "slots", UPLOADS),
            messages: Queue::new("photo calls", "messages", MESSAGES),
            downloads: Slots::new(DOWNLOADS),
        })
    }

    /// Waits until an upload may come.
    ///
    /// # Errors
    /// RATE_LIMITED when too many of the owner's uploads wait, or this one waited for too long.
    pub async fn upload(&self, owner_id: &str) -> Result<Turn, Problem> {
        self.uploads.enter(owner_id).await
    }

    /// Waits until a message with photos may be read.
    ///
    /// # Errors
    /// As [`Self::upload`].
    pub async fn message(&self, owner_id: &str) -> Result<Turn, Problem> {
        self.messages.enter(owner_id).await
    }

    /// # Errors
    /// RATE_LIMITED when as many files of the link are being sent as may.
    pub fn download(&self, link: &str) -> Result<Slot, Problem> {
        self.downloads
            .take(link)
            .ok_or_else(|| full("downloads", DOWNLOADS))
    }
}

/// Places for which owners wait in turn.
#[derive(Debug)]
struct Queue {
    what: &'static str,
    /// The failpoint that opens it to all.
    rule: &'static str,
    places: Places,
    all: Arc<Semaphore>,
    /// The semaphore of each owner who has a call.
    owners: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// Those that have a place or wait for one.
    present: Arc<Slots>,
}

impl Queue {
    fn new(what: &'static str, rule: &'static str, places: Places) -> Self {
        let present = Places {
            all: usize::MAX,
            each: WAITING,
        };
        Self {
            what,
            rule,
            places,
            all: Arc::new(Semaphore::new(places.all)),
            owners: Mutex::default(),
            present: Slots::new(present),
        }
    }

    async fn enter(&self, owner_id: &str) -> Result<Turn, Problem> {
        let refused = || full(self.what, self.places);
        let present = self.present.take(owner_id).ok_or_else(refused)?;
        if failpoints::disables(self.rule) {
            return Ok(Turn {
                _permits: None,
                _present: present,
            });
        }
        let own = {
            let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
            owners.retain(|_, own| Arc::strong_count(own) > 1);
            let own = owners.entry(owner_id.to_owned());
            Arc::clone(own.or_insert_with(|| Arc::new(Semaphore::new(self.places.each))))
        };
        let permits = async {
            let own = own.acquire_owned().await;
            (own, Arc::clone(&self.all).acquire_owned().await)
        };
        let (own, all) = tokio::time::timeout(PATIENCE, permits)
            .await
            .map_err(|_| refused())?;
        let permits = [own, all].map(|permit| permit.expect("the semaphores are never closed"));
        Ok(Turn {
            _permits: Some(permits),
            _present: present,
        })
    }
}

/// A place of a queue, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _permits: Option<[OwnedSemaphorePermit; 2]>,
    _present: Slot,
}

fn full(what: &str, places: Places) -> Problem {
    let message = format!(
        "as many {what} are under way as may be: {} at once for each, {} in all",
        places.each, places.all
    );
    Error::rejected(Reason::RateLimited, message)
        .with("limit", what.replace(' ', "_"))
        .retry_after(i64::try_from(RETRY.as_millis()).unwrap_or(i64::MAX))
        .into()
}

/// Counts what is under way by key.
#[derive(Debug)]
struct Slots {
    places: Places,
    held: Mutex<HashMap<String, usize>>,
}

impl Slots {
    fn new(places: Places) -> Arc<Self> {
        Arc::new(Self {
            places,
            held: Mutex::default(),
        })
    }

    fn take(self: &Arc<Self>, key: &str) -> Option<Slot> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().sum();
        let own = held.entry(key.to_owned()).or_default();
        if (all >= self.places.all || *own >= self.places.each) && !failpoints::disables("slots") {
            if *own == 0 {
                held.remove(key);
            }
            return None;
        }
        *own += 1;
        Some(Slot {
            slots: Arc::clone(self),
            key: key.to_owned(),
        })
    }
}

/// One place, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    key: String,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut held = self.slots.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = held.get_mut(&self.key) {
            *own -= 1;
            if *own == 0 {
                held.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_limited_by_key_and_in_all_and_come_free() {
        let slots = Slots::new(Places { all: 3, each: 2 });
        let first = slots.take("a").expect("is free");
        let _second = slots.take("a").expect("is free");
        assert!(slots.take("a").is_none(), "of one key");
        let other = slots.take("b").expect("is free");
        assert!(slots.take("c").is_none(), "in all");
        drop(first);
        let _again = slots.take("a").expect("came free");
        drop(other);
        assert_eq!(slots.held.lock().expect("no panic").len(), 1);
    }

    #[tokio::test]
    async fn messages_wait_for_their_owner_and_for_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let gate = Gate::open(folder.path()).expect("opens");
        let first = gate.message("a").await.expect("is free");
        let _second = gate.message("a").await.expect("is free");
        let mut third = Box::pin(gate.message("a"));
        assert!(futures::poll!(&mut third).is_pending(), "of one owner");
        let other = gate.message("b").await.expect("is free for others");
        let mut another = Box::pin(gate.message("c"));
        assert!(futures::poll!(&mut another).is_pending(), "in all");
        drop(other);
        another.await.expect("came free");
        drop(first);
        third.await.expect("came free");
    }

    #[tokio::test]
    async fn queue_of_one_owner_has_an_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let gate = Gate::open(folder.path()).expect("opens");
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(gate.message("a"))).collect();
        let mut turns = Vec::new();
        for waiting in &mut waiting {
            if let std::task::Poll::Ready(turn) = futures::poll!(waiting) {
                turns.push(turn.expect("is free"));
            }
        }
        assert_eq!(turns.len(), MESSAGES.each);
        let refused = gate.message("a").await.expect_err("is one too many");
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        gate.message("b").await.expect("is free for others");
    }
}

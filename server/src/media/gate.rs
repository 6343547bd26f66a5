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
/// 256 MiB of disk.
const UPLOADS: Places = Places { all: 12, each: 4 };
/// Calls that bring photos in one message, which is held in memory as a whole: in all, and of one owner.
const MESSAGES: Places = Places { all: 3, each: 2 };
/// Calls of one owner that wait for such a place: more are refused.
const WAITING: usize = 100;
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
    uploads: Arc<Slots>,
    downloads: Arc<Slots>,
    waiting: Arc<Slots>,
    messages: Arc<Semaphore>,
    /// The semaphore of each owner who has a call.
    of_owners: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Gate {
    /// Opens the spool, and empties it.
    ///
    /// # Errors
    /// The folder cannot be made, closed to others or emptied.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        let no_limit = Places {
            all: usize::MAX,
            each: WAITING,
        };
        Ok(Self {
            spool: Spool::open(folder)?,
            uploads: Slots::new(UPLOADS),
            downloads: Slots::new(DOWNLOADS),
            waiting: Slots::new(no_limit),
            messages: Arc::new(Semaphore::new(MESSAGES.all)),
            of_owners: Mutex::default(),
        })
    }

    /// # Errors
    /// RATE_LIMITED when as many uploads are coming as may.
    pub fn upload(&self, owner_id: &str) -> Result<Slot, Problem> {
        self.uploads
            .take(owner_id)
            .ok_or_else(|| full("uploads", UPLOADS))
    }

    /// # Errors
    /// RATE_LIMITED when as many files of the link are being sent as may.
    pub fn download(&self, link: &str) -> Result<Slot, Problem> {
        self.downloads
            .take(link)
            .ok_or_else(|| full("downloads", DOWNLOADS))
    }

    /// Waits until a message with photos may be read.
    ///
    /// # Errors
    /// RATE_LIMITED when too many of the owner's calls wait.
    pub async fn message(&self, owner_id: &str) -> Result<Message, Problem> {
        let waiting = self.waiting.take(owner_id).ok_or_else(|| {
            full(
                "photo calls",
                Places {
                    all: MESSAGES.all,
                    each: WAITING,
                },
            )
        })?;
        if failpoints::disables("messages") {
            return Ok(Message {
                _of_owner: None,
                _of_all: None,
                _waiting: waiting,
            });
        }
        let own = {
            let mut owners = self.of_owners.lock().unwrap_or_else(PoisonError::into_inner);
            owners.retain(|_, own| Arc::strong_count(own) > 1);
            let own = owners.entry(owner_id.to_owned());
            Arc::clone(own.or_insert_with(|| Arc::new(Semaphore::new(MESSAGES.each))))
        };
        let of_owner = own.acquire_owned().await;
        let of_all = Arc::clone(&self.messages).acquire_owned().await;
        Ok(Message {
            _of_owner: Some(of_owner.expect("the semaphore is never closed")),
            _of_all: Some(of_all.expect("the semaphore is never closed")),
            _waiting: waiting,
        })
    }
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

/// Room for one message with photos.
#[derive(Debug)]
pub struct Message {
    _of_owner: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
    _waiting: Slot,
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
}

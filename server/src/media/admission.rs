//! Limits on concurrent uploads and downloads of photos. Each holds a file, memory or disk space.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vintedbot_domain::media::Spool;
use vintedbot_domain::{Error, Reason, failpoints};

use crate::errors::Problem;

/// Running uploads, over gRPC streams and upload URLs: in total, and of one workspace. Each holds one file and at most
/// 256 MiB of disk. A browser sends six at once.
const UPLOADS: Capacity = Capacity { all: 32, each: 8 };
/// Running calls with photos in one message, which is held in memory as a whole: in total, and of one workspace.
const MESSAGES: Capacity = Capacity { all: 3, each: 2 };
/// The maximum calls of one workspace that hold a slot of a queue or wait for one. Further calls are refused. There is no
/// such limit in total, because two workspaces could then keep all others from free slots.
const WAITING: usize = 100;
/// The maximum wait for a slot.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Running downloads: in total, and of one URL. Each holds a descriptor. Browsers open six connections.
const DOWNLOADS: Capacity = Capacity { all: 128, each: 8 };
/// The wait after which a refused call may be retried.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
struct Capacity {
    all: usize,
    each: usize,
}

/// The admission control of one port.
#[derive(Debug)]
pub struct Admission {
    pub spool: Spool,
    uploads: Queue,
    messages: Queue,
    downloads: Arc<Slots>,
}

impl Admission {
    /// Opens the spool and empties it.
    ///
    /// # Errors
    /// The folder cannot be created, restricted to this user or emptied.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        Ok(Self {
            spool: Spool::open(folder)?,
            uploads: Queue::new("uploads", "slots", UPLOADS),
            messages: Queue::new("photo calls", "messages", MESSAGES),
            downloads: Slots::new(DOWNLOADS),
        })
    }

    /// Waits until an upload may start.
    ///
    /// # Errors
    /// RATE_LIMITED if too many of the workspace's uploads wait, or if this one waited too long.
    pub async fn upload(&self, workspace_id: &str) -> Result<Admitted, Problem> {
        self.uploads.acquire(workspace_id).await
    }

    /// Waits until a message with photos may be read.
    ///
    /// # Errors
    /// As [`Self::upload`].
    pub async fn message(&self, workspace_id: &str) -> Result<Admitted, Problem> {
        self.messages.acquire(workspace_id).await
    }

    /// Takes a slot for a download.
    ///
    /// # Errors
    /// RATE_LIMITED if the URL has reached its limit of concurrent downloads.
    pub fn download(&self, link: &str) -> Result<Slot, Problem> {
        self.downloads
            .take(link)
            .ok_or_else(|| full("downloads", DOWNLOADS))
    }
}

/// A queue of limited slots, fair between workspaces.
#[derive(Debug)]
struct Queue {
    what: &'static str,
    /// The failpoint that disables the limit.
    rule: &'static str,
    capacity: Capacity,
    all: Arc<Semaphore>,
    /// The semaphore of each workspace that has a call.
    workspaces: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// The calls that hold a slot or wait for one.
    present: Arc<Slots>,
}

impl Queue {
    fn new(what: &'static str, rule: &'static str, capacity: Capacity) -> Self {
        let present = Capacity {
            all: usize::MAX,
            each: WAITING,
        };
        Self {
            what,
            rule,
            capacity,
            all: Arc::new(Semaphore::new(capacity.all)),
            workspaces: Mutex::default(),
            present: Slots::new(present),
        }
    }

    async fn acquire(&self, workspace_id: &str) -> Result<Admitted, Problem> {
        let refused = || full(self.what, self.capacity);
        let present = self.present.take(workspace_id).ok_or_else(refused)?;
        if failpoints::disables(self.rule) {
            return Ok(Admitted {
                _permits: None,
                _present: present,
            });
        }
        let own = {
            let mut workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
            workspaces.retain(|_, own| Arc::strong_count(own) > 1);
            let own = workspaces.entry(workspace_id.to_owned());
            Arc::clone(own.or_insert_with(|| Arc::new(Semaphore::new(self.capacity.each))))
        };
        let permits = async {
            let own = own.acquire_owned().await;
            (own, Arc::clone(&self.all).acquire_owned().await)
        };
        let (own, all) = tokio::time::timeout(MAX_WAIT, permits)
            .await
            .map_err(|_| refused())?;
        let permits = [own, all].map(|permit| permit.expect("the semaphores are never closed"));
        Ok(Admitted {
            _permits: Some(permits),
            _present: present,
        })
    }
}

/// A slot of a queue, released when dropped.
#[derive(Debug)]
pub struct Admitted {
    _permits: Option<[OwnedSemaphorePermit; 2]>,
    _present: Slot,
}

fn full(what: &str, capacity: Capacity) -> Problem {
    let message = format!(
        "the limit of concurrent {what} is reached: {} for each, {} in total",
        capacity.each, capacity.all
    );
    Error::rejected(Reason::RateLimited, message)
        .with("limit", what.replace(' ', "_"))
        .retry_after(i64::try_from(RETRY.as_millis()).unwrap_or(i64::MAX))
        .into()
}

/// Counts running calls by key.
#[derive(Debug)]
struct Slots {
    capacity: Capacity,
    held: Mutex<HashMap<String, usize>>,
}

impl Slots {
    fn new(capacity: Capacity) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            held: Mutex::default(),
        })
    }

    fn take(self: &Arc<Self>, key: &str) -> Option<Slot> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().sum();
        let own = held.entry(key.to_owned()).or_default();
        if (all >= self.capacity.all || *own >= self.capacity.each) && !failpoints::disables("slots") {
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

/// One slot, released when dropped.
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
    fn slots_are_limited_per_key_and_in_total_and_are_released() {
        let slots = Slots::new(Capacity { all: 3, each: 2 });
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
    async fn messages_wait_for_workspace_and_global_memory() {
        let folder = tempfile::tempdir().expect("a folder");
        let admission = Admission::open(folder.path()).expect("opens");
        let first = admission.message("a").await.expect("is free");
        let _second = admission.message("a").await.expect("is free");
        let mut third = Box::pin(admission.message("a"));
        assert!(futures::poll!(&mut third).is_pending(), "of one workspace");
        let other = admission.message("b").await.expect("is free for others");
        let mut another = Box::pin(admission.message("c"));
        assert!(futures::poll!(&mut another).is_pending(), "in all");
        drop(other);
        another.await.expect("came free");
        drop(first);
        third.await.expect("came free");
    }

    #[tokio::test]
    async fn queue_of_one_workspace_is_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let admission = Admission::open(folder.path()).expect("opens");
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(admission.message("a"))).collect();
        let mut turns = Vec::new();
        for waiting in &mut waiting {
            if let std::task::Poll::Ready(turn) = futures::poll!(waiting) {
                turns.push(turn.expect("is free"));
            }
        }
        assert_eq!(turns.len(), MESSAGES.each);
        let refused = admission.message("a").await.expect_err("is one too many");
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        admission.message("b").await.expect("is free for others");
    }

    #[tokio::test]
    async fn full_queues_of_two_workspaces_leave_slots_to_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let admission = Admission::open(folder.path()).expect("opens");
        let mut waiting: Vec<_> = ["a", "b"]
            .into_iter()
            .flat_map(|workspace| std::iter::repeat_n(workspace, WAITING))
            .map(|workspace| Box::pin(admission.upload(workspace)))
            .collect();
        let mut turns = Vec::new();
        for waiting in &mut waiting {
            if let std::task::Poll::Ready(turn) = futures::poll!(waiting) {
                turns.push(turn.expect("is free"));
            }
        }
        assert_eq!(turns.len(), 2 * UPLOADS.each);
        admission.upload("c").await.expect("is free for others");
    }
}

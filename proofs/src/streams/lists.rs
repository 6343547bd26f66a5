//! Two lists of threads, each held by a watcher that began with a snapshot and folds in what it hears: one is cut over and over,
//! the other only when the server goes away. In the end both hold what the server says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use vintedbot_sdk::Client;
use vintedbot_sdk::v1::resource::Resource;
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::v1::{self, ListThreadsRequest, ResourceType, Thread, Topic, WatchRequest};

use super::proxy::Proxy;

/// What the two hold in the end.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    pub cuts: usize,
    pub threads: usize,
    /// Changes that each has taken in since its snapshot.
    pub changes: usize,
    /// What is not as it is to be.
    pub problems: Vec<String>,
}

/// The list that is cut, and the one that is not.
pub struct Lists {
    cut: Holder,
    whole: Holder,
}

struct Holder {
    held: Arc<Mutex<Held>>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug, Default)]
struct Held {
    threads: BTreeMap<String, Thread>,
    has_snapshot: bool,
    /// The place up to which the log has come.
    seen: u64,
    changes: usize,
    broken_off: Option<String>,
}

impl Lists {
    /// Begins both, and waits for their snapshots.
    pub async fn begin(through_proxy: &Client, direct: &Client, limit: Duration) -> Result<Self> {
        let lists = Self {
            cut: Holder::begin(through_proxy.clone()),
            whole: Holder::begin(direct.clone()),
        };
        for holder in [&lists.cut, &lists.whole] {
            let has_snapshot = holder.waits(limit, |held| held.has_snapshot).await;
            ensure!(has_snapshot, "a snapshot did not come");
        }
        Ok(lists)
    }

    /// Cuts the one so many times, wherever in a frame that is, unless it breaks off before.
    pub async fn cut(&self, proxy: &Proxy, times: usize, seed: u64, limit: Duration) -> Result<usize> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut cuts = 0;
        while cuts < times && !self.cut.has_broken_off() {
            match proxy.cut(random.random_range(0..2_000), limit).await {
                Ok(is_cut) => cuts += usize::from(is_cut),
                Err(_) if self.cut.has_broken_off() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(cuts)
    }

    /// Compares both with what the server lists, when they have come to the end of the log.
    pub async fn compared(self, client: &Client, end: u64, cuts: usize, limit: Duration) -> Result<Compared> {
        let mut compared = Compared {
            cuts,
            ..Compared::default()
        };
        let mut told = BTreeMap::new();
        for archived in [false, true] {
            let request = ListThreadsRequest {
                archived: Some(archived),
                ..Default::default()
            };
            let threads: Vec<Thread> = client.inbox().list(request).try_collect().await?;
            told.extend(threads.into_iter().map(|thread| (thread.id.clone(), thread)));
        }
        compared.threads = told.len();
        for (name, holder) in [("cut", self.cut), ("other", self.whole)] {
            holder.waits(limit, |held| held.seen >= end).await;
            let held = holder.held();
            if let Some(why) = &held.broken_off {
                compared
                    .problems
                    .push(format!("the {name} list broke off: {why}"));
            }
            if name == "cut" {
                compared.changes = held.changes;
            } else if compared.changes != held.changes {
                // Both began before anything happened. A change that one of them missed may be hidden by the next one.
                compared.problems.push(format!(
                    "the cut list took in {} changes, and the other one {}",
                    compared.changes, held.changes
                ));
            }
            for id in told.keys().chain(held.threads.keys()) {
                let (here, there) = (held.threads.get(id).map(shown), told.get(id).map(shown));
                if here != there {
                    let problem = format!("the {name} list has {here:?} where the server has {there:?}");
                    compared.problems.push(problem);
                }
            }
        }
        Ok(compared)
    }
}

/// What a list shows of a thread. Addresses of pictures are signed anew with each answer, and are no part of it.
fn shown(thread: &Thread) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        (thread.id.clone(), thread.sequence),
        (thread.note.clone(), thread.labels.clone(), thread.archived),
        (thread.snippet.clone(), thread.unread, thread.unread_count),
        (
            thread.last_message_time,
            thread.message_count,
            thread.draft.clone(),
        ),
    )
}

impl Holder {
    fn begin(client: Client) -> Self {
        let held = Arc::new(Mutex::new(Held::default()));
        let shared = Arc::clone(&held);
        let task = tokio::spawn(async move {
            let broken_off = hold(&client, &shared).await.err();
            let why = broken_off.map_or_else(|| "it ended".to_owned(), |error| format!("{error:#}"));
            shared.lock().unwrap_or_else(PoisonError::into_inner).broken_off = Some(why);
        });
        Self {
            held,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_broken_off(&self) -> bool {
        self.held().broken_off.is_some()
    }

    async fn waits(&self, limit: Duration, until: impl Fn(&Held) -> bool) -> bool {
        let end = Instant::now() + limit;
        loop {
            let (is_so, is_over) = {
                let held = self.held();
                (until(&held), held.broken_off.is_some())
            };
            if is_so || is_over || Instant::now() > end {
                return is_so;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn hold(client: &Client, held: &Mutex<Held>) -> Result<()> {
    let mut watch = client.events().watch(WatchRequest {
        snapshot: true,
        topics: vec![Topic::Inbox.into()],
        ..Default::default()
    });
    let mut coming = BTreeMap::new();
    while let Some(message) = watch.try_next().await? {
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        match message {
            // One that is cut off begins anew; what counts is the whole of it.
            Message::Snapshot(present) => {
                if let Some(thread) = thread_in(present.resource) {
                    coming.insert(thread.id.clone(), thread);
                }
            }
            Message::SnapshotEnd(end) => {
                held.threads = std::mem::take(&mut coming);
                held.has_snapshot = true;
                held.seen = end.sequence;
            }
            Message::Event(event) => {
                held.seen = event.sequence;
                if event.resource_type() == ResourceType::Thread {
                    held.changes += 1;
                    fold(&mut held.threads, event).context("an event of a thread")?;
                }
            }
            Message::Checkpoint(checkpoint) => held.seen = held.seen.max(checkpoint.sequence),
            Message::Ephemeral(_) => {}
        }
    }
    Ok(())
}

fn fold(threads: &mut BTreeMap<String, Thread>, event: v1::Event) -> Result<()> {
    let Some(resource) = event.resource else {
        threads.remove(&event.resource_id);
        return Ok(());
    };
    let thread = thread_in(Some(resource)).context("it holds none")?;
    // A snapshot may be newer than its place in the log.
    let is_newer = threads
        .get(&thread.id)
        .is_none_or(|known| known.sequence <= thread.sequence);
    if is_newer {
        threads.insert(thread.id.clone(), thread);
    }
    Ok(())
}

fn thread_in(resource: Option<v1::Resource>) -> Option<Thread> {
    match resource?.resource? {
        Resource::Thread(thread) => Some(thread),
        _ => None,
    }
}

//! Two lists of threads, each held by a watcher that began with a snapshot and applies events to it. One watcher is
//! disconnected repeatedly, the other only when the server restarts. At the end, both lists must equal the server's.

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

/// The final comparison of the two lists.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    pub cuts: usize,
    pub threads: usize,
    /// The number of changes that each list applied since its snapshot.
    pub changes: usize,
    /// Deviations from the expected state.
    pub problems: Vec<String>,
}

/// The list that is cut, and the list that is not.
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
    /// The sequence up to which events have arrived.
    seen: u64,
    changes: usize,
    broken_off: Option<String>,
}

impl Lists {
    /// Starts both lists, and waits for their snapshots.
    pub async fn begin(through_proxy: &Client, direct: &Client, limit: Duration) -> Result<Self> {
        let lists = Self {
            cut: Holder::begin(through_proxy.clone()),
            whole: Holder::begin(direct.clone()),
        };
        for holder in [&lists.cut, &lists.whole] {
            let has_snapshot = holder.waits(limit, |held| held.has_snapshot).await;
            ensure!(has_snapshot, "a snapshot did not arrive in time");
        }
        Ok(lists)
    }

    /// Disconnects the first list repeatedly, at any byte of a frame, unless it gives up before.
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

    /// Compares both lists with the server's, after they have reached the end of the log.
    pub async fn compared(self, client: &Client, end: u64, cuts: usize, limit: Duration) -> Result<Compared> {
        let mut compared = Compared {
            cuts,
            ..Compared::default()
        };
        let mut listed = BTreeMap::new();
        for archived in [false, true] {
            let request = ListThreadsRequest {
                archived: Some(archived),
                ..Default::default()
            };
            let threads: Vec<Thread> = client.inbox().list(request).try_collect().await?;
            listed.extend(threads.into_iter().map(|thread| (thread.id.clone(), thread)));
        }
        compared.threads = listed.len();
        for (name, holder) in [("cut", self.cut), ("other", self.whole)] {
            holder.waits(limit, |held| held.seen >= end).await;
            let held = holder.held();
            if let Some(why) = &held.broken_off {
                compared.problems.push(format!("the {name} list gave up: {why}"));
            }
            if name == "cut" {
                compared.changes = held.changes;
            } else if compared.changes != held.changes {
                // Both began before any event. A later change could hide a missed one, so the counts must be equal.
                compared.problems.push(format!(
                    "the cut list applied {} changes, and the other one {}",
                    compared.changes, held.changes
                ));
            }
            for id in listed.keys().chain(held.threads.keys()) {
                let (here, there) = (held.threads.get(id).map(shown), listed.get(id).map(shown));
                if here != there {
                    let problem = format!("the {name} list has {here:?} where the server has {there:?}");
                    compared.problems.push(problem);
                }
            }
        }
        Ok(compared)
    }
}

/// Returns the parts of a thread that a list shows, without picture URLs, which are signed for each answer.
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
            // A list that was disconnected may begin again with a snapshot; only its complete state counts.
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
                    fold(&mut held.threads, event).context("cannot apply an event")?;
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
    let thread = thread_in(Some(resource)).context("the event contains no thread")?;
    // A snapshot may be newer than its position in the log.
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

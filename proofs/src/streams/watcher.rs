//! One watcher, who writes down everything that comes.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::v1::{Topic, WatchRequest};
use vintedbot_sdk::{Client, Watch};

/// After so many messages, some watchers begin a new watch with the last cursor, as another process would.
const HANDED_ON_EVERY: u64 = 50;

/// What a watcher's file begins with.
#[derive(Debug, Serialize, Deserialize)]
pub struct Header {
    /// The place in the log where it began.
    pub from: u64,
    /// Whether it asked for templates alone.
    pub is_filtered: bool,
}

/// An event as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub sequence: u64,
    /// Without the contract's prefix, as the log has it.
    pub kind: String,
    pub resource_id: String,
}

/// Where a watcher's file ends.
#[derive(Debug, Serialize, Deserialize)]
pub struct Footer {
    /// The place in the log up to which everything was to come.
    pub to: u64,
    /// Why it gave up before. Absent: it did not.
    pub broken_off: Option<String>,
}

/// Watches in a task of its own.
pub struct Watcher {
    state: Arc<State>,
    ended: CancellationToken,
    task: tokio::task::JoinHandle<Result<()>>,
    file: PathBuf,
}

#[derive(Default)]
struct State {
    /// The place up to which the log has come.
    seen: AtomicU64,
    broken_off: Mutex<Option<String>>,
}

impl Watcher {
    /// Begins to watch, from now on. One that came late in the log's life would have nothing to miss.
    pub async fn begin(number: usize, client: &Client, file: PathBuf) -> Result<Self> {
        let is_filtered = number % 2 == 1;
        let request = WatchRequest {
            topics: if is_filtered {
                vec![Topic::Templates.into()]
            } else {
                Vec::new()
            },
            ..Default::default()
        };
        let mut watch = client.events().watch(request.clone());
        let Some(Message::Checkpoint(first)) = watch.try_next().await? else {
            bail!("a watch does not begin with a checkpoint");
        };
        let mut out = std::io::BufWriter::new(std::fs::File::create(&file)?);
        let header = Header {
            from: first.sequence,
            is_filtered,
        };
        writeln!(out, "{}", serde_json::to_string(&header)?)?;
        let state = Arc::new(State::default());
        state.seen.store(first.sequence, Ordering::SeqCst);
        let ended = CancellationToken::new();
        let (shared, end, client) = (Arc::clone(&state), ended.clone(), client.clone());
        let hands_on = number % 4 >= 2;
        let task = tokio::spawn(async move {
            let mut count = 0;
            loop {
                let next = tokio::select! {
                    () = end.cancelled() => break,
                    next = watch.try_next() => next,
                };
                match next {
                    Ok(Some(Message::Event(event))) => {
                        let delivery = Delivery {
                            sequence: event.sequence,
                            kind: event
                                .kind()
                                .as_str_name()
                                .trim_start_matches("EVENT_KIND_")
                                .to_owned(),
                            resource_id: event.resource_id,
                        };
                        writeln!(out, "{}", serde_json::to_string(&delivery)?)?;
                        shared.seen.fetch_max(event.sequence, Ordering::SeqCst);
                    }
                    Ok(Some(Message::Checkpoint(checkpoint))) => {
                        shared.seen.fetch_max(checkpoint.sequence, Ordering::SeqCst);
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => {
                        shared.breaks_off("it ended");
                        break;
                    }
                    Err(error) => {
                        shared.breaks_off(&error.to_string());
                        break;
                    }
                }
                count += 1;
                if hands_on && count % HANDED_ON_EVERY == 0 {
                    watch = handed_on(&client, &request, &watch);
                }
            }
            out.flush()?;
            Ok(())
        });
        Ok(Self {
            state,
            ended,
            task,
            file,
        })
    }

    /// Whether it gave up, for a reason that does not pass.
    pub fn has_broken_off(&self) -> bool {
        self.broken_off().is_some()
    }

    pub fn broken_off(&self) -> Option<String> {
        self.state
            .broken_off
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until it has come to a place in the log, or does not come there in time.
    pub async fn reaches(&self, place: u64, limit: Duration) {
        let until = Instant::now() + limit;
        while self.state.seen.load(Ordering::SeqCst) < place
            && !self.has_broken_off()
            && Instant::now() < until
        {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends, and writes down up to where everything was to come.
    pub async fn end(self, to: u64) -> Result<()> {
        self.ended.cancel();
        let broken_off = self.broken_off();
        self.task.await?.context("a watcher")?;
        let footer = Footer { to, broken_off };
        let mut out = std::fs::OpenOptions::new().append(true).open(&self.file)?;
        writeln!(out, "{}", serde_json::to_string(&footer)?)?;
        Ok(())
    }
}

impl State {
    fn breaks_off(&self, why: &str) {
        *self.broken_off.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }
}

/// The same watch, begun anew from where the other one stands.
fn handed_on(client: &Client, request: &WatchRequest, watch: &Watch) -> Watch {
    client.events().watch(WatchRequest {
        cursor: watch.cursor().to_owned(),
        ..request.clone()
    })
}

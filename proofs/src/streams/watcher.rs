//! A watcher that records all its events.
//!
//! Some watchers use the SDK, which continues after a cut. The others use the bare generated client, like a program in
//! another language. They repeat the request themselves, from the last event or from the last checkpoint.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use vintedbot_sdk::Client;
use vintedbot_sdk::v1::event_service_client::EventServiceClient;
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::v1::{Topic, WatchRequest, WatchResponse};

use super::driver::Scene;

/// After this many messages, some watchers start a new watch with the last cursor, as another process would.
const HANDED_ON_EVERY: u64 = 50;
const BEGINS_WITHIN: Duration = Duration::from_secs(60);
/// The wait before a bare client repeats its request.
const BARE_WAITS: Duration = Duration::from_millis(20);

/// The filter of a watcher; empty means everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The resource types, named as in the log.
    pub resource_types: Vec<String>,
    pub account_id: Option<String>,
    /// The thread. Events that belong to no thread are included.
    pub thread_id: Option<String>,
}

/// The way in which a watcher continues after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The SDK continues.
    Sdk,
    /// The SDK continues, and at intervals another watch starts with its cursor.
    HandedOn,
    /// The bare client continues from the last event's cursor.
    LastEvent,
    /// The bare client continues from the last checkpoint's cursor. It forgets later events, which must arrive again.
    LastCheckpoint,
}

/// The filter of a watcher, and its way to continue.
#[derive(Clone, Debug)]
pub struct Ask {
    pub wanted: Wanted,
    pub way: Way,
    request: WatchRequest,
}

impl Ask {
    /// Returns the options of the watcher with this number. Every kind of filter and every way occurs in turn.
    pub fn of(number: usize, scene: &Scene) -> Self {
        let templates = (Topic::Templates, ["TEMPLATE"].as_slice());
        let inbox = (Topic::Inbox, ["THREAD", "MESSAGE", "REPLY"].as_slice());
        let account = Some(scene.account_id());
        let (topic, account_id, thread_id, way) = match number % 8 {
            0 => (None, None, None, Way::Sdk),
            1 => (Some(templates), None, None, Way::Sdk),
            2 => (None, None, None, Way::HandedOn),
            3 => (Some(templates), account, None, Way::HandedOn),
            4 => (None, account, None, Way::LastEvent),
            5 => (
                Some(inbox),
                None,
                Some(scene.quiet_thread_id()),
                Way::LastCheckpoint,
            ),
            6 => (None, None, None, Way::LastEvent),
            _ => (None, None, Some(scene.busy_thread_id()), Way::Sdk),
        };
        let owned = |id: Option<&str>| id.map(str::to_owned);
        Self {
            way,
            request: WatchRequest {
                topics: topic.iter().map(|(topic, _)| (*topic).into()).collect(),
                account_ids: owned(account_id).into_iter().collect(),
                thread_ids: owned(thread_id).into_iter().collect(),
                ..Default::default()
            },
            wanted: Wanted {
                resource_types: topic
                    .iter()
                    .flat_map(|(_, types)| types.iter().map(|name| (*name).to_owned()))
                    .collect(),
                account_id: owned(account_id),
                thread_id: owned(thread_id),
            },
        }
    }
}

/// The first line of a watcher's file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Header {
    /// The sequence in the log at which the watch began.
    pub from: u64,
    pub wanted: Wanted,
}

/// An event as it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub sequence: u64,
    /// The kind as in the log, without the contract's prefix.
    pub kind: String,
    pub resource_id: String,
}

/// The last line of a watcher's file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Footer {
    /// The sequence in the log up to which all events were expected.
    pub to: u64,
    /// The reason for which the watcher gave up. Absent: it did not give up.
    pub broken_off: Option<String>,
}

/// The address of a watcher's server, through the proxy, and its authorization.
#[derive(Clone)]
pub struct Line {
    /// For the ways with the SDK.
    pub client: Client,
    /// For the ways with the bare client.
    pub url: String,
    pub authorization: MetadataValue<Ascii>,
}

/// A watcher in a separate task.
pub struct Watcher {
    state: Arc<State>,
    ended: CancellationToken,
    task: tokio::task::JoinHandle<Result<()>>,
    file: PathBuf,
}

#[derive(Default)]
struct State {
    /// The sequence up to which events have arrived.
    seen: AtomicU64,
    broken_off: Mutex<Option<String>>,
}

impl Watcher {
    /// Starts to watch from the current end of the log. A later start would have fewer events to miss.
    pub async fn begin(ask: Ask, line: Line, file: PathBuf) -> Result<Self> {
        let state = Arc::new(State::default());
        let ended = CancellationToken::new();
        let (tells, began) = oneshot::channel();
        let book = Book {
            out: std::io::BufWriter::new(std::fs::File::create(&file)?),
            wanted: ask.wanted.clone(),
            begins: Some(tells),
            pending: Vec::new(),
            keeps_from_checkpoints: ask.way == Way::LastCheckpoint,
            state: Arc::clone(&state),
        };
        let task = tokio::spawn(watch(ask, line, book, ended.clone()));
        let began = timeout(BEGINS_WITHIN, began).await;
        began.context("a watch did not begin in time")??;
        Ok(Self {
            state,
            ended,
            task,
            file,
        })
    }

    /// Returns whether it gave up for a permanent reason.
    pub fn has_broken_off(&self) -> bool {
        self.broken_off().is_some()
    }

    /// Waits until it has given up.
    pub async fn breaks_off(&self) {
        while !self.has_broken_off() {
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn broken_off(&self) -> Option<String> {
        self.state
            .broken_off
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until it has reached a sequence in the log, at most for `limit`.
    pub async fn reaches(&self, place: u64, limit: Duration) {
        let until = Instant::now() + limit;
        while self.state.seen.load(Ordering::SeqCst) < place
            && !self.has_broken_off()
            && Instant::now() < until
        {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends, and records the sequence up to which all events were expected.
    pub async fn end(self, to: u64) -> Result<()> {
        self.ended.cancel();
        let broken_off = self.broken_off();
        self.task.await?.context("a watcher failed")?;
        let footer = Footer { to, broken_off };
        let mut out = std::fs::OpenOptions::new().append(true).open(&self.file)?;
        writeln!(out, "{}", serde_json::to_string(&footer)?)?;
        Ok(())
    }
}

/// The record of a watcher.
struct Book {
    out: std::io::BufWriter<std::fs::File>,
    wanted: Wanted,
    /// Signals once that the watch has begun.
    begins: Option<oneshot::Sender<()>>,
    /// Events that have arrived and are not written yet.
    pending: Vec<Delivery>,
    /// Whether only events before a checkpoint are written.
    keeps_from_checkpoints: bool,
    state: Arc<State>,
}

impl Book {
    fn take(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Event(event) => {
                anyhow::ensure!(self.begins.is_none(), "a watch does not begin with a checkpoint");
                self.pending.push(Delivery {
                    sequence: event.sequence,
                    kind: event
                        .kind()
                        .as_str_name()
                        .trim_start_matches("EVENT_KIND_")
                        .to_owned(),
                    resource_id: event.resource_id,
                });
                if !self.keeps_from_checkpoints {
                    self.record(event.sequence)?;
                }
            }
            Message::Checkpoint(checkpoint) => {
                if let Some(begins) = self.begins.take() {
                    let header = Header {
                        from: checkpoint.sequence,
                        wanted: self.wanted.clone(),
                    };
                    writeln!(self.out, "{}", serde_json::to_string(&header)?)?;
                    let _nobody_waits = begins.send(());
                }
                self.record(checkpoint.sequence)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes the pending events, which are complete up to a sequence in the log.
    fn record(&mut self, place: u64) -> Result<()> {
        for delivery in self.pending.drain(..) {
            writeln!(self.out, "{}", serde_json::to_string(&delivery)?)?;
        }
        self.state.seen.fetch_max(place, Ordering::SeqCst);
        Ok(())
    }

    fn breaks_off(&self, why: &str) {
        let mut broken_off = self
            .state
            .broken_off
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *broken_off = Some(why.to_owned());
    }
}

async fn watch(ask: Ask, line: Line, mut book: Book, ended: CancellationToken) -> Result<()> {
    let watching = async {
        match ask.way {
            Way::Sdk | Way::HandedOn => by_sdk(&ask, &line.client, &mut book).await,
            Way::LastEvent | Way::LastCheckpoint => bare(&ask, &line, &mut book).await,
        }
    };
    tokio::select! {
        () = ended.cancelled() => {}
        watched = watching => watched?,
    }
    // The remaining events were not withdrawn by a cut.
    book.record(0)?;
    book.out.flush()?;
    Ok(())
}

async fn by_sdk(ask: &Ask, client: &Client, book: &mut Book) -> Result<()> {
    let mut watch = client.events().watch(ask.request.clone());
    let mut count = 0;
    loop {
        match watch.try_next().await {
            Ok(Some(message)) => book.take(message)?,
            Ok(None) => {
                book.breaks_off("it ended");
                return Ok(());
            }
            Err(error) => {
                book.breaks_off(&error.to_string());
                return Ok(());
            }
        }
        count += 1;
        if ask.way == Way::HandedOn && count % HANDED_ON_EVERY == 0 {
            watch = client.events().watch(WatchRequest {
                cursor: watch.cursor().to_owned(),
                ..ask.request.clone()
            });
        }
    }
}

async fn bare(ask: &Ask, line: &Line, book: &mut Book) -> Result<()> {
    let channel = Endpoint::from_shared(line.url.clone())?.connect_lazy();
    let mut cursor = String::new();
    loop {
        let request = WatchRequest {
            cursor: cursor.clone(),
            ..ask.request.clone()
        };
        let cut = until_cut(ask, line, channel.clone(), request, &mut cursor, book).await?;
        // These codes mean a broken connection. All others are answers of the server.
        let passes = [
            Code::Unavailable,
            Code::Unknown,
            Code::Internal,
            Code::Cancelled,
            Code::ResourceExhausted,
        ];
        if !passes.contains(&cut.code()) {
            book.breaks_off(&cut.to_string());
            return Ok(());
        }
        if book.keeps_from_checkpoints {
            book.pending.clear();
        }
        sleep(BARE_WAITS).await;
    }
}

/// Watches once. Returns the status that ended the watch. Stores the position to continue from in `cursor`.
async fn until_cut(
    ask: &Ask,
    line: &Line,
    channel: Channel,
    request: WatchRequest,
    cursor: &mut String,
    book: &mut Book,
) -> Result<Status> {
    let authorization = line.authorization.clone();
    let mut client = EventServiceClient::with_interceptor(channel, move |mut request: Request<()>| {
        request
            .metadata_mut()
            .insert("authorization", authorization.clone());
        Ok(request)
    });
    let mut stream = match client.watch(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return Ok(status),
    };
    loop {
        let WatchResponse {
            cursor: place,
            message,
        } = match stream.message().await {
            Ok(Some(response)) => response,
            Ok(None) => return Ok(Status::unavailable("the server ended the stream")),
            Err(status) => return Ok(status),
        };
        let Some(message) = message else { continue };
        let is_place = match (&message, ask.way) {
            (Message::Checkpoint(_), Way::LastCheckpoint) => true,
            // Before the first event, the first checkpoint is the only position.
            (Message::Checkpoint(_), _) => cursor.is_empty(),
            (Message::Event(_), way) => way != Way::LastCheckpoint,
            _ => false,
        };
        if is_place {
            *cursor = place;
        }
        book.take(message)?;
    }
}

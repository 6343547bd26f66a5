//! `Watch`: follows the event log of the caller's workspace.
//!
//! The watcher subscribes to the feed before it reads the log, so it misses no event in between. It reads the log in
//! pages until its end, then takes events from the feed. If an event does not directly follow its position (because of
//! a lag, a gap or a restarted tailer), it reads the log again. Each event therefore passes once and in order, or the
//! stream ends with CURSOR_EXPIRED.
//!
//! A client that does not read suspends the stream at any await. The stream then holds a page of messages but no
//! database connection, because `store::Reader` runs each read in a separate task.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response};
use tracing::Instrument as _;
use vintedbot_domain::clock::Millis;
use vintedbot_domain::events::{self, Cursor, Ephemeral, Event, Kind, ResourceType, Wake};
use vintedbot_domain::identity::{self, Caller};
use vintedbot_domain::{Context, Error, Reason, failpoints, publishing, store};
use vintedbot_proto::v1;
use vintedbot_proto::v1::watch_response::{Checkpoint, Message, SnapshotEnd};

use super::snapshot::Snapshot;
use crate::calls::{Call, Deadline};
use crate::convert::{Fields, event as convert, saturating_u64};
use crate::errors::{self, Problem};
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

/// Events per page while catching up.
const PAGE: u64 = 256;
/// The maximum accounts or threads of a filter.
const FILTER_IDS_MAX: usize = 1_000;
/// A checkpoint follows after this many events that the filter excluded.
const CHECKPOINT_EVENTS: u32 = 500;
/// A checkpoint follows after this time without a message that has a cursor. It is below the idle limits of common
/// proxies.
const CHECKPOINT_IDLE: Duration = Duration::from_secs(15);

pub async fn watch(
    state: &ServerState,
    request: Request<v1::WatchRequest>,
) -> Result<Response<<super::Service as v1::event_service_server::EventService>::WatchStream>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let deadline = request.extensions().get::<Deadline>().map(|deadline| deadline.0);
    let mut request = request.into_inner();
    let filter = Filter::read(&mut request)?;

    let context = &state.context;
    let wakes = context.feed.subscribe(&context.store, &caller.workspace_id);
    let (position, stage) = if !request.cursor.is_empty() {
        let cursor = Cursor::decode(
            &request.cursor,
            &caller.workspace_id,
            &context.log_epoch,
            &context.keys,
        )?;
        // An expired cursor is refused by the call itself, not within the stream.
        events::read(&context.store, &caller.workspace_id, cursor.sequence, 1).await?;
        (cursor.sequence, Stage::CatchingUp)
    } else {
        let head = events::head(&context.store, &caller.workspace_id).await?;
        let stage = if request.snapshot {
            Stage::Snapshot(Snapshot::new(&filter))
        } else {
            Stage::CatchingUp
        };
        (head, stage)
    };
    let caller_end = caller.expire_time.map(|time| instant(context, time));
    let mut watcher = Watcher {
        state: state.clone(),
        caller,
        call,
        span: tracing::Span::current(),
        deadline,
        caller_end,
        filter,
        wakes,
        position,
        excluded: 0,
        last_cursor: Instant::now(),
        ready: VecDeque::new(),
        stage,
        job_accounts: HashMap::new(),
        _counted: Counted::new(),
    };
    if !matches!(watcher.stage, Stage::Snapshot(_)) {
        watcher.checkpoint();
    }
    let stream = stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher: Watcher = watcher?;
        let span = watcher.span.clone();
        let workspace_id = watcher.caller.workspace_id.clone();
        // The stream is polled outside of the call.
        let next = store::within(&workspace_id, watcher.next());
        match next.instrument(span.clone()).await {
            Ok(message) => Some((Ok(message), Some(watcher))),
            Err(problem) => {
                let code = problem.code();
                span.in_scope(|| tracing::info!(?code, "watch ended"));
                Some((
                    Err(errors::complete(problem.into(), &watcher.call.request_id, 0)),
                    None,
                ))
            }
        }
    });
    let stream: <super::Service as v1::event_service_server::EventService>::WatchStream = Box::pin(stream);
    let mut response = Response::new(stream);
    // nginx would otherwise hold messages back until its buffer is full.
    let unbuffered = MetadataValue::from_static("no");
    response.metadata_mut().insert("x-accel-buffering", unbuffered);
    Ok(response)
}

/// Refuses a caller whose token was revoked or whose session has ended. The stream has missed that event if it is older
/// than the subscription, and a stream that is far behind would reach it only at the end.
async fn refuse_revoked(state: &ServerState, caller: &Caller) -> Result<(), Problem> {
    if identity::is_live(&state.context, caller).await? {
        Ok(())
    } else {
        Err(caller_revoked())
    }
}

/// Counts an open stream while it exists.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("vintedbot_watchers").increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("vintedbot_watchers").decrement(1.0);
    }
}

/// The caller's filter.
pub(super) struct Filter {
    /// Event kinds; empty: all.
    kinds: HashSet<v1::EventKind>,
    /// Accounts; empty: all, including events without an account.
    accounts: HashSet<String>,
    /// Resource types; empty: all.
    types: HashSet<ResourceType>,
    /// Threads; empty: all.
    threads: HashSet<String>,
}

impl Filter {
    /// Takes the filter's lists out of the request.
    fn read(request: &mut v1::WatchRequest) -> Result<Self, Problem> {
        let mut fields = Fields::default();
        let kinds = fields.enumerations("kinds", take(&mut request.kinds), |kind: v1::EventKind| {
            convert::resource_type_of(kind).map(|_| kind)
        });
        let accounts = fields.ids("account_ids", FILTER_IDS_MAX, take(&mut request.account_ids));
        let topics = fields.enumerations("topics", take(&mut request.topics), convert::resource_types_of);
        let threads = fields.ids("thread_ids", FILTER_IDS_MAX, take(&mut request.thread_ids));
        fields.done(Self {
            kinds: kinds.into_iter().collect(),
            accounts: accounts.into_iter().collect(),
            types: topics.into_iter().flatten().copied().collect(),
            threads: threads.into_iter().collect(),
        })
    }

    fn takes(&self, event: &Event) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&convert::kind(event.kind)))
            && (self.types.is_empty() || self.types.contains(&event.resource_type))
            && self.takes_account(event.account_id.as_deref())
            && self.takes_thread(event.thread_id.as_deref())
    }

    /// Returns whether the filter accepts the thread. It accepts resources without a thread.
    pub fn takes_thread(&self, thread_id: Option<&str>) -> bool {
        self.threads.is_empty() || thread_id.is_none_or(|id| self.threads.contains(id))
    }

    /// Returns the requested threads. Empty if the filter names none.
    pub fn threads(&self) -> &HashSet<String> {
        &self.threads
    }

    pub fn takes_account(&self, account_id: Option<&str>) -> bool {
        self.accounts.is_empty() || account_id.is_some_and(|id| self.accounts.contains(id))
    }

    /// Returns whether any requested kind and topic covers the resource type.
    pub fn takes_type(&self, resource_type: ResourceType) -> bool {
        if !self.types.is_empty() && !self.types.contains(&resource_type) {
            return false;
        }
        let mut types = self
            .kinds
            .iter()
            .filter_map(|kind| convert::resource_type_of(*kind));
        self.kinds.is_empty() || types.any(|asked| asked == resource_type)
    }
}

enum Stage {
    Snapshot(Snapshot),
    CatchingUp,
    Live,
}

struct Watcher {
    state: ServerState,
    caller: Caller,
    call: Call,
    /// The span of the call, so that later errors are logged with its request id.
    span: tracing::Span,
    deadline: Option<Instant>,
    /// The time at which the caller's API token or session expires, unless a refresh extends the session.
    caller_end: Option<Instant>,
    filter: Filter,
    wakes: Receiver<Wake>,
    /// The sequence up to which all events have been sent or excluded.
    position: i64,
    /// The number of excluded events since the last message with a cursor.
    excluded: u32,
    last_cursor: Instant,
    ready: VecDeque<v1::WatchResponse>,
    stage: Stage,
    /// The accounts of running publish jobs, loaded only if the filter names accounts.
    job_accounts: HashMap<String, Option<String>>,
    _counted: Counted,
}

impl Watcher {
    async fn next(&mut self) -> Result<v1::WatchResponse, Problem> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(message);
            }
            self.check_end().await?;
            if !matches!(self.stage, Stage::Live) {
                refuse_revoked(&self.state, &self.caller).await?;
            }
            match &mut self.stage {
                Stage::Snapshot(snapshot) => {
                    let signer = Signer::new(&self.state.context, &self.call);
                    match snapshot
                        .next_page(&self.state.context, &self.caller, &self.filter, &signer)
                        .await?
                    {
                        Some(page) => self.ready.extend(page),
                        None => {
                            self.push(Message::SnapshotEnd(SnapshotEnd {
                                sequence: saturating_u64(self.position),
                            }));
                            self.stage = Stage::CatchingUp;
                        }
                    }
                }
                Stage::CatchingUp => self.read_page().await?,
                Stage::Live => self.wait().await?,
            }
        }
    }

    /// Returns an error if the stream must end. Needed while messages are ready, because the stream does not wait then.
    async fn check_end(&mut self) -> Result<(), Problem> {
        if self.state.shutdown.is_cancelled() {
            return Err(Problem::shutting_down());
        }
        if is_past(self.caller_end) {
            // A refresh may have extended the session.
            let context = &self.state.context;
            let expire_time = identity::expire_time(context, &self.caller).await?;
            self.caller_end = expire_time.map(|time| instant(context, time));
            if is_past(self.caller_end) {
                return Err(caller_expired());
            }
        }
        if is_past(self.deadline) {
            return Err(Problem::deadline_exceeded());
        }
        Ok(())
    }

    async fn read_page(&mut self) -> Result<(), Problem> {
        let context = &self.state.context;
        let page = events::read(&context.store, &self.caller.workspace_id, self.position, PAGE).await?;
        if page.events.is_empty() {
            self.stage = Stage::Live;
        }
        for event in &page.events {
            self.take(event)?;
        }
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), Problem> {
        let wake = tokio::select! {
            wake = self.wakes.recv() => wake,
            () = self.state.shutdown.cancelled() => return Err(Problem::shutting_down()),
            // `check_end` decides.
            () = at(self.caller_end) => return Ok(()),
            () = at(self.deadline) => return Err(Problem::deadline_exceeded()),
            () = tokio::time::sleep_until(self.last_cursor + CHECKPOINT_IDLE) => {
                self.checkpoint();
                return Ok(());
            }
        };
        match wake {
            Ok(Wake::Event(event)) if event.sequence <= self.position => {}
            Ok(Wake::Event(event)) if event.sequence == self.position + 1 => self.take(&event)?,
            Ok(Wake::Ephemeral(ephemeral)) => self.take_ephemeral(&ephemeral).await?,
            Ok(Wake::Event(_) | Wake::Reread) | Err(RecvError::Lagged(_)) => self.stage = Stage::CatchingUp,
            Err(RecvError::Closed) => {
                self.wakes = self
                    .state
                    .context
                    .feed
                    .subscribe(&self.state.context.store, &self.caller.workspace_id);
                self.stage = Stage::CatchingUp;
            }
        }
        Ok(())
    }

    /// Processes the event that directly follows the position.
    fn take(&mut self, event: &Event) -> Result<(), Problem> {
        self.position = event.sequence;
        if self.revokes_caller(event) {
            return Err(caller_revoked());
        }
        if self.filter.takes(event) {
            let signer = Signer::new(&self.state.context, &self.call);
            let event = convert::event(&signer, &self.caller, event);
            self.push(Message::Event(event));
        } else {
            self.excluded += 1;
            if self.excluded >= CHECKPOINT_EVENTS {
                self.checkpoint();
            }
        }
        Ok(())
    }

    /// Returns whether the event revokes the caller's API token or ends the caller's session.
    fn revokes_caller(&self, event: &Event) -> bool {
        matches!(event.kind, Kind::ApiTokenRevoked | Kind::UserSessionEnded)
            && event.resource_id == self.caller.credential_id
            && !failpoints::disables("streams_revoked")
    }

    async fn take_ephemeral(&mut self, ephemeral: &Arc<Ephemeral>) -> Result<(), Problem> {
        let takes = match &**ephemeral {
            Ephemeral::Photos { .. } => {
                self.filter.takes_type(ResourceType::Photo) && self.filter.takes_account(None)
            }
            Ephemeral::PublishStep { publish_job_id, .. } => {
                self.filter.takes_type(ResourceType::PublishJob) && self.takes_job(publish_job_id).await?
            }
            Ephemeral::InboxFreshness { account_id, .. } => {
                let is_asked = [ResourceType::Account, ResourceType::Thread];
                is_asked.iter().any(|one| self.filter.takes_type(*one))
                    && self.filter.takes_account(Some(account_id))
            }
        };
        let now = self.state.context.clock.now();
        let signer = Signer::new(&self.state.context, &self.call);
        if takes && let Some(ephemeral) = convert::ephemeral(&signer, &self.caller, ephemeral, now) {
            // An ephemeral message has no position in the log, so it has no cursor.
            let message = Some(Message::Ephemeral(ephemeral));
            self.ready.push_back(v1::WatchResponse {
                cursor: String::new(),
                message,
            });
        }
        Ok(())
    }

    async fn takes_job(&mut self, job_id: &str) -> Result<bool, Problem> {
        if self.filter.accounts.is_empty() {
            return Ok(true);
        }
        if !self.job_accounts.contains_key(job_id) {
            let account_id = match publishing::get(&self.state.context, &self.caller, job_id).await {
                Ok(job) => Some(job.account_id),
                Err(Error::NotFound { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            self.job_accounts.insert(job_id.to_owned(), account_id);
        }
        let account_id = self.job_accounts.get(job_id).and_then(Option::as_deref);
        Ok(account_id.is_some_and(|id| self.filter.takes_account(Some(id))))
    }

    fn checkpoint(&mut self) {
        self.push(Message::Checkpoint(Checkpoint {
            sequence: saturating_u64(self.position),
        }));
    }

    /// Queues a message with the cursor of the current position.
    fn push(&mut self, message: Message) {
        let context = &self.state.context;
        let cursor = Cursor {
            workspace_id: self.caller.workspace_id.clone(),
            log_epoch: context.log_epoch.as_ref().to_owned(),
            sequence: self.position,
        };
        let cursor = cursor.encode(&context.keys);
        self.ready.push_back(v1::WatchResponse {
            cursor,
            message: Some(message),
        });
        self.excluded = 0;
        self.last_cursor = Instant::now();
    }
}

/// Returns the instant of a wall-clock time.
fn instant(context: &Context, time: Millis) -> Instant {
    let left = u64::try_from(time - context.clock.now()).unwrap_or_default();
    Instant::now() + Duration::from_millis(left)
}

fn is_past(end: Option<Instant>) -> bool {
    end.is_some_and(|end| end <= Instant::now())
}

async fn at(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

fn caller_revoked() -> Problem {
    let message = "the API token was revoked, or the session has ended";
    Error::rejected(Reason::TokenInvalid, message).into()
}

fn caller_expired() -> Problem {
    let message = "the API token or the session has expired";
    Error::rejected(Reason::TokenExpired, message).into()
}

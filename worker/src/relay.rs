//! The Redis relay between processes. It carries hints for the watchers and webhooks of other processes, and
//! notifications for any free worker.
//!
//! It only reduces delays, because each process also polls the database. Nothing waits for Redis: messages are put into
//! bounded queues, and are dropped if a queue is full or Redis does not respond. A lost connection is reopened with
//! growing pauses. After that, each process checks for everything that it may have missed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apalis::prelude::TaskSink as _;
use apalis_redis::RedisStorage;
use futures::StreamExt as _;
use futures::channel::mpsc as wakes;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands as _, AsyncConnectionConfig, Client, ErrorKind, RedisError};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};
use vintedbot_domain::Context;
use vintedbot_domain::events::Hint;
use vintedbot_domain::jobs::{self, Kind};

/// The capacity of the queues of hints and of notifications, about one second of a busy process.
const QUEUE: usize = 1_024;
/// The maximum hints or notifications sent at once.
const BATCH: usize = 64;
/// The timeout of a Redis response. With a shorter one, a busy server would look dead.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// The interval of each process's heartbeat, and the silence after which a connection counts as dead.
const ALIVE_EVERY: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(16);
/// The first and the longest pause between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// The error that prevents a start with Redis.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("REDIS_URL is not a URL such as redis://:password@host:6379 ({0})")]
    Address(String),
    #[error("REDIS_URL: {address} refuses the user or the password ({reason})")]
    Refused { address: String, reason: String },
    #[error(
        "REDIS_URL: {address} does not respond ({reason}); start Redis, or leave REDIS_URL empty to run without it"
    )]
    Unreachable { address: String, reason: String },
}

/// A message between processes.
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    from: String,
    what: What,
}

#[derive(Debug, Serialize, Deserialize)]
enum What {
    /// A heartbeat, which shows that the connection works.
    Alive,
    Hint(Hint),
    /// A notification of a kind is in Redis.
    Notification(Kind),
}

/// This process's connection to Redis.
pub struct Relay {
    client: Client,
    /// Replaced after each failure, because it retries only broken connections, not refused ones.
    manager: Mutex<ConnectionManager>,
    /// The prefix of its keys and its channel, because several instances may share a Redis.
    prefix: String,
    /// The id of this process, by which it ignores its own messages.
    me: String,
    hints: mpsc::Sender<Hint>,
    notifications: mpsc::Sender<String>,
    queues: Mutex<Option<(mpsc::Receiver<Hint>, mpsc::Receiver<String>)>>,
    dropped: AtomicU64,
    wakes: Mutex<HashMap<Kind, wakes::Sender<()>>>,
    /// Notified when hints may have been missed.
    missed: Arc<Notify>,
    /// The time of the last warning about ended listeners.
    last_warning: Mutex<Option<Instant>>,
}

impl Relay {
    /// Connects at startup. Fails if Redis is unavailable; a connection that is lost later is reopened automatically.
    ///
    /// # Errors
    /// The URL is invalid, the password is refused, or the server does not respond.
    pub async fn open(url: &str, instance_id: &str, me: &str) -> Result<Arc<Self>, Error> {
        let client = Client::open(url).map_err(|error| Error::Address(error.category().to_owned()))?;
        let address = client.get_connection_info().addr().to_string();
        let failed = |error: RedisError| connect_error(&address, &error);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWERS_WITHIN))
            .set_response_timeout(Some(ANSWERS_WITHIN));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(failed)?;
        let _: String = redis::cmd("PING")
            .query_async(&mut connection)
            .await
            .map_err(failed)?;
        let manager = manager(&client).map_err(failed)?;
        let ((hints, hinted), (notifications, notified)) = (mpsc::channel(QUEUE), mpsc::channel(QUEUE));
        Ok(Arc::new(Self {
            client,
            manager: Mutex::new(manager),
            prefix: format!("vintedbot:{instance_id}"),
            me: me.to_owned(),
            hints,
            notifications,
            queues: Mutex::new(Some((hinted, notified))),
            dropped: AtomicU64::new(0),
            wakes: Mutex::default(),
            missed: Arc::default(),
            last_warning: Mutex::default(),
        }))
    }

    /// Carries hints and notifications until the process ends. Must be called only once.
    pub async fn run(self: Arc<Self>, context: Context) {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((hinted, notified)) = queues else { return };
        context.feed.tell_others(self.hints.clone());
        tokio::join!(
            self.send_hints(hinted),
            self.send_notifications(&context, notified),
            self.listen(&context),
            self.count(&context),
        );
    }

    /// Queues a notification of a job for any free worker. Never waits.
    pub fn offer(&self, job_id: String) {
        if self.notifications.try_send(job_id).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Forwards the notifications of a process without a worker.
    pub async fn pass_on(self: Arc<Self>, mut notifications: mpsc::UnboundedReceiver<String>) {
        while let Some(job_id) = notifications.recv().await {
            self.offer(job_id);
        }
    }

    /// Waits until hints may have been missed.
    pub async fn missed(&self) {
        self.missed.notified().await;
    }

    /// Returns the storage of a kind's notifications, and a receiver of wake-ups for it.
    pub fn storage(&self, kind: Kind) -> (RedisStorage<String>, wakes::Receiver<()>) {
        let (sender, receiver) = wakes::channel(1);
        self.wakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(kind, sender);
        (self.notifications_for(kind), receiver)
    }

    /// Removes handled notifications. apalis keeps every task for ever, and a handled notification is useless.
    pub async fn cleanup(&self, kind: Kind) -> Result<(), apalis_redis::Error> {
        use apalis_core::backend::Vacuum as _;
        let mut storage = self.notifications_for(kind);
        storage.vacuum().await?;
        let ended = [
            storage.get_config().done_jobs_set(),
            storage.get_config().dead_jobs_set(),
        ];
        let _: i64 = self.manager().unlink(&ended).await?;
        Ok(())
    }

    /// Returns whether to warn that a listener for notifications ended. Of listeners that end together, only the first
    /// is reported.
    pub fn tell_of_listeners(&self, cooldown: Duration) -> bool {
        let mut last_warning = self.last_warning.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = last_warning.is_none_or(|last| last.elapsed() > cooldown);
        if is_news {
            *last_warning = Some(Instant::now());
        }
        is_news
    }

    fn notifications_for(&self, kind: Kind) -> RedisStorage<String> {
        // One at a time, so that a batch does not delay the heartbeat. A notification is handled at once and needs no
        // lock.
        let config = apalis_redis::Config::default()
            .queue(format!("{}:notifications:{}", self.prefix, kind.name()))
            .batch_size(1)
            .heartbeat_interval(Duration::from_secs(5))
            .missed_heartbeats(3)
            .lock_tasks(false)
            .emit_events(false);
        RedisStorage::new(self.manager()).with_config(config)
    }

    fn manager(&self) -> ConnectionManager {
        self.manager
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Replaces the connection. Listeners switch to it when the old one fails.
    fn renew(&self) {
        if let Ok(fresh) = manager(&self.client) {
            *self.manager.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }

    fn channel(&self) -> String {
        format!("{}:hints", self.prefix)
    }

    async fn send_hints(&self, mut hinted: mpsc::Receiver<Hint>) {
        let mut pace = Pace::default();
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            tokio::select! {
                count = hinted.recv_many(&mut batch, BATCH) => if count == 0 { return },
                () = sleep(ALIVE_EVERY) => {}
            }
            let what = if batch.is_empty() {
                vec![What::Alive]
            } else {
                merged(batch).into_iter().map(What::Hint).collect()
            };
            pace.note("hints", self.publish(what).await).await;
        }
    }

    async fn send_notifications(&self, context: &Context, mut notified: mpsc::Receiver<String>) {
        let mut pace = Pace::default();
        loop {
            let mut ids = Vec::with_capacity(BATCH);
            if notified.recv_many(&mut ids, BATCH).await == 0 {
                return;
            }
            let kinds = match jobs::kinds_of(&context.store, &ids).await {
                Ok(kinds) => kinds,
                Err(error) => {
                    tracing::debug!(%error, "notifications were dropped; workers find the jobs by polling");
                    continue;
                }
            };
            let mut by_kind: HashMap<Kind, Vec<String>> = HashMap::new();
            for (id, kind) in kinds {
                by_kind.entry(kind).or_default().push(id);
            }
            pace.note("notifications", self.push(by_kind).await).await;
        }
    }

    async fn push(&self, by_kind: HashMap<Kind, Vec<String>>) -> Result<(), String> {
        let mut kinds = Vec::with_capacity(by_kind.len());
        for (kind, ids) in by_kind {
            kinds.push(What::Notification(kind));
            let pushed = self.notifications_for(kind).push_bulk(ids).await;
            pushed.map_err(|error| error.to_string())?;
        }
        self.publish(kinds).await
    }

    async fn publish(&self, messages: Vec<What>) -> Result<(), String> {
        let mut pipeline = redis::pipe();
        for what in messages {
            let message = Message {
                from: self.me.clone(),
                what,
            };
            let text = serde_json::to_string(&message).map_err(|error| error.to_string())?;
            pipeline.publish(self.channel(), text).ignore();
        }
        let sent: Result<(), _> = pipeline.query_async(&mut self.manager()).await;
        sent.map_err(|error| {
            self.renew();
            error.to_string()
        })
    }

    async fn listen(&self, context: &Context) {
        let mut pace = Pace::default();
        loop {
            let heard = self.hear(context, &mut pace).await;
            pace.note("the subscription", heard).await;
        }
    }

    /// Receives messages until the connection ends or is silent for too long.
    async fn hear(&self, context: &Context, pace: &mut Pace) -> Result<(), String> {
        let connect = async {
            let mut subscription = self.client.get_async_pubsub().await?;
            subscription.subscribe(self.channel()).await?;
            Ok::<_, RedisError>(subscription)
        };
        let subscription = timeout(ANSWERS_WITHIN, connect)
            .await
            .map_err(|_| "no answer".to_owned())?
            .map_err(|error| error.to_string())?;
        pace.worked("the subscription");
        // Checks for hints that were missed before the subscription.
        context.feed.look();
        self.missed.notify_one();
        let mut messages = subscription.into_on_message();
        while let Some(message) = timeout(SILENCE, messages.next())
            .await
            .map_err(|_| "the connection was silent for too long".to_owned())?
        {
            let Ok(message) = serde_json::from_slice::<Message>(message.get_payload_bytes()) else {
                // A message of another program version. Both versions also poll.
                continue;
            };
            if message.from != self.me {
                match message.what {
                    What::Alive => {}
                    What::Hint(hint) => context.feed.hear(hint),
                    What::Notification(kind) => self.wake(kind),
                }
            }
        }
        Err("the connection ended".to_owned())
    }

    fn wake(&self, kind: Kind) {
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = wakes.get_mut(&kind) {
            // The channel is full, so the listener is already notified.
            drop(sender.try_send(()));
        }
    }

    /// Logs the number of dropped messages once a minute, if there are new ones.
    async fn count(&self, context: &Context) {
        let mut reported = 0;
        loop {
            sleep(Duration::from_secs(60)).await;
            let dropped = context.feed.dropped() + self.dropped.load(Ordering::Relaxed);
            if dropped > reported {
                tracing::warn!(
                    dropped = dropped - reported,
                    "hints for other processes were dropped because Redis did not accept them; the processes poll"
                );
                reported = dropped;
            }
        }
    }
}

/// Creates a connection manager that connects at its first use.
fn manager(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(ANSWERS_WITHIN))
        .set_response_timeout(Some(ANSWERS_WITHIN))
        .set_number_of_retries(1)
        .set_max_delay(LAST_PAUSE);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

/// Merges hints: each workspace whose log grew is named once.
fn merged(hints: Vec<Hint>) -> Vec<Hint> {
    let mut grown = std::collections::BTreeSet::new();
    let mut rest = Vec::new();
    for hint in hints {
        match hint {
            Hint::Grown { workspaces } => grown.extend(workspaces),
            Hint::Webhooks if rest.contains(&Hint::Webhooks) => {}
            other => rest.push(other),
        }
    }
    if !grown.is_empty() {
        rest.insert(
            0,
            Hint::Grown {
                workspaces: grown.into_iter().collect(),
            },
        );
    }
    rest
}

/// Logs once that a connection is lost and once that it is restored, and waits with growing pauses in between.
#[derive(Default)]
struct Pace {
    lost: Option<Instant>,
    pause: Duration,
}

impl Pace {
    async fn note(&mut self, what: &str, result: Result<(), String>) {
        let Err(error) = result else {
            return self.worked(what);
        };
        if self.lost.is_none() {
            tracing::warn!(error, "Redis does not accept {what}; polling continues");
            self.lost = Some(Instant::now());
        }
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
        sleep(self.pause).await;
    }

    fn worked(&mut self, what: &str) {
        if let Some(lost) = self.lost.take() {
            tracing::info!(seconds = lost.elapsed().as_secs(), "Redis accepts {what} again");
        }
        self.pause = Duration::ZERO;
    }
}

fn connect_error(address: &str, error: &RedisError) -> Error {
    let (address, reason) = (address.to_owned(), error.to_string());
    let is_refusal = error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
    if is_refusal {
        Error::Refused { address, reason }
    } else {
        Error::Unreachable { address, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_with_new_events_are_named_once() {
        let grown = |workspace: &str| Hint::Grown {
            workspaces: vec![workspace.to_owned()],
        };
        let hints = vec![grown("b"), Hint::Webhooks, grown("a"), grown("b"), Hint::Webhooks];
        let expected = Hint::Grown {
            workspaces: vec!["a".to_owned(), "b".to_owned()],
        };
        assert_eq!(merged(hints), [expected, Hint::Webhooks]);
    }

    #[tokio::test]
    async fn invalid_or_unreachable_redis_url_names_the_setting() {
        for url in ["localhost:6379", "http://localhost", "redis://127.0.0.1:1"] {
            let error = Relay::open(url, "instance", "me").await.err().expect("refused");
            assert!(error.to_string().starts_with("REDIS_URL"), "{error}");
        }
    }
}

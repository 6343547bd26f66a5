//! Redis between processes: hints to other processes' watchers and webhooks, and rings for whichever worker is free.
//!
//! Everything that goes through here only saves waiting: each process polls the database all the same. So nobody ever waits
//! for Redis: what is to be sent goes into bounded queues, and is dropped when they are full or Redis does not answer. A
//! connection that is lost is made again, ever less often; when there is one again, everything is looked at once.

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
use vintedbot_domain::Domain;
use vintedbot_domain::events::Hint;
use vintedbot_domain::jobs::{self, Kind};

/// Hints, and rings, that wait to be sent. About a second's worth of a busy process.
const QUEUE: usize = 1_024;
/// How many are sent at once.
const BATCH: usize = 64;
/// The longest that Redis may take to answer. Less makes a busy server look dead.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// How often each process says something, and after which silence a connection is taken for dead.
const ALIVE_EVERY: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(16);
/// Pauses between attempts to connect: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Why a start with Redis is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("REDIS_URL is no address like redis://:password@host:6379 ({0})")]
    Address(String),
    #[error("REDIS_URL: {address} refuses the user or the password ({reason})")]
    Refused { address: String, reason: String },
    #[error(
        "REDIS_URL: {address} does not answer ({reason}); start Redis, or leave REDIS_URL empty to do without"
    )]
    Unreachable { address: String, reason: String },
}

/// What processes tell each other.
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    from: String,
    what: What,
}

#[derive(Debug, Serialize, Deserialize)]
enum What {
    /// Nothing but that the way is open.
    Alive,
    Hint(Hint),
    /// There are rings for a kind.
    Rung(Kind),
}

/// This process's way to Redis.
pub struct Relay {
    client: Client,
    /// Made anew whenever it fails: by itself it tries again only where a connection broke, not where one was refused.
    manager: Mutex<ConnectionManager>,
    /// What its keys and its channel begin with: several instances may share a Redis.
    prefix: String,
    /// This process, so that it does not listen to itself.
    me: String,
    hints: mpsc::Sender<Hint>,
    rings: mpsc::Sender<String>,
    queues: Mutex<Option<(mpsc::Receiver<Hint>, mpsc::Receiver<String>)>>,
    dropped: AtomicU64,
    wakes: Mutex<HashMap<Kind, wakes::Sender<()>>>,
    /// Told when what may have been missed is to be looked for.
    missed: Arc<Notify>,
    /// When it was last said that listeners for rings ended.
    told: Mutex<Option<Instant>>,
}

impl Relay {
    /// Connects, at start alone: later a lost connection is made again by itself.
    ///
    /// # Errors
    /// What is wrong with the address, the password, or the server.
    pub async fn open(url: &str, instance_id: &str, me: &str) -> Result<Arc<Self>, Error> {
        let client = Client::open(url).map_err(|error| Error::Address(error.category().to_owned()))?;
        let address = client.get_connection_info().addr().to_string();
        let told = |error: RedisError| told(&address, &error);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWERS_WITHIN))
            .set_response_timeout(Some(ANSWERS_WITHIN));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(told)?;
        let _: String = redis::cmd("PING")
            .query_async(&mut connection)
            .await
            .map_err(told)?;
        let manager = manager(&client).map_err(told)?;
        let ((hints, hinted), (rings, rung)) = (mpsc::channel(QUEUE), mpsc::channel(QUEUE));
        Ok(Arc::new(Self {
            client,
            manager: Mutex::new(manager),
            prefix: format!("vintedbot:{instance_id}"),
            me: me.to_owned(),
            hints,
            rings,
            queues: Mutex::new(Some((hinted, rung))),
            dropped: AtomicU64::new(0),
            wakes: Mutex::default(),
            missed: Arc::default(),
            told: Mutex::default(),
        }))
    }

    /// Carries hints and rings for as long as the process lives. Once.
    pub async fn run(self: Arc<Self>, domain: Domain) {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((hinted, rung)) = queues else { return };
        domain.feed.tell_others(self.hints.clone());
        tokio::join!(
            self.send_hints(hinted),
            self.send_rings(&domain, rung),
            self.listen(&domain),
            self.count(&domain),
        );
    }

    /// Rings for a job where a worker is free. Never waits.
    pub fn offer(&self, job_id: String) {
        if self.rings.try_send(job_id).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Passes on everything that rings in a process without a worker.
    pub async fn pass_on(self: Arc<Self>, mut rings: mpsc::UnboundedReceiver<String>) {
        while let Some(job_id) = rings.recv().await {
            self.offer(job_id);
        }
    }

    /// Waits until hints may have been missed.
    pub async fn missed(&self) {
        self.missed.notified().await;
    }

    /// The rings for a kind, and what says that there are some.
    pub fn storage(&self, kind: Kind) -> (RedisStorage<String>, wakes::Receiver<()>) {
        let (sender, receiver) = wakes::channel(1);
        self.wakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(kind, sender);
        (self.rings_for(kind), receiver)
    }

    /// Removes what was handed out: apalis keeps every task for ever, and a ring is worth nothing afterwards.
    pub async fn tidy(&self, kind: Kind) -> Result<(), apalis_redis::Error> {
        use apalis_core::backend::Vacuum as _;
        let mut storage = self.rings_for(kind);
        storage.vacuum().await?;
        let ended = [
            storage.get_config().done_jobs_set(),
            storage.get_config().dead_jobs_set(),
        ];
        let _: i64 = self.manager().unlink(&ended).await?;
        Ok(())
    }

    /// Whether it is to be told that a listener for rings ended: of those that end together, the first.
    pub fn tell_of_listeners(&self, quiet_for: Duration) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.is_none_or(|last| last.elapsed() > quiet_for);
        if is_news {
            *told = Some(Instant::now());
        }
        is_news
    }

    fn rings_for(&self, kind: Kind) -> RedisStorage<String> {
        // One at a time, so that a batch does not hold up the heartbeat; what is handed out ends at once, and needs no lock.
        let config = apalis_redis::Config::default()
            .queue(format!("{}:rings:{}", self.prefix, kind.name()))
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

    /// From now on, another connection; listeners come to it when the old one fails them.
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

    async fn send_rings(&self, domain: &Domain, mut rung: mpsc::Receiver<String>) {
        let mut pace = Pace::default();
        loop {
            let mut ids = Vec::with_capacity(BATCH);
            if rung.recv_many(&mut ids, BATCH).await == 0 {
                return;
            }
            let kinds = match jobs::kinds_of(&domain.store, &ids).await {
                Ok(kinds) => kinds,
                Err(error) => {
                    tracing::debug!(%error, "rings were dropped; workers look by themselves");
                    continue;
                }
            };
            let mut by_kind: HashMap<Kind, Vec<String>> = HashMap::new();
            for (id, kind) in kinds {
                by_kind.entry(kind).or_default().push(id);
            }
            pace.note("rings", self.push(by_kind).await).await;
        }
    }

    async fn push(&self, by_kind: HashMap<Kind, Vec<String>>) -> Result<(), String> {
        let mut kinds = Vec::with_capacity(by_kind.len());
        for (kind, ids) in by_kind {
            kinds.push(What::Rung(kind));
            let pushed = self.rings_for(kind).push_bulk(ids).await;
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

    async fn listen(&self, domain: &Domain) {
        let mut pace = Pace::default();
        loop {
            let heard = self.hear(domain, &mut pace).await;
            pace.note("the subscription", heard).await;
        }
    }

    /// Hears until the connection ends, or nothing at all comes any more.
    async fn hear(&self, domain: &Domain, pace: &mut Pace) -> Result<(), String> {
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
        // What was said while nobody heard it.
        domain.feed.look();
        self.missed.notify_one();
        let mut messages = subscription.into_on_message();
        while let Some(message) = timeout(SILENCE, messages.next())
            .await
            .map_err(|_| "nothing was heard for too long".to_owned())?
        {
            let Ok(message) = serde_json::from_slice::<Message>(message.get_payload_bytes()) else {
                // Of a program of another version; it polls, and so do we.
                continue;
            };
            if message.from != self.me {
                match message.what {
                    What::Alive => {}
                    What::Hint(hint) => domain.feed.hear(hint),
                    What::Rung(kind) => self.wake(kind),
                }
            }
        }
        Err("the connection ended".to_owned())
    }

    fn wake(&self, kind: Kind) {
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = wakes.get_mut(&kind) {
            // Full: it is woken already.
            drop(sender.try_send(()));
        }
    }

    /// Says now and then how much was dropped.
    async fn count(&self, domain: &Domain) {
        let mut said = 0;
        loop {
            sleep(Duration::from_secs(60)).await;
            let dropped = domain.feed.dropped() + self.dropped.load(Ordering::Relaxed);
            if dropped > said {
                tracing::warn!(
                    dropped = dropped - said,
                    "hints for other processes were dropped, since Redis took none; they poll"
                );
                said = dropped;
            }
        }
    }
}

/// What connects when it is first asked for something.
fn manager(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(ANSWERS_WITHIN))
        .set_response_timeout(Some(ANSWERS_WITHIN))
        .set_number_of_retries(1)
        .set_max_delay(LAST_PAUSE);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

/// The same hints in fewer: owners whose logs grew are named once.
fn merged(hints: Vec<Hint>) -> Vec<Hint> {
    let mut grown = std::collections::BTreeSet::new();
    let mut rest = Vec::new();
    for hint in hints {
        match hint {
            Hint::Grown { owners } => grown.extend(owners),
            Hint::Webhooks if rest.contains(&Hint::Webhooks) => {}
            other => rest.push(other),
        }
    }
    if !grown.is_empty() {
        rest.insert(
            0,
            Hint::Grown {
                owners: grown.into_iter().collect(),
            },
        );
    }
    rest
}

/// Says once that something is lost, once that it is back, and waits ever longer in between.
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
            tracing::warn!(error, "Redis does not take {what}; everything goes on by polling");
            self.lost = Some(Instant::now());
        }
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
        sleep(self.pause).await;
    }

    fn worked(&mut self, what: &str) {
        if let Some(lost) = self.lost.take() {
            tracing::info!(seconds = lost.elapsed().as_secs(), "Redis takes {what} again");
        }
        self.pause = Duration::ZERO;
    }
}

fn told(address: &str, error: &RedisError) -> Error {
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
    fn owners_whose_logs_grew_are_named_once() {
        let grown = |owner: &str| Hint::Grown {
            owners: vec![owner.to_owned()],
        };
        let hints = vec![grown("b"), Hint::Webhooks, grown("a"), grown("b"), Hint::Webhooks];
        let expected = Hint::Grown {
            owners: vec!["a".to_owned(), "b".to_owned()],
        };
        assert_eq!(merged(hints), [expected, Hint::Webhooks]);
    }

    #[tokio::test]
    async fn an_address_that_is_none_or_where_nobody_is_names_the_setting() {
        for url in ["localhost:6379", "http://localhost", "redis://127.0.0.1:1"] {
            let error = Relay::open(url, "instance", "me").await.err().expect("refused");
            assert!(error.to_string().starts_with("REDIS_URL"), "{error}");
        }
    }
}

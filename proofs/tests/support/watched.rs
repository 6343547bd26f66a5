//! One watch over the whole story, across all restarts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::TryStreamExt as _;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use vintedbot_sdk::Client;
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::v1::{Event, EventKind, WatchRequest};

const COMES_WITHIN: Duration = Duration::from_secs(60);

/// The events that the watch has received so far.
pub struct Watched {
    seen: Arc<Mutex<Observed>>,
    /// The sequence in the log at which the watch began, and its cursor.
    began_at: u64,
    cursor: String,
    _task: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Observed {
    events: Vec<Event>,
    /// The other messages, as text.
    others: Vec<String>,
    error: Option<String>,
}

impl Watched {
    /// Starts the watch.
    ///
    /// # Errors
    ///
    /// Fails if the first message is not a checkpoint.
    pub async fn begin(client: &Client) -> Result<Self> {
        let mut watch = client.events().watch(WatchRequest::default());
        let Some(Message::Checkpoint(first)) = watch.try_next().await? else {
            bail!("a watch does not begin with a checkpoint");
        };
        let cursor = watch.cursor().to_owned();
        let seen = Arc::new(Mutex::new(Observed::default()));
        let filled = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let next = watch.try_next().await;
                let mut seen = filled.lock().unwrap_or_else(PoisonError::into_inner);
                match next {
                    Ok(Some(Message::Event(event))) => seen.events.push(event),
                    Ok(Some(other)) => seen.others.push(format!("{other:?}")),
                    Ok(None) => return seen.error = Some("it ended".to_owned()),
                    Err(error) => return seen.error = Some(error.to_string()),
                }
            }
        });
        let task = AbortOnDropHandle::new(task);
        Ok(Self {
            seen,
            began_at: first.sequence,
            cursor,
            _task: task,
        })
    }

    /// Returns the number of events so far.
    pub fn count(&self) -> usize {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .events
            .len()
    }

    /// Waits for an event of this kind about this resource.
    ///
    /// # Errors
    ///
    /// Fails if it does not arrive within a minute, or if the watch has ended.
    pub async fn wait_for(&self, kind: EventKind, resource_id: &str) -> Result<Event> {
        let comes = async {
            loop {
                {
                    let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(error) = &seen.error {
                        bail!("the watch broke off: {error}");
                    }
                    let mut events = seen.events.iter();
                    if let Some(event) =
                        events.find(|event| event.kind() == kind && event.resource_id == resource_id)
                    {
                        return Ok(event.clone());
                    }
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let come = timeout(COMES_WITHIN, comes).await;
        come.with_context(|| format!("no {} of {resource_id} came", kind.as_str_name()))?
    }

    /// Checks that the received events are the log from the watch's start: every sequence once and in order, and equal
    /// to what a new watch from the first cursor receives. Returns the number of events.
    ///
    /// # Errors
    ///
    /// Fails if an event is missing, duplicated, or different now.
    pub async fn check(&self, client: &Client) -> Result<usize> {
        let events = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .events
            .clone();
        for (expected, event) in (self.began_at + 1..).zip(&events) {
            ensure!(
                event.sequence == expected,
                "event {} came where {expected} was due",
                event.sequence
            );
        }
        let from_there = WatchRequest {
            cursor: self.cursor.clone(),
            ..Default::default()
        };
        let mut again = client.events().watch(from_there);
        for first in &events {
            let second = loop {
                match timeout(COMES_WITHIN, again.try_next()).await?? {
                    Some(Message::Event(event)) => break event,
                    Some(_) => {}
                    None => bail!("the second watch ended"),
                }
            };
            let identity = |event: &Event| (event.sequence, event.kind, event.resource_id.clone());
            ensure!(
                identity(first) == identity(&second),
                "{first:?} came again as {second:?}"
            );
        }
        Ok(events.len())
    }

    /// Returns everything that was received, as text.
    pub fn texts(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let events = seen.events.iter().map(|event| format!("{event:?}"));
        events.chain(seen.others.iter().cloned()).collect()
    }
}

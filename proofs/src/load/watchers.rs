//! Event streams that count events and detect missing ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use tokio::task::JoinSet;
use tokio::time::sleep;
use vintedbot_sdk::Client;
use vintedbot_sdk::v1::WatchRequest;
use vintedbot_sdk::v1::watch_response::Message;

use super::seller::Seller;

/// The interval between two checks of the received events.
const POLL: Duration = Duration::from_millis(20);

/// The state of one stream.
#[derive(Default)]
struct Received {
    /// The sequence in the log up to which all events arrived.
    sequence: AtomicI64,
    events: AtomicU64,
    /// Events that were missing or repeated.
    gaps: AtomicU64,
}

/// The streams of each seller, in the order in which they were opened.
#[derive(Default)]
pub struct Watchers {
    of_sellers: Vec<Vec<Arc<Received>>>,
    wanted: Vec<i64>,
    tasks: JoinSet<()>,
}

impl Watchers {
    /// Opens streams for the next seller.
    pub async fn open(&mut self, client: &Client, count: usize) -> Result<()> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            let mut watch = client.events().watch(WatchRequest::default());
            // The first message contains the sequence at which the stream begins.
            let begins = match watch.next().await.context("the stream has no first message")?? {
                Message::Checkpoint(checkpoint) => checkpoint.sequence,
                other => bail!("a stream begins with {other:?}"),
            };
            let received = Arc::new(Received::default());
            received.sequence.store(i64::try_from(begins)?, Ordering::Relaxed);
            all.push(Arc::clone(&received));
            self.tasks.spawn(async move {
                while let Some(Ok(message)) = watch.next().await {
                    received.take(&message);
                }
            });
        }
        self.of_sellers.push(all);
        Ok(())
    }

    /// Waits until every stream has received the last event of its seller.
    pub async fn arrived(&mut self, sellers: &[Seller]) -> Result<()> {
        self.wanted.clear();
        for seller in sellers {
            self.wanted.push(seller.last_word().await?);
        }
        while self.behind() > 0 {
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Returns the number of events that have not arrived.
    pub fn behind(&self) -> u64 {
        let all = self.of_sellers.iter().zip(&self.wanted);
        let behind = all.flat_map(|(streams, wanted)| {
            let received = streams
                .iter()
                .map(|received| received.sequence.load(Ordering::Relaxed));
            received.map(move |received| u64::try_from(wanted - received).unwrap_or(0))
        });
        behind.sum()
    }

    pub fn count(&self) -> usize {
        self.of_sellers.iter().map(Vec::len).sum()
    }

    /// Returns the number of events that arrived, counted for each stream.
    pub fn events(&self) -> u64 {
        self.sum(|received| &received.events)
    }

    /// Returns the number of events that were missing or repeated.
    pub fn gaps(&self) -> u64 {
        self.sum(|received| &received.gaps)
    }

    fn sum(&self, of: fn(&Received) -> &AtomicU64) -> u64 {
        let all = self.of_sellers.iter().flatten();
        all.map(|received| of(received).load(Ordering::Relaxed)).sum()
    }
}

impl Received {
    fn take(&self, message: &Message) {
        let Message::Event(event) = message else { return };
        let sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
        let before = self.sequence.swap(sequence, Ordering::Relaxed);
        self.events.fetch_add(1, Ordering::Relaxed);
        self.gaps
            .fetch_add((sequence - before - 1).unsigned_abs(), Ordering::Relaxed);
    }
}

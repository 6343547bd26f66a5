//! Streams of events, each of which counts what it is told and notices what is left out.

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

/// Looks for what has come.
const POLL: Duration = Duration::from_millis(20);

/// One stream.
#[derive(Default)]
struct Told {
    /// The place in the log up to which everything came.
    sequence: AtomicI64,
    events: AtomicU64,
    /// Events that were left out, or came again.
    gaps: AtomicU64,
}

/// The streams of each seller, in the order in which they were opened.
#[derive(Default)]
pub struct Watchers {
    of_sellers: Vec<Vec<Arc<Told>>>,
    wanted: Vec<i64>,
    tasks: JoinSet<()>,
}

impl Watchers {
    /// Opens so many streams of the next seller.
    pub async fn open(&mut self, client: &Client, count: usize) -> Result<()> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            let mut watch = client.events().watch(WatchRequest::default());
            // The first message says where in the log it begins.
            let begins = match watch.next().await.context("a stream has a first message")?? {
                Message::Checkpoint(checkpoint) => checkpoint.sequence,
                other => bail!("a stream begins with {other:?}"),
            };
            let told = Arc::new(Told::default());
            told.sequence.store(i64::try_from(begins)?, Ordering::Relaxed);
            all.push(Arc::clone(&told));
            self.tasks.spawn(async move {
                while let Some(Ok(message)) = watch.next().await {
                    told.take(&message);
                }
            });
        }
        self.of_sellers.push(all);
        Ok(())
    }

    /// Comes back when every stream has its seller's last word.
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

    /// Events that have not come.
    pub fn behind(&self) -> u64 {
        let all = self.of_sellers.iter().zip(&self.wanted);
        let behind = all.flat_map(|(streams, wanted)| {
            let told = streams.iter().map(|told| told.sequence.load(Ordering::Relaxed));
            told.map(move |told| u64::try_from(wanted - told).unwrap_or(0))
        });
        behind.sum()
    }

    pub fn count(&self) -> usize {
        self.of_sellers.iter().map(Vec::len).sum()
    }

    /// Events that were told, each to each counted.
    pub fn events(&self) -> u64 {
        self.sum(|told| &told.events)
    }

    /// Events that were left out, or told again.
    pub fn gaps(&self) -> u64 {
        self.sum(|told| &told.gaps)
    }

    fn sum(&self, of: fn(&Told) -> &AtomicU64) -> u64 {
        let all = self.of_sellers.iter().flatten();
        all.map(|told| of(told).load(Ordering::Relaxed)).sum()
    }
}

impl Told {
    fn take(&self, message: &Message) {
        let Message::Event(event) = message else { return };
        let sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
        let before = self.sequence.swap(sequence, Ordering::Relaxed);
        self.events.fetch_add(1, Ordering::Relaxed);
        self.gaps
            .fetch_add((sequence - before - 1).unsigned_abs(), Ordering::Relaxed);
    }
}

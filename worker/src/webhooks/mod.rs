//! Webhooks: writes deliveries for what the log has new, and sends those that are due.
//!
//! The table is the truth, as everywhere: a hint after a commit, the next due time, or a look once a second only say that it
//! may be worth a look. What dies between claiming and recording is sent again by whoever comes after, under the same
//! `webhook-id`. Each endpoint has a few hands of its own, and one alone while it fails, so that none waits for another.

mod send;
mod targets;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use vintedbot_connector::Outside;
use vintedbot_domain::webhooks;
use vintedbot_domain::{Domain, Error, Result};

pub use targets::OutsideTargets;

use crate::{Stage, Worker};

/// Requests to one endpoint at a time. Of one that fails, one: it may be slow to fail.
const HANDS: usize = 8;
const HANDS_OF_FAILING: usize = 1;
/// Requests at a time in all.
const HANDS_IN_ALL: usize = 256;
/// The longest without a look.
const POLL: Duration = Duration::from_secs(1);

/// Works until the drain, and ends when nothing is being sent any more.
pub async fn run(worker: Arc<Worker>, outside: Arc<Outside>) {
    let mut dispatcher = Dispatcher {
        worker: Arc::clone(&worker),
        outside,
        busy: HashMap::new(),
        sending: JoinSet::new(),
    };
    while !worker.drain.is_cancelled() {
        let wait = dispatcher.look().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "webhooks could not be looked after; tried again");
            POLL
        });
        tokio::select! {
            () = worker.drain.cancelled() => {}
            () = worker.domain.feed.webhooks_hinted() => {}
            Some(ended) = dispatcher.sending.join_next() => dispatcher.freed(ended),
            () = tokio::time::sleep(wait.min(POLL)) => {}
        }
        while let Some(ended) = dispatcher.sending.try_join_next() {
            dispatcher.freed(ended);
        }
    }
    while dispatcher.sending.join_next().await.is_some() {}
}

struct Dispatcher {
    worker: Arc<Worker>,
    outside: Arc<Outside>,
    /// Requests under way, by endpoint.
    busy: HashMap<String, usize>,
    /// Each ends with its endpoint.
    sending: JoinSet<String>,
}

impl Dispatcher {
    fn domain(&self) -> &Domain {
        &self.worker.domain
    }

    fn freed(&mut self, ended: std::result::Result<String, tokio::task::JoinError>) {
        match ended {
            Ok(endpoint_id) => {
                if let Some(busy) = self.busy.get_mut(&endpoint_id) {
                    *busy = busy.saturating_sub(1);
                }
                self.busy.retain(|_, busy| *busy > 0);
            }
            // Whose it was is not known: all hands are counted anew.
            Err(error) => {
                tracing::error!(%error, "sending a webhook ended badly; its lease runs out");
                self.busy.clear();
            }
        }
    }

    /// Does what there is to do now. Returns how long nothing is known to be due.
    async fn look(&mut self) -> Result<Duration> {
        let mut more = false;
        for endpoint_id in webhooks::behind(&self.domain().store).await? {
            match webhooks::fan_out(self.domain(), &endpoint_id).await {
                Ok(goes_on) => more |= goes_on,
                Err(error) => spared(&endpoint_id, &error),
            }
            Stage::WebhooksWritten.reached().await;
        }
        let due = webhooks::due(&self.domain().store).await?;
        for (endpoint_id, failing) in due.endpoints {
            let hands = if failing { HANDS_OF_FAILING } else { HANDS };
            let busy = self.busy.get(&endpoint_id).copied().unwrap_or_default();
            let free = hands
                .saturating_sub(busy)
                .min(HANDS_IN_ALL.saturating_sub(self.sending.len()));
            if free > 0
                && let Err(error) = self.send(&endpoint_id, free).await
            {
                spared(&endpoint_id, &error);
            }
        }
        if more {
            return Ok(Duration::ZERO);
        }
        Ok(due
            .next
            .map_or(POLL, |next| Duration::from_millis(next.max(1).unsigned_abs())))
    }

    async fn send(&mut self, endpoint_id: &str, free: usize) -> Result<()> {
        let lease_ms = self.domain().settings.lease_ms;
        let claims = webhooks::claim(self.domain(), endpoint_id, free as u64, lease_ms).await?;
        for claim in claims {
            *self.busy.entry(endpoint_id.to_owned()).or_default() += 1;
            let (worker, outside, id) = (
                Arc::clone(&self.worker),
                Arc::clone(&self.outside),
                endpoint_id.to_owned(),
            );
            self.sending.spawn(async move {
                if let Err(error) = send::deliver(&worker, &outside, claim).await {
                    tracing::error!(%error, endpoint_id = id, "a webhook's attempt could not be written down; its lease runs out");
                }
                id
            });
        }
        Ok(())
    }
}

/// What is wrong with one endpoint keeps nothing from the others; it is looked at again.
fn spared(endpoint_id: &str, error: &Error) {
    tracing::warn!(%error, endpoint_id, "a webhook endpoint could not be looked after; tried again");
}

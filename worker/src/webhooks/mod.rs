//! Webhooks: writes deliveries for new events of the log, and sends due deliveries.
//!
//! The table is authoritative. A hint after a commit, the next due time, or a poll once a second only trigger a query.
//! A delivery whose worker ends between claiming and recording is sent again by another worker, with the same
//! `webhook-id`. Each endpoint has a limited number of slots, and a single one while it fails, so that endpoints do not
//! delay each other.

mod send;
mod targets;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use vintedbot_connector::EgressClient;
use vintedbot_domain::webhooks;
use vintedbot_domain::{Context, Error, Result};

pub use targets::EgressTargets;

use crate::{Stage, Worker};

/// The maximum concurrent requests to one endpoint. A failing endpoint gets one, because it may be slow to fail.
const SLOTS: usize = 8;
const SLOTS_OF_FAILING: usize = 1;
/// The maximum concurrent requests in total.
const SLOTS_TOTAL: usize = 256;
/// The maximum time between two queries.
const POLL: Duration = Duration::from_secs(1);

/// Runs until the drain, and returns when all running requests have ended.
pub async fn run(worker: Arc<Worker>, egress: Arc<EgressClient>) {
    let mut dispatcher = Dispatcher {
        worker: Arc::clone(&worker),
        egress,
        busy: HashMap::new(),
        sending: JoinSet::new(),
    };
    while !worker.drain.is_cancelled() {
        let wait = dispatcher.look().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "webhooks could not be processed; retrying");
            POLL
        });
        tokio::select! {
            () = worker.drain.cancelled() => {}
            () = worker.context.feed.webhooks_hinted() => {}
            Some(ended) = dispatcher.sending.join_next() => dispatcher.release(ended),
            () = tokio::time::sleep(wait.min(POLL)) => {}
        }
        while let Some(ended) = dispatcher.sending.try_join_next() {
            dispatcher.release(ended);
        }
    }
    while dispatcher.sending.join_next().await.is_some() {}
}

struct Dispatcher {
    worker: Arc<Worker>,
    egress: Arc<EgressClient>,
    /// Running requests by endpoint.
    busy: HashMap<String, usize>,
    /// The running requests. Each returns its endpoint's id.
    sending: JoinSet<String>,
}

impl Dispatcher {
    fn context(&self) -> &Context {
        &self.worker.context
    }

    fn release(&mut self, ended: std::result::Result<String, tokio::task::JoinError>) {
        match ended {
            Ok(endpoint_id) => {
                if let Some(busy) = self.busy.get_mut(&endpoint_id) {
                    *busy = busy.saturating_sub(1);
                }
                self.busy.retain(|_, busy| *busy > 0);
            }
            // The endpoint of a panicked task is unknown, so the counts are reset.
            Err(error) => {
                tracing::error!(%error, "a webhook request panicked; its lease will expire");
                self.busy.clear();
            }
        }
    }

    /// Writes and sends due deliveries. Returns the time until the next known due time.
    async fn look(&mut self) -> Result<Duration> {
        let mut more = false;
        for endpoint_id in webhooks::behind(&self.context().store).await? {
            match webhooks::fan_out(self.context(), &endpoint_id).await {
                Ok(goes_on) => more |= goes_on,
                Err(error) => log_failure(&endpoint_id, &error),
            }
            Stage::WebhooksWritten.reached().await;
        }
        let due = webhooks::due(&self.context().store).await?;
        for (endpoint_id, failing) in due.endpoints {
            let slots = if failing { SLOTS_OF_FAILING } else { SLOTS };
            let busy = self.busy.get(&endpoint_id).copied().unwrap_or_default();
            let free = slots
                .saturating_sub(busy)
                .min(SLOTS_TOTAL.saturating_sub(self.sending.len()));
            if free > 0
                && let Err(error) = self.send(&endpoint_id, free).await
            {
                log_failure(&endpoint_id, &error);
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
        let lease_ms = self.context().settings.jobs.lease_ms;
        let claims = webhooks::claim(self.context(), endpoint_id, free as u64, lease_ms).await?;
        for claim in claims {
            *self.busy.entry(endpoint_id.to_owned()).or_default() += 1;
            let (worker, egress, id) = (
                Arc::clone(&self.worker),
                Arc::clone(&self.egress),
                endpoint_id.to_owned(),
            );
            self.sending.spawn(async move {
                if let Err(error) = send::deliver(&worker, &egress, claim).await {
                    tracing::error!(%error, endpoint_id = id, "a webhook attempt was not recorded; its lease will expire");
                }
                id
            });
        }
        Ok(())
    }
}

/// Logs a failure of one endpoint. The others are processed, and this one is retried.
fn log_failure(endpoint_id: &str, error: &Error) {
    tracing::warn!(%error, endpoint_id, "a webhook endpoint could not be processed; retrying");
}

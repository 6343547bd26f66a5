//! Sends one delivery.

use std::time::Duration;

use bytes::Bytes;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};
use tokio::time::Instant;
use vintedbot_connector::{EgressClient, Post};
use vintedbot_domain::webhooks::{self, Answer, Claim, Sent};
use vintedbot_domain::{Error, Result};

use crate::{Stage, Worker};

/// The timeout of a receiver's response; Standard Webhooks recommends 15 to 30 s.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The time that a running request gets after the drain began.
const DRAIN: Duration = Duration::from_secs(4);

/// Sends a claimed delivery and records the outcome. If the drain ends first, hands the delivery back.
pub async fn deliver(worker: &Worker, egress: &EgressClient, claim: Claim) -> Result<()> {
    Stage::WebhookClaimed.reached().await;
    let drained = async {
        worker.drain.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    let sent = tokio::select! {
        sent = send(worker, egress, &claim) => sent?,
        () = drained => return webhooks::release(&worker.context.store, &claim).await,
    };
    Stage::WebhookSent.reached().await;
    let outcome = match &sent.outcome {
        Ok(answer) if (200..300).contains(&answer.status) => "taken",
        Ok(_) => "refused",
        Err(_) => "no_answer",
    };
    metrics::counter!("vintedbot_webhook_attempts_total", "outcome" => outcome).increment(1);
    webhooks::record(&worker.context.store, &claim, sent).await?;
    Stage::WebhookRecorded.reached().await;
    Ok(())
}

async fn send(worker: &Worker, egress: &EgressClient, claim: &Claim) -> Result<Sent> {
    let context = &worker.context;
    // The receiver compares this time with its own clock.
    let time = context.clock.now();
    let headers = headers(claim, time.div_euclid(1_000))?;
    // A request that ends before the lease expires is sent only once.
    let lease = Duration::from_millis(context.settings.jobs.lease_ms.unsigned_abs());
    let began = Instant::now();
    let received = egress
        .post(Post {
            url: &claim.url,
            headers: &headers,
            body: Bytes::copy_from_slice(claim.delivery.body.as_bytes()),
            timeout: TIMEOUT.min(lease / 2),
        })
        .await;
    let duration_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let outcome = received.map(|received| Answer {
        retry_after_ms: received
            .headers
            .iter()
            .find(|(name, _)| name == "retry-after")
            .and_then(|(_, value)| webhooks::retry_after(value, time + duration_ms)),
        status: received.status,
        headers: received.headers,
        body: received.body,
        truncated: received.truncated,
    });
    Ok(Sent {
        time,
        duration_ms,
        request_headers: headers,
        outcome,
    })
}

/// Returns the headers of Standard Webhooks, signed with every active secret.
fn headers(claim: &Claim, seconds: i64) -> Result<Vec<(String, String)>> {
    let (id, body) = (&claim.delivery.webhook_id, claim.delivery.body.as_bytes());
    let signatures = claim
        .secrets
        .iter()
        .map(|secret| Webhook::new(secret.expose()).and_then(|webhook| webhook.sign(id, seconds, body)));
    let signatures: std::result::Result<Vec<_>, _> = signatures.collect();
    let signatures =
        signatures.map_err(|error| Error::Internal(format!("a webhook cannot be signed: {error}")))?;
    let header = |name: &str, value: String| (name.to_owned(), value);
    Ok(vec![
        header("content-type", "application/json".to_owned()),
        header(
            "user-agent",
            concat!("vintedbot/", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        header(HEADER_WEBHOOK_ID, id.clone()),
        header(HEADER_WEBHOOK_TIMESTAMP, seconds.to_string()),
        header(HEADER_WEBHOOK_SIGNATURE, signatures.join(" ")),
    ])
}

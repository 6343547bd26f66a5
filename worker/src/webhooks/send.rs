//! One request with one delivery.

use std::time::Duration;

use bytes::Bytes;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};
use tokio::time::Instant;
use vintedbot_connector::{Outside, Post};
use vintedbot_domain::webhooks::{self, Answer, Claim, Sent};
use vintedbot_domain::{Error, Result};

use crate::{Stage, Worker};

/// How long a receiver may take to answer; Standard Webhooks asks for 15 to 30 s.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a request may go on once the process is to end.
const DRAIN: Duration = Duration::from_secs(4);

/// Sends what was claimed and writes down what came of it. A drain that does not wait so long hands it back.
pub async fn deliver(worker: &Worker, outside: &Outside, claim: Claim) -> Result<()> {
    Stage::WebhookClaimed.reached().await;
    let drained = async {
        worker.drain.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    let sent = tokio::select! {
        sent = send(worker, outside, &claim) => sent?,
        () = drained => return webhooks::release(&worker.domain.store, &claim).await,
    };
    Stage::WebhookSent.reached().await;
    let outcome = match &sent.outcome {
        Ok(answer) if (200..300).contains(&answer.status) => "taken",
        Ok(_) => "refused",
        Err(_) => "no_answer",
    };
    metrics::counter!("vintedbot_webhook_attempts_total", "outcome" => outcome).increment(1);
    webhooks::record(&worker.domain.store, &claim, sent).await?;
    Stage::WebhookRecorded.reached().await;
    Ok(())
}

async fn send(worker: &Worker, outside: &Outside, claim: &Claim) -> Result<Sent> {
    let domain = &worker.domain;
    // The receiver compares it with its own clock.
    let time = domain.clock.now();
    let headers = headers(claim, time.div_euclid(1_000))?;
    // What is over before the lease is sent once.
    let lease = Duration::from_millis(domain.settings.lease_ms.unsigned_abs());
    let began = Instant::now();
    let received = outside
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

/// The headers of Standard Webhooks, signed with every secret that is in force.
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

//! Receivers that answer, fail, or do not answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use vintedbot_connector::{EgressClient, Resolver};
use vintedbot_domain::webhooks::{self, Attempt, DeliveryState, DisableReason, Endpoint};
use vintedbot_proofs::receiver::{Part, Receiver};

use crate::postgres::ports::Port;
use crate::stage::{Stage, local, until};

fn part(path: &str) -> Part {
    match path {
        "/slow" => Part::Silence,
        "/broken" => Part::answer("500 Internal Server Error", "", "out of order"),
        "/gone" => Part::answer("410 Gone", "", ""),
        "/redirect" => Part::answer("302 Found", "location: /elsewhere\r\n", ""),
        "/busy" => Part::answer("429 Too Many Requests", "retry-after: 1800\r\n", ""),
        "/huge" => Part::answer("200 OK", "", &"x".repeat(8 << 20)),
        "/headers" => {
            let many = (0..40).map(|number| format!("x-{number}: {}\r\n", "y".repeat(1_000)));
            Part::answer("200 OK", &many.collect::<String>(), "")
        }
        "/endless" => Part::Endless(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "1\r\nz\r\n",
        ),
        "/garbage" => Part::Answer("SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
        _ => Part::answer("204 No Content", "", ""),
    }
}

async fn first_attempt(stage: &Stage, endpoint: &Endpoint) -> Result<(webhooks::Delivery, Attempt)> {
    until(&format!("an attempt at {}", endpoint.url), || async {
        let Some(delivery) = stage.deliveries(endpoint).await?.into_iter().next() else {
            return Ok(None);
        };
        let detail = webhooks::get_delivery(&stage.context, &stage.caller, &delivery.id).await?;
        Ok(detail
            .attempts
            .into_iter()
            .next()
            .map(|attempt| (detail.delivery, attempt)))
    })
    .await
}

pub async fn slow_receivers_do_not_block_other_endpoints(mut stage: Stage) -> Result<()> {
    let receiver = Receiver::open_playing(part).await?;
    let closed = Port::take()?;
    let mut endpoints = BTreeMap::new();
    for path in [
        "/slow",
        "/broken",
        "/gone",
        "/redirect",
        "/busy",
        "/huge",
        "/headers",
        "/endless",
        "/garbage",
        "/fine",
    ] {
        let url = local(receiver.address, path);
        let (endpoint, _) = stage.endpoint(&url, &["template_created"]).await?;
        endpoints.insert(path, endpoint);
    }
    let (no_one, _) = stage
        .endpoint(&local(closed.address(), "/"), &["template_created"])
        .await?;
    let (inside, _) = stage.endpoint("http://10.1.2.3/", &["template_created"]).await?;
    let egress = stage.send_through(EgressClient::new(vec!["127.0.0.0/8".parse()?]))?;
    assert!(egress.check("http://10.1.2.3/").await.is_err());

    let count = 40;
    for number in 0..count {
        stage.happens(&format!("template {number}")).await?;
    }
    // The slow receiver has not answered yet. The other receiver has everything.
    let arrived = until("all deliveries at the receiver that answers", || async {
        let arrived = receiver.on("/fine");
        Ok((arrived.len() >= count).then_some(arrived))
    })
    .await?;
    assert_eq!(arrived.len(), count);
    let mut ids: Vec<_> = arrived.iter().map(|one| one.id()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "each once");
    assert_eq!(arrived[0].header("content-type"), "application/json");

    let (_, slow) = first_attempt(&stage, &endpoints["/slow"]).await?;
    assert_eq!(
        (slow.status, slow.error.as_deref()),
        (None, Some("no answer within 2 s"))
    );
    let (delivery, broken) = first_attempt(&stage, &endpoints["/broken"]).await?;
    assert_eq!(
        (broken.status, broken.response_body.as_str()),
        (Some(500), "out of order")
    );
    assert_eq!(delivery.state, DeliveryState::Pending);
    assert!(
        broken
            .request_headers
            .iter()
            .any(|(name, _)| name == "webhook-signature")
    );
    let (_, redirected) = first_attempt(&stage, &endpoints["/redirect"]).await?;
    assert_eq!(redirected.status, Some(302));
    assert!(
        redirected
            .error
            .is_some_and(|error| error.contains("redirects are not followed"))
    );
    assert!(receiver.on("/elsewhere").is_empty());
    for path in ["/huge", "/endless", "/headers"] {
        let (delivery, attempt) = first_attempt(&stage, &endpoints[path]).await?;
        assert_eq!(delivery.state, DeliveryState::Delivered, "{path}");
        assert!(
            attempt.truncated && attempt.response_body.len() <= 4_096,
            "{path}"
        );
        assert!(
            attempt
                .response_headers
                .iter()
                .map(|(_, value)| value.len())
                .sum::<usize>()
                <= 8_192
        );
    }
    let (delivery, busy) = first_attempt(&stage, &endpoints["/busy"]).await?;
    assert_eq!(busy.status, Some(429));
    let wait = delivery.next_attempt_time.context("it is tried again")? - busy.time;
    assert!((1_800_000..1_900_000).contains(&wait), "{wait}");
    for (endpoint, word) in [
        (&no_one, "onnect"),
        (&endpoints["/garbage"], ""),
        (&inside, "an address that is not allowed"),
    ] {
        let (_, attempt) = first_attempt(&stage, endpoint).await?;
        let error = attempt.error.context("it failed")?;
        assert!(attempt.status.is_none() && error.contains(word), "{error}");
    }
    let gone = until("the endpoint that answers 410 is disabled", || async {
        let gone = stage.look(&endpoints["/gone"]).await?;
        Ok(gone.disable_reason.map(|_| gone))
    });
    assert_eq!(gone.await?.disable_reason, Some(DisableReason::Gone));

    // A retry has the id of the first attempt.
    let broken = receiver.on("/broken");
    let first = broken.first().context("one arrived")?.id();
    stage.pass(7_000);
    until("it is tried again", || async {
        let again = receiver
            .on("/broken")
            .iter()
            .filter(|one| one.id() == first)
            .count();
        Ok((again >= 2).then_some(()))
    })
    .await?;
    drop(receiver);
    stage.close().await
}

/// Resolves to the receiver at first, and to a private address afterwards.
#[derive(Debug)]
struct Rebinding {
    receiver: SocketAddr,
    turned: AtomicBool,
}

#[async_trait]
impl Resolver for Rebinding {
    async fn addresses(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        assert_eq!(host, "hooks.example");
        if self.turned.load(Ordering::SeqCst) {
            return Ok(vec![SocketAddr::from(([10, 0, 0, 1], port))]);
        }
        Ok(vec![SocketAddr::new(self.receiver.ip(), port)])
    }
}

pub async fn rebound(mut stage: Stage) -> Result<()> {
    let receiver = Receiver::open().await?;
    let names = Arc::new(Rebinding {
        receiver: receiver.address,
        turned: AtomicBool::new(false),
    });
    let egress = EgressClient::resolving_by(vec!["127.0.0.0/8".parse()?], names.clone());
    let url = format!("http://hooks.example:{}/fine", receiver.address.port());
    assert_eq!(egress.check(&url).await, Ok(()));
    let (endpoint, _) = stage.endpoint(&url, &["template_created"]).await?;
    stage.send_through(egress)?;
    stage.happens("one").await?;
    until("the first arrives", || async { Ok(receiver.on("/fine").pop()) }).await?;
    names.turned.store(true, Ordering::SeqCst);
    stage.happens("two").await?;
    let attempt = until("the second is tried", || async {
        let deliveries = stage.deliveries(&endpoint).await?;
        let Some(delivery) = deliveries.get(1) else {
            return Ok(None);
        };
        let detail = webhooks::get_delivery(&stage.context, &stage.caller, &delivery.id).await?;
        Ok(detail.attempts.into_iter().next())
    })
    .await?;
    assert_eq!(
        attempt.error.as_deref(),
        Some("its host leads to an address that is not allowed")
    );
    assert_eq!(receiver.on("/fine").len(), 1);
    stage.close().await
}

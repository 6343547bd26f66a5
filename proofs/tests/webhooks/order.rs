//! Which worker sends which delivery, and when.

use anyhow::Result;
use vintedbot_domain::webhooks::{self, DeliveryState, EndpointInput, RETRIES};

use crate::stage::{LEASE, Stage};

pub async fn ordered_endpoint_has_one_delivery_in_flight(stage: Stage) -> Result<()> {
    let (endpoint, _) = stage
        .endpoint_like(EndpointInput {
            url: "https://example.org/".to_owned(),
            event_types: vec!["template_created".to_owned()],
            ordered: true,
            ..EndpointInput::default()
        })
        .await?;
    for name in ["one", "two", "three"] {
        stage.happens(name).await?;
    }
    stage.pass_on().await?;
    let first = stage.claim(&endpoint).await?;
    assert_eq!(first.len(), 1);
    assert!(stage.claim(&endpoint).await?.is_empty(), "it is under way");
    stage.answered(&first[0], 500, None).await?;
    assert!(stage.claim(&endpoint).await?.is_empty(), "the others wait for it");
    assert!(webhooks::due(&stage.context.store).await?.endpoints.is_empty());
    stage.pass(RETRIES[1] * 6 / 5);
    let again = stage.claim(&endpoint).await?;
    assert_eq!(again[0].delivery.id, first[0].delivery.id);
    stage.answered(&again[0], 200, None).await?;
    let second = stage.claim(&endpoint).await?;
    assert_eq!(second.len(), 1);
    // A delivery that was given up does not block the next ones.
    let mut claim = second[0].clone();
    for pause in RETRIES.into_iter().skip(1).chain([0]) {
        stage.answered(&claim, 500, None).await?;
        stage.pass(pause * 6 / 5);
        let next = stage.claim(&endpoint).await?;
        claim = next[0].clone();
    }
    let deliveries = stage.deliveries(&endpoint).await?;
    assert_eq!(deliveries[1].state, DeliveryState::Failed);
    assert_eq!(claim.delivery.id, deliveries[2].id);
    stage.close().await
}

pub async fn claim_lasts_as_long_as_its_lease(stage: Stage) -> Result<()> {
    let (endpoint, _) = stage
        .endpoint("https://example.org/", &["template_created"])
        .await?;
    for name in ["one", "two"] {
        stage.happens(name).await?;
    }
    stage.pass_on().await?;
    let first = stage.claim(&endpoint).await?;
    assert_eq!(first.len(), 2, "several at once");
    assert!(stage.claim(&endpoint).await?.is_empty());
    stage.pass(LEASE + 1);
    let second = stage.claim(&endpoint).await?;
    assert_eq!(second.len(), 2, "its holder is gone");
    assert_eq!(
        [&second[0].delivery.webhook_id, &second[1].delivery.webhook_id],
        [&first[0].delivery.webhook_id, &first[1].delivery.webhook_id]
    );
    // The answer of an expired claim arrives. A failure is ignored, a success counts.
    stage.answered(&first[0], 500, None).await?;
    stage.answered(&first[1], 200, None).await?;
    let deliveries = stage.deliveries(&endpoint).await?;
    assert_eq!(
        [deliveries[0].state, deliveries[1].state],
        [DeliveryState::Pending, DeliveryState::Delivered]
    );
    assert_eq!(stage.look(&endpoint).await?.failing_since, None);
    webhooks::release(&stage.context.store, &first[0]).await?;
    assert!(
        stage.claim(&endpoint).await?.is_empty(),
        "the expired claim cannot be released"
    );
    webhooks::release(&stage.context.store, &second[0]).await?;
    assert_eq!(stage.claim(&endpoint).await?.len(), 1);
    stage.answered(&second[1], 500, None).await?;
    assert_eq!(
        stage.deliveries(&endpoint).await?[1].state,
        DeliveryState::Delivered
    );
    stage.close().await
}

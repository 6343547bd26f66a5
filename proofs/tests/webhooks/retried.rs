//! Failed deliveries: retries and disabled endpoints.

use anyhow::Result;
use vintedbot_domain::events::Kind;
use vintedbot_domain::webhooks::{
    self, DISABLED_AFTER, DeliveryState, DisableReason, EndpointState, RETRIES,
};

use crate::stage::Stage;

pub async fn five_days_of_failures_disable_the_endpoint(stage: Stage) -> Result<()> {
    let (endpoint, _) = stage
        .endpoint("https://example.org/", &["template_created"])
        .await?;
    let began = stage.now();
    stage.happens("one").await?;
    stage.pass_on().await?;
    for (attempt, pause) in RETRIES.into_iter().skip(1).map(Some).chain([None]).enumerate() {
        let claims = stage.claim(&endpoint).await?;
        assert_eq!(claims.len(), 1, "attempt {attempt}");
        let before = stage.now();
        stage.answered(&claims[0], 503, None).await?;
        let after = stage.now();
        let delivery = stage.deliveries(&endpoint).await?.remove(0);
        match pause {
            Some(pause) => {
                let due = delivery.next_attempt_time.expect("it is tried again");
                assert!(
                    due >= before + pause && due <= after + pause + pause / 5,
                    "attempt {attempt}: {} is not {pause}",
                    due - before
                );
                assert!(stage.claim(&endpoint).await?.is_empty(), "not before its time");
                stage.pass(due - stage.now());
            }
            None => {
                assert_eq!(delivery.state, DeliveryState::Failed);
                assert_eq!((delivery.attempts, delivery.last_status), (10, Some(503)));
            }
        }
    }
    let detail = stage.deliveries(&endpoint).await?.remove(0);
    let detail = webhooks::get_delivery(&stage.context, &stage.caller, &detail.id).await?;
    assert_eq!(detail.attempts.len(), 10);
    assert_eq!(detail.attempts[9].error.as_deref(), Some("status 503"));
    let failing = stage.look(&endpoint).await?;
    assert_eq!(failing.state, EndpointState::Enabled, "three days are not five");
    assert!(failing.failing_since.is_some());

    stage.pass((began + DISABLED_AFTER - stage.now()).max(0) + 1_000);
    stage.happens("two").await?;
    stage.happens("three").await?;
    stage.pass_on().await?;
    let claims = stage.claim(&endpoint).await?;
    assert_eq!(claims.len(), 2);
    stage.answered(&claims[0], 500, None).await?;
    let disabled = stage.look(&endpoint).await?;
    assert_eq!(
        (disabled.state, disabled.disable_reason),
        (EndpointState::Disabled, Some(DisableReason::Failing))
    );
    let last = stage.events().await?.pop().expect("an event");
    assert_eq!(
        (last.kind, last.resource_id),
        (Kind::WebhookEndpointDisabled, endpoint.id.clone())
    );
    // An answer in flight when the endpoint was disabled is stored. No other delivery begins.
    stage.answered(&claims[1], 500, None).await?;
    stage.pass(DISABLED_AFTER);
    assert!(stage.claim(&endpoint).await?.is_empty());
    assert_eq!(
        stage.events().await?.pop().map(|event| event.sequence),
        Some(last.sequence)
    );

    let enabled = webhooks::enable(&stage.context, &stage.caller, &endpoint.id).await?;
    assert_eq!(
        (enabled.state, enabled.failing_since),
        (EndpointState::Enabled, None)
    );
    let waiting = stage.claim(&endpoint).await?;
    assert_eq!(waiting.len(), 2, "waiting deliveries start again");
    stage.answered(&waiting[0], 200, None).await?;
    stage.close().await
}

pub async fn gone_disables_at_once_and_retry_after_is_obeyed(stage: Stage) -> Result<()> {
    let (endpoint, _) = stage
        .endpoint("https://example.org/", &["template_created"])
        .await?;
    stage.happens("one").await?;
    stage.pass_on().await?;
    let claims = stage.claim(&endpoint).await?;
    stage.answered(&claims[0], 429, Some(3_600_000)).await?;
    stage.pass(3_500_000);
    assert!(stage.claim(&endpoint).await?.is_empty());
    stage.pass(100_000);
    let claims = stage.claim(&endpoint).await?;
    // Only 2xx is a success. A redirect is not followed.
    stage.answered(&claims[0], 302, None).await?;
    let delivery = stage.deliveries(&endpoint).await?.remove(0);
    assert_eq!(delivery.state, DeliveryState::Pending);
    stage.pass(RETRIES[2] * 6 / 5);
    let claims = stage.claim(&endpoint).await?;
    stage.answered(&claims[0], 299, None).await?;
    assert_eq!(
        stage.look(&endpoint).await?.failing_since,
        None,
        "a success clears it"
    );
    stage.happens("two").await?;
    stage.pass_on().await?;
    let claims = stage.claim(&endpoint).await?;
    stage.answered(&claims[0], 410, None).await?;
    let gone = stage.look(&endpoint).await?;
    assert_eq!(
        (gone.state, gone.disable_reason),
        (EndpointState::Disabled, Some(DisableReason::Gone))
    );
    assert_eq!(
        stage.events().await?.pop().map(|event| event.kind),
        Some(Kind::WebhookEndpointDisabled)
    );
    stage.close().await
}

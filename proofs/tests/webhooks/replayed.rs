//! Replays of deliveries.

use anyhow::Result;
use vintedbot_domain::Reason;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::webhooks::{self, DeliveryState, Endpoint, ReplayWindow};

use crate::bare::reason;
use crate::stage::{Stage, violated};

async fn deliver_all(stage: &Stage, endpoint: &Endpoint) -> Result<Vec<String>> {
    stage.pass_on().await?;
    let mut ids = Vec::new();
    loop {
        let claims = stage.claim(endpoint).await?;
        if claims.is_empty() {
            return Ok(ids);
        }
        for claim in claims {
            stage.answered(&claim, 200, None).await?;
            ids.push(claim.delivery.webhook_id);
        }
    }
}

pub async fn replay_sends_a_time_range_with_missed_events(stage: Stage) -> Result<()> {
    let (endpoint, _) = stage
        .endpoint("https://example.org/", &["template_created", "api_token_created"])
        .await?;
    stage.happens("before the window").await?;
    stage.pass(1_000);
    let start_time = stage.now();
    stage.happens("one").await?;
    stage.happens("two").await?;
    let first = deliver_all(&stage, &endpoint).await?;
    assert_eq!(first.len(), 3);
    stage.pass(1_000);
    let end_time = stage.now();
    stage.happens("after the window").await?;
    let after = deliver_all(&stage, &endpoint).await?;
    let window = ReplayWindow {
        endpoint_id: endpoint.id.clone(),
        start_time,
        end_time: Some(end_time),
        event_types: Vec::new(),
        request_id: Some(SystemIds.id()),
    };
    let replay = async |window: &ReplayWindow| {
        webhooks::replay_window(&stage.context, &stage.caller, window.clone()).await
    };
    assert_eq!(replay(&window).await?, 2);
    assert_eq!(replay(&window).await?, 0, "the same call again");
    assert_eq!(deliver_all(&stage, &endpoint).await?, first[1..], "the same ids");
    let of_type = ReplayWindow {
        event_types: vec!["api_token_created".to_owned()],
        request_id: None,
        ..window.clone()
    };
    assert_eq!(replay(&of_type).await?, 0);

    // The endpoint was disabled for a while, and events without a delivery were missed. The replay finds them in the
    // log.
    stage.pass(1_000);
    let start_time = stage.now();
    webhooks::disable(&stage.context, &stage.caller, &endpoint.id).await?;
    stage.happens("missed").await?;
    assert_eq!(
        reason(
            replay(&ReplayWindow {
                request_id: None,
                ..window.clone()
            })
            .await
        ),
        Some(Reason::WebhookEndpointDisabled)
    );
    webhooks::enable(&stage.context, &stage.caller, &endpoint.id).await?;
    let missed = deliver_all(&stage, &endpoint).await?;
    assert_eq!(missed.len(), 1);
    stage.pass(1_000);
    assert_eq!(
        webhooks::retain(&stage.context.store, stage.now()).await?,
        5,
        "all have ended"
    );
    let all = ReplayWindow {
        endpoint_id: endpoint.id.clone(),
        start_time: 0,
        end_time: None,
        event_types: Vec::new(),
        request_id: None,
    };
    // The token of the first start and a template older than the endpoint are included.
    assert_eq!(replay(&all).await?, 6);
    let again = deliver_all(&stage, &endpoint).await?;
    for id in first.iter().chain(&after).chain(&missed) {
        assert!(
            again.contains(id),
            "an event keeps its id also when its delivery was forgotten"
        );
    }
    let since = ReplayWindow {
        start_time,
        ..all.clone()
    };
    assert_eq!(replay(&since).await?, 1);
    let backwards = ReplayWindow {
        end_time: Some(0),
        event_types: vec!["nonsense".to_owned()],
        ..since
    };
    assert_eq!(violated(replay(&backwards).await), ["event_types", "end_time"]);
    stage.close().await
}

pub async fn replayed_delivery_keeps_its_id(stage: Stage) -> Result<()> {
    let (endpoint, _) = stage
        .endpoint("https://example.org/", &["template_created"])
        .await?;
    stage.happens("one").await?;
    let first = deliver_all(&stage, &endpoint).await?;
    let delivery = stage.deliveries(&endpoint).await?.remove(0);
    let once = Some(SystemIds.id());
    for _ in 0..2 {
        let replayed = webhooks::replay(&stage.context, &stage.caller, &delivery.id, once.clone()).await?;
        assert_eq!(replayed.state, DeliveryState::Pending);
    }
    assert_eq!(deliver_all(&stage, &endpoint).await?, first);
    let detail = webhooks::get_delivery(&stage.context, &stage.caller, &delivery.id).await?;
    assert_eq!(
        detail.attempts.iter().map(|one| one.number).collect::<Vec<_>>(),
        [1, 2]
    );

    let once = Some(SystemIds.id());
    let test = webhooks::send_test(&stage.context, &stage.caller, &endpoint.id, once.clone()).await?;
    let again = webhooks::send_test(&stage.context, &stage.caller, &endpoint.id, once).await?;
    assert_eq!((&test.id, test.event_type.as_str()), (&again.id, "test"));
    assert_eq!(deliver_all(&stage, &endpoint).await?, [test.webhook_id]);

    let stranger = stage.stranger().await?;
    assert_eq!(
        reason(webhooks::replay(&stage.context, &stranger, &delivery.id, None).await),
        Some(Reason::NotFound)
    );
    webhooks::delete(&stage.context, &stage.caller, &endpoint.id, None).await?;
    assert_eq!(
        reason(webhooks::get_delivery(&stage.context, &stage.caller, &delivery.id).await),
        Some(Reason::NotFound)
    );
    stage.close().await
}

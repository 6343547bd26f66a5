//! Deliveries from the event log.

use anyhow::{Context as _, Result};
use serde_json::Value;
use vintedbot_domain::Reason;
use vintedbot_domain::events::{self, Kind};
use vintedbot_domain::identity::{Caller, Scope};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::webhooks::{self, EndpointInput, NewEndpoint, UpdateEndpoint, type_of};

use crate::bare::reason;
use crate::stage::{Anywhere, Stage};

pub async fn event_becomes_one_delivery_per_subscribed_endpoint(stage: Stage) -> Result<()> {
    stage.happens("before there is an endpoint").await?;
    let (all, _) = stage.endpoint("https://example.org/all", &[]).await?;
    let (some, _) = stage
        .endpoint(
            "https://example.org/some",
            &["template_created", "new_message_received"],
        )
        .await?;
    for number in 0..300 {
        stage.happens(&format!("template {number}")).await?;
    }
    stage.pass_on().await?;
    stage.pass_on().await?;

    let log = stage.events().await?;
    let claims = async |endpoint: &webhooks::Endpoint| {
        let mut bodies = Vec::new();
        loop {
            let claims = stage.claim(endpoint).await?;
            if claims.is_empty() {
                return Ok::<_, anyhow::Error>(bodies);
            }
            for claim in claims {
                stage.answered(&claim, 204, None).await?;
                bodies.push((
                    claim.delivery.event_sequence,
                    claim.delivery.webhook_id,
                    claim.delivery.body,
                ));
            }
        }
    };
    let of_all = claims(&all).await?;
    let expected: Vec<_> = log
        .iter()
        .filter(|event| event.sequence > all.sequence - 1)
        .collect();
    assert_eq!(of_all.len(), expected.len());
    let mut ids: Vec<_> = of_all.iter().map(|(_, id, _)| id.clone()).collect();
    for ((sequence, _, body), event) in of_all.iter().zip(expected) {
        assert_eq!(*sequence, Some(event.sequence));
        let body: Value = serde_json::from_str(body)?;
        assert_eq!(body["type"], type_of(event.kind));
        assert_eq!(body["data"]["sequence"], event.sequence);
        assert_eq!(body["data"]["resource"]["id"], event.resource_id);
        assert_eq!(body["data"]["resource"]["workspace_id"], Value::Null);
        assert!(body["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')));
    }
    let of_some = claims(&some).await?;
    assert_eq!(of_some.len(), 300, "only templates");
    ids.extend(of_some.into_iter().map(|(_, id, _)| id));
    let all_ids = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all_ids, "an id for each event and endpoint");

    let stranger = stage.stranger().await?;
    assert_eq!(
        reason(webhooks::get(&stage.context, &stranger, &all.id).await),
        Some(Reason::NotFound)
    );
    let (all_of_them, first_page) = (webhooks::Filter::default(), PageRequest::default());
    let foreign = webhooks::list_deliveries(&stage.context, &stranger, &all_of_them, &first_page).await?;
    assert!(foreign.items.is_empty());
    stage.close().await
}

pub async fn retention_keeps_events_that_endpoints_need(stage: Stage) -> Result<()> {
    let (endpoint, _) = stage
        .endpoint("https://example.org/", &["template_created"])
        .await?;
    stage.happens("one").await?;
    stage.pass(60_000);
    events::retain(&stage.context.store, stage.now() - 1_000).await?;
    stage.pass_on().await?;
    assert_eq!(
        stage.deliveries(&endpoint).await?.len(),
        1,
        "the log waited for it"
    );

    webhooks::disable(&stage.context, &stage.caller, &endpoint.id).await?;
    stage.happens("two").await?;
    stage.pass(60_000);
    events::retain(&stage.context.store, stage.now() - 1_000).await?;
    webhooks::enable(&stage.context, &stage.caller, &endpoint.id).await?;
    stage.happens("three").await?;
    stage.pass_on().await?;
    let names: Vec<_> = stage
        .deliveries(&endpoint)
        .await?
        .into_iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(names.len(), 2, "a disabled endpoint does not block retention");

    webhooks::disable(&stage.context, &stage.caller, &endpoint.id).await?;
    stage.happens("four").await?;
    stage.pass_on().await?;
    assert_eq!(stage.deliveries(&endpoint).await?.len(), 2);
    webhooks::enable(&stage.context, &stage.caller, &endpoint.id).await?;
    stage.pass_on().await?;
    assert_eq!(
        stage.deliveries(&endpoint).await?.len(),
        3,
        "the missed events follow"
    );
    stage.pass(1_000);
    assert_eq!(
        webhooks::retain(&stage.context.store, stage.now()).await?,
        0,
        "none has ended"
    );
    stage.close().await
}

pub async fn event_beyond_the_creators_scopes_is_not_sent(stage: Stage) -> Result<()> {
    let narrow = Caller {
        scopes: [Scope::WebhooksWrite, Scope::WebhooksRead].into_iter().collect(),
        ..stage.caller.clone()
    };
    let new = NewEndpoint {
        endpoint: EndpointInput {
            url: "https://example.org/".to_owned(),
            event_types: vec!["template_created".to_owned()],
            ..EndpointInput::default()
        },
        secret: None,
        request_id: None,
    };
    let made = webhooks::create(&stage.context, &narrow, &Anywhere, new).await?;
    let (wide, _) = stage
        .endpoint("https://example.org/wide", &["template_created"])
        .await?;
    stage.happens("one").await?;
    stage.pass_on().await?;
    let body = async |endpoint: &webhooks::Endpoint, caller: &Caller| {
        let delivery = stage.deliveries(endpoint).await?.pop().context("a delivery")?;
        let detail = webhooks::get_delivery(&stage.context, caller, &delivery.id).await?;
        Ok::<_, anyhow::Error>(detail.body)
    };
    let sent = body(&made.endpoint, &stage.caller)
        .await?
        .context("may be read")?;
    assert!(!sent.contains("Hello") && sent.contains("resource_id"), "{sent}");
    let sent = body(&wide, &stage.caller).await?.context("may be read")?;
    assert!(sent.contains("Hello"), "{sent}");
    assert_eq!(
        body(&wide, &narrow).await?,
        None,
        "a caller without the scope must not see it"
    );

    // A caller that changes an endpoint's URL receives only what its scopes allow.
    let update = UpdateEndpoint {
        id: wide.id.clone(),
        endpoint: EndpointInput {
            url: "https://example.org/narrow".to_owned(),
            ..EndpointInput::default()
        },
        ..UpdateEndpoint::default()
    };
    webhooks::update(&stage.context, &narrow, &Anywhere, update).await?;
    // Deliveries that were written before the change are also sent without the content.
    let claims = stage.claim(&wide).await?;
    assert!(
        claims.len() == 1 && claims.iter().all(|claim| !claim.delivery.body.contains("Hello")),
        "{claims:?}"
    );
    stage.happens("two").await?;
    stage.pass_on().await?;
    let sent = body(&wide, &stage.caller).await?.context("may be read")?;
    assert!(!sent.contains("Hello"), "{sent}");
    let kinds: Vec<_> = stage
        .events()
        .await?
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert!(kinds.contains(&Kind::WebhookEndpointCreated) && kinds.contains(&Kind::WebhookEndpointUpdated));
    let log = stage.events().await?;
    assert!(
        log.iter()
            .all(|event| !event.payload.contains("whsec_") && !event.payload.contains("secrets"))
    );
    stage.close().await
}

//! Webhooks over the API. The worker sends deliveries, so nothing is sent here.

use std::sync::Arc;

use tonic::Code;
use tonic_types::StatusExt as _;
use vintedbot_domain::identity::Scope;
use vintedbot_domain::webhooks::Targets;
use vintedbot_proto::v1;
use vintedbot_proto::v1::event_service_client::EventServiceClient;
use vintedbot_proto::v1::resource::Resource;
use vintedbot_proto::v1::watch_response::Message;
use vintedbot_proto::v1::webhook_service_client::WebhookServiceClient;
use vintedbot_proto::v1::{webhook_delivery, webhook_endpoint};
use vintedbot_server::Config;

use crate::conversations::stranger;
use crate::harness::{self, Instance, reason};

#[derive(Debug)]
struct NotInside;

#[tonic::async_trait]
impl Targets for NotInside {
    async fn check(&self, url: &str) -> Result<(), String> {
        if url.contains("127.0.0.1") {
            return Err("it leads to 127.0.0.1".to_owned());
        }
        Ok(())
    }
}

async fn start() -> Instance {
    harness::start_with(Config {
        webhook_targets: Some(Arc::new(NotInside)),
        ..Config::default()
    })
    .await
}

fn new(url: &str, event_types: &[&str], secret: &str) -> v1::CreateEndpointRequest {
    v1::CreateEndpointRequest {
        endpoint: Some(v1::WebhookEndpoint {
            url: url.to_owned(),
            event_types: event_types.iter().map(|one| (*one).to_owned()).collect(),
            ..Default::default()
        }),
        secret: secret.to_owned(),
        request_id: String::new(),
    }
}

#[tokio::test]
async fn endpoint_passes_through_its_whole_life_cycle() {
    let instance = start().await;
    let mut client = WebhookServiceClient::new(instance.connect().await);
    let made = client
        .create_endpoint(new("https://example.org/hooks", &["template_created"], ""))
        .await
        .expect("is made")
        .into_inner();
    assert!(made.secret.starts_with("whsec_"));
    let endpoint = made.endpoint.expect("an endpoint");
    assert_eq!(endpoint.state(), webhook_endpoint::State::Enabled);
    let id = endpoint.id.clone();

    let update = v1::UpdateEndpointRequest {
        id: id.clone(),
        endpoint: Some(v1::WebhookEndpoint {
            description: "stock".into(),
            ordered: true,
            ..Default::default()
        }),
        expected_sequence: Some(endpoint.sequence),
        ..Default::default()
    };
    let changed = client
        .update_endpoint(update)
        .await
        .expect("is changed")
        .into_inner();
    let changed = changed.endpoint.expect("an endpoint");
    assert_eq!((changed.description.as_str(), changed.ordered), ("stock", true));
    assert_eq!(changed.event_types, ["template_created"]);

    let rotate = v1::RotateSecretRequest {
        id: id.clone(),
        ..Default::default()
    };
    let rotated = client
        .rotate_secret(rotate)
        .await
        .expect("is rotated")
        .into_inner();
    assert!(rotated.secret.starts_with("whsec_") && rotated.secret != made.secret);
    assert!(
        rotated
            .endpoint
            .expect("an endpoint")
            .old_secret_expire_time
            .is_some()
    );

    let test = v1::SendTestRequest {
        endpoint_id: id.clone(),
        ..Default::default()
    };
    let delivery = client
        .send_test(test.clone())
        .await
        .expect("is sent")
        .into_inner();
    let delivery = delivery.delivery.expect("a delivery");
    assert_eq!(delivery.state(), webhook_delivery::State::Pending);
    let list = v1::ListDeliveriesRequest {
        endpoint_id: id.clone(),
        states: vec![webhook_delivery::State::Pending.into()],
        event_types: vec!["test".into()],
        ..Default::default()
    };
    let listed = client
        .list_deliveries(list)
        .await
        .expect("lists")
        .into_inner()
        .deliveries;
    assert_eq!(listed, std::slice::from_ref(&delivery));
    let get = v1::GetDeliveryRequest {
        id: delivery.id.clone(),
    };
    let detail = client
        .get_delivery(get.clone())
        .await
        .expect("is there")
        .into_inner();
    assert!(detail.body.contains("This is a test.") && detail.attempts.is_empty());
    let replay = v1::ReplayDeliveryRequest {
        id: delivery.id,
        ..Default::default()
    };
    client.replay_delivery(replay).await.expect("is on its way");
    let window = v1::ReplayDeliveriesRequest {
        endpoint_id: id.clone(),
        start_time: delivery.event_time,
        ..Default::default()
    };
    let replayed = client
        .replay_deliveries(window)
        .await
        .expect("is replayed")
        .into_inner();
    assert_eq!(replayed.replayed, 0, "nothing else happened");

    let disable = v1::DisableEndpointRequest { id: id.clone() };
    let disabled = client
        .disable_endpoint(disable)
        .await
        .expect("is disabled")
        .into_inner();
    let disabled = disabled.endpoint.expect("an endpoint");
    assert_eq!(disabled.disable_reason(), webhook_endpoint::DisableReason::Person);
    let status = client.send_test(test).await.expect_err("is disabled");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::FailedPrecondition, "WEBHOOK_ENDPOINT_DISABLED")
    );
    let enable = v1::EnableEndpointRequest { id: id.clone() };
    let enabled = client
        .enable_endpoint(enable)
        .await
        .expect("is enabled")
        .into_inner();
    assert_eq!(
        enabled.endpoint.expect("an endpoint").state(),
        webhook_endpoint::State::Enabled
    );

    let mut other = WebhookServiceClient::new(stranger(&instance).await);
    let status = other.get_delivery(get).await.expect_err("is another's");
    assert_eq!(reason(&status), "NOT_FOUND");
    let status = other
        .delete_endpoint(v1::DeleteEndpointRequest {
            id: id.clone(),
            ..Default::default()
        })
        .await
        .expect_err("is another's");
    assert_eq!(reason(&status), "NOT_FOUND");
    let delete = v1::DeleteEndpointRequest {
        id,
        ..Default::default()
    };
    client.delete_endpoint(delete).await.expect("goes");
    let all = client.list_endpoints(v1::ListEndpointsRequest::default()).await;
    assert!(all.expect("lists").into_inner().endpoints.is_empty());
    instance.stop().await;
}

#[tokio::test]
async fn bad_input_is_a_typed_error() {
    let instance = start().await;
    let mut client = WebhookServiceClient::new(instance.connect().await);
    let status = client
        .create_endpoint(new("https://127.0.0.1/", &[], ""))
        .await
        .expect_err("leads inside");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "WEBHOOK_ADDRESS_REFUSED")
    );
    let status = client
        .create_endpoint(new("", &["nonsense"], "whsec_AAA="))
        .await
        .expect_err("everything is wrong");
    let violations = status
        .get_details_bad_request()
        .expect("violations")
        .field_violations;
    let fields: Vec<_> = violations.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["endpoint.url", "endpoint.event_types", "secret"]);
    assert!(violations[2].description.contains("2 bytes"), "{violations:?}");
    let status = client
        .replay_deliveries(v1::ReplayDeliveriesRequest {
            endpoint_id: "7".into(),
            ..Default::default()
        })
        .await
        .expect_err("no id, no window");
    assert_eq!(reason(&status), "VALIDATION_FAILED");
    instance.stop().await;
}

#[tokio::test]
async fn concurrent_endpoint_creation_stops_at_100_per_workspace() {
    let instance = start().await;
    let channel = instance.connect().await;
    let made = futures::future::join_all((0..104).map(|_| {
        let mut client = WebhookServiceClient::new(channel.clone());
        async move {
            client
                .create_endpoint(new("https://example.org/hooks", &[], ""))
                .await
        }
    }))
    .await;
    let refused: Vec<_> = made.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 4);
    for status in &refused {
        assert_eq!(
            (status.code(), reason(status).as_str()),
            (Code::FailedPrecondition, "TOO_MANY_WEBHOOK_ENDPOINTS")
        );
    }
    instance.stop().await;
}

#[tokio::test]
async fn watch_shows_endpoints_without_their_secrets() {
    let instance = start().await;
    let mut client = WebhookServiceClient::new(instance.connect().await);
    let made = client
        .create_endpoint(new("https://example.org/hooks", &[], ""))
        .await
        .expect("is made")
        .into_inner();
    let request = v1::WatchRequest {
        snapshot: true,
        topics: vec![v1::Topic::Webhooks.into()],
        ..Default::default()
    };
    let mut watch = EventServiceClient::new(instance.connect().await)
        .watch(request)
        .await
        .expect("watches")
        .into_inner();
    let mut shown = Vec::new();
    while let Some(message) = watch.message().await.expect("a message") {
        match message.message {
            Some(Message::Snapshot(snapshot)) => shown.push(snapshot),
            _ => break,
        }
    }
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].resource_type(), v1::ResourceType::WebhookEndpoint);
    let Some(Resource::WebhookEndpoint(endpoint)) =
        shown[0].resource.clone().and_then(|resource| resource.resource)
    else {
        panic!("no endpoint: {shown:?}");
    };
    assert_eq!(Some(endpoint), made.endpoint);
    assert!(!format!("{shown:?}").contains("whsec_"));
    instance.stop().await;
}

#[tokio::test]
async fn server_without_worker_creates_no_endpoint() {
    let instance = harness::start().await;
    let (_, token) = instance.make_token(&[Scope::WebhooksWrite], None).await;
    let mut client = WebhookServiceClient::new(instance.connect_as(Some(&token)).await);
    let status = client
        .create_endpoint(new("https://example.org/", &[], ""))
        .await
        .expect_err("no worker would send");
    assert_eq!(reason(&status), "WEBHOOK_ADDRESS_REFUSED");
    instance.stop().await;
}

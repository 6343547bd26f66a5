//! Behaviour of the port that every client relies on.

use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use crate::harness::{self, http};

#[tokio::test]
async fn health_needs_no_token_over_grpc_and_http() {
    let instance = harness::start().await;
    let mut client = HealthClient::new(instance.connect_as(None).await);
    let answer = client
        .check(HealthCheckRequest {
            service: String::new(),
        })
        .await
        .expect("answers")
        .into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);

    let health = http()
        .get(format!("{}/health", instance.url))
        .send()
        .await
        .expect("answers");
    assert!(health.status().is_success());
    assert!(health.text().await.expect("a body").contains("\"ok\""));
    let ready = http()
        .get(format!("{}/ready", instance.url))
        .send()
        .await
        .expect("answers");
    assert!(ready.status().is_success());
    assert!(ready.text().await.expect("a body").contains("\"ready\""));
    let nothing = http()
        .get(format!("{}/no/such/page", instance.url))
        .send()
        .await
        .expect("answers");
    assert_eq!(nothing.status(), 404);
    instance.stop().await;
}

#[tokio::test]
async fn reflection_lists_every_service_in_both_versions() {
    let instance = harness::start().await;
    let channel = instance.connect_as(None).await;
    let expected = [
        "vintedbot.v1.AuthService",
        "vintedbot.v1.EventService",
        "grpc.health.v1.Health",
    ];

    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let ask = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut answers = client
        .server_reflection_info(Request::new(tokio_stream::once(ask)))
        .await
        .expect("answers")
        .into_inner();
    let answer = answers.message().await.expect("an answer").expect("an answer");
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        answer.message_response
    else {
        panic!("{answer:?}")
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    assert!(
        expected
            .iter()
            .all(|name| names.iter().any(|found| found == name)),
        "{names:?}"
    );

    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let ask = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
                "vintedbot.v1.ListingService".to_owned(),
            ),
        ),
    };
    let mut answers = client
        .server_reflection_info(Request::new(tokio_stream::once(ask)))
        .await
        .expect("answers")
        .into_inner();
    let answer = answers.message().await.expect("an answer").expect("an answer");
    assert!(matches!(
        answer.message_response,
        Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(files))
            if !files.file_descriptor_proto.is_empty()
    ));
    drop(answers);
    instance.stop().await;
}

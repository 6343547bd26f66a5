//! The errors that a caller gets.

use std::time::Duration;

use tonic::{Code, Request};
use tonic_types::StatusExt as _;
use vintedbot_proto::v1;
use vintedbot_proto::v1::account_service_client::AccountServiceClient;
use vintedbot_proto::v1::listing_service_client::ListingServiceClient;
use vintedbot_proto::v1::marketplace_search_service_client::MarketplaceSearchServiceClient;
use vintedbot_server::Config;

use crate::harness::{self, reason};
use crate::web;

#[tokio::test]
async fn all_violations_of_a_request_are_reported_at_once() {
    let instance = harness::start().await;
    let mut client = ListingServiceClient::new(instance.connect().await);
    let listing = v1::ListingInput {
        photo_ids: vec!["7".to_owned()],
        brand: Some(v1::NameOrId { value: None }),
        ..Default::default()
    };
    let request = v1::CreateListingRequest {
        account_id: String::new(),
        listing: Some(listing),
        request_id: "no".to_owned(),
    };
    let status = client.create_listing(request).await.expect_err("is refused");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "VALIDATION_FAILED")
    );
    let bad_request = status.get_details_bad_request().expect("BadRequest");
    let mut fields: Vec<_> = bad_request
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    fields.sort();
    assert_eq!(
        fields,
        [
            "account_id",
            "listing.brand",
            "listing.photo_ids[0]",
            "request_id"
        ]
    );
    instance.stop().await;
}

#[tokio::test]
async fn missing_resource_is_not_found_with_its_type_and_id() {
    let instance = harness::start().await;
    let id = "0191b3c2-7f4e-7d3a-9c51-2f6a8e0d4b17";
    let mut client = AccountServiceClient::new(instance.connect().await);
    let status = client
        .get_account(v1::GetAccountRequest { id: id.to_owned() })
        .await
        .expect_err("is not there");
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!(
        (status.code(), info.reason.as_str()),
        (Code::NotFound, "ERROR_REASON_NOT_FOUND")
    );
    assert_eq!(
        (
            info.metadata["resource_type"].as_str(),
            info.metadata["resource_id"].as_str()
        ),
        ("account", id)
    );
    instance.stop().await;
}

#[tokio::test]
async fn error_names_the_given_or_a_generated_request_id() {
    let instance = harness::start().await;
    let mut client = AccountServiceClient::new(instance.connect().await);
    let mut request = Request::new(v1::GetAccountRequest::default());
    request
        .metadata_mut()
        .insert("x-request-id", "mine-1".parse().expect("ASCII"));
    let status = client.get_account(request).await.expect_err("is refused");
    assert_eq!(
        status.get_details_request_info().expect("RequestInfo").request_id,
        "mine-1"
    );
    assert_eq!(
        status
            .metadata()
            .get("x-request-id")
            .and_then(|id| id.to_str().ok()),
        Some("mine-1")
    );
    let answer = client
        .list_accounts(v1::ListAccountsRequest::default())
        .await
        .expect("answers");
    assert!(
        answer
            .metadata()
            .get("x-request-id")
            .is_some_and(|id| id.len() == 36)
    );
    instance.stop().await;
}

#[tokio::test]
async fn oversized_message_is_refused_and_the_limit_is_named() {
    let config = Config {
        max_message_bytes: 1000,
        ..Config::default()
    };
    let instance = harness::start_with(config).await;
    let mut client = AccountServiceClient::new(instance.connect().await);
    let request = v1::CreateAccountRequest {
        display_name: "x".repeat(2000),
        ..Default::default()
    };
    let status = client.create_account(request).await.expect_err("is refused");
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!(
        (status.code(), info.reason.as_str()),
        (Code::ResourceExhausted, "ERROR_REASON_MESSAGE_TOO_LARGE")
    );
    assert_eq!(info.metadata["max_bytes"], "1000");
    instance.stop().await;
}

#[tokio::test]
async fn unknown_and_future_methods_are_unimplemented() {
    let instance = harness::start().await;
    let (headers, _, _) = web::call(&instance, "AuthService/NoSuchMethod", &(), &[]).await;
    let status = web::status(&headers);
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unimplemented, "UNIMPLEMENTED")
    );
    let mut client = MarketplaceSearchServiceClient::new(instance.connect().await);
    let status = client
        .search_items(v1::SearchItemsRequest::default())
        .await
        .expect_err("is refused");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unimplemented, "SEARCH_UNAVAILABLE")
    );
    instance.stop().await;
}

#[tokio::test]
async fn malformed_message_is_an_invalid_argument() {
    let instance = harness::start().await;
    let frame = [0, 0, 0, 0, 2, 0xff, 0xff];
    let (headers, _, _) = web::send(&instance, "AccountService/GetAccount", frame.to_vec(), &[]).await;
    let status = web::status(&headers);
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::InvalidArgument, "VALIDATION_FAILED")
    );
    instance.stop().await;
}

#[tokio::test]
async fn expired_deadline_is_returned_with_its_reason() {
    let exceeded = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned());
    let status_of = |headers: &reqwest::header::HeaderMap| {
        let status = web::status(headers);
        (status.code(), reason(&status))
    };
    // A call that never sends its message keeps its connection open.
    let drain_timeout = Duration::from_millis(100);
    let instance = harness::start_with(Config {
        drain_timeout,
        ..Config::default()
    })
    .await;
    // The transport also enforces the deadline, and would answer without a reason.
    for native in [false, true] {
        let headers = web::stalled(&instance, native, Some("100m")).await;
        assert_eq!(status_of(&headers), exceeded, "native: {native}");
    }
    // The stream has begun when its deadline passes.
    let timeout = [("grpc-timeout", "300m")];
    let (headers, _, _) = web::call(
        &instance,
        "EventService/Watch",
        &v1::WatchRequest::default(),
        &timeout,
    )
    .await;
    assert_eq!(status_of(&headers), exceeded);
    instance.stop().await;

    let config = Config {
        drain_timeout,
        request_timeout: Duration::from_millis(100),
        ..Config::default()
    };
    let instance = harness::start_with(config).await;
    assert_eq!(status_of(&web::stalled(&instance, true, None).await), exceeded);
    instance.stop().await;
}

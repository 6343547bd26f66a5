//! Unary calls and lists: retries, request ids and errors.

use std::collections::HashSet;
use std::time::Duration;

use futures::TryStreamExt as _;
use tonic::Code;
use tonic_types::FieldViolation;
use uuid::Uuid;
use vintedbot_sdk::v1::{
    ConfirmPublishRequest, ConfirmPublishResponse, Confirmation, CreateListingRequest, CreateListingResponse,
    GetListingRequest, GetListingResponse, ListListingsRequest, ListListingsResponse, Listing, PublishJob,
    violation,
};
use vintedbot_sdk::{Client, Error, ErrorReason};

use crate::server::{Answer, Server, refusal};

fn listing(id: &str) -> Listing {
    Listing {
        id: id.to_owned(),
        ..Default::default()
    }
}

fn created() -> Answer {
    Answer::message(&CreateListingResponse {
        listing: Some(listing("l")),
    })
}

#[tokio::test]
async fn change_is_retried_with_the_same_request_id() {
    let server = Server::start(|number, _| match number {
        1 => refusal(Code::Unavailable, ErrorReason::Unavailable, |_| {}),
        2 => Answer::Cut(Vec::new()),
        3 => Answer::Silence,
        _ => created(),
    })
    .await;
    let made = server
        .client()
        .listings()
        .create(CreateListingRequest::default())
        .await
        .expect("the fourth");
    assert_eq!(made.id, "l");
    let ids: HashSet<_> = server
        .calls()
        .iter()
        .map(|call| call.message::<CreateListingRequest>().request_id)
        .collect();
    assert_eq!(server.calls().len(), 4);
    assert_eq!(ids.len(), 1, "{ids:?}");
    let id: Uuid = ids
        .into_iter()
        .next()
        .expect("there is one")
        .parse()
        .expect("it is a UUID");
    assert_eq!(id.get_version_num(), 4);
}

#[tokio::test]
async fn changes_get_own_request_ids_unless_one_is_given() {
    let server = Server::start(|_, _| created()).await;
    let listings = server.client().listings();
    let given = CreateListingRequest {
        request_id: "mine".into(),
        ..Default::default()
    };
    for request in [
        CreateListingRequest::default(),
        CreateListingRequest::default(),
        given,
    ] {
        listings.create(request).await.expect("it is answered");
    }
    let ids: Vec<_> = server
        .calls()
        .iter()
        .map(|call| call.message::<CreateListingRequest>().request_id)
        .collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[2], "mine");
}

#[tokio::test]
async fn confirmation_is_retried_with_its_request_id() {
    let server = Server::start(|number, _| match number {
        1 => Answer::Cut(Vec::new()),
        _ => Answer::message(&ConfirmPublishResponse {
            publish_job: Some(PublishJob {
                id: "j".into(),
                ..Default::default()
            }),
            ..Default::default()
        }),
    })
    .await;
    let confirmation = Confirmation {
        confirm_token: "t".into(),
        ..Default::default()
    };
    server
        .client()
        .publish()
        .confirm("j", &confirmation)
        .await
        .expect("the second");
    let sent: Vec<_> = server
        .calls()
        .iter()
        .map(|call| call.message::<ConfirmPublishRequest>())
        .collect();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
    assert_eq!(sent[0].dry_run, Some(false));
    assert!(!sent[0].request_id.is_empty());
}

#[tokio::test]
async fn check_is_sent_as_a_dry_run() {
    let server = Server::start(|_, _| Answer::message(&ConfirmPublishResponse::default())).await;
    server
        .client()
        .publish()
        .check("j", &Confirmation::default())
        .await
        .expect("it is answered");
    assert_eq!(
        server.calls()[0].message::<ConfirmPublishRequest>().dry_run,
        Some(true)
    );
}

#[tokio::test]
async fn permanent_refusal_is_not_retried() {
    for (code, reason) in [
        (Code::FailedPrecondition, ErrorReason::ConfirmationUsed),
        (Code::InvalidArgument, ErrorReason::ValidationFailed),
        (Code::Internal, ErrorReason::Internal),
        (Code::Aborted, ErrorReason::ResourceChanged),
        (Code::ResourceExhausted, ErrorReason::StorageFull),
    ] {
        let server = Server::start(move |_, _| refusal(code, reason, |_| {})).await;
        let error = server
            .client()
            .publish()
            .prepare("l")
            .await
            .expect_err("it is refused");
        assert_eq!((error.reason(), error.code()), (reason, Some(code)));
        assert_eq!(server.calls().len(), 1, "{reason:?}");
    }
}

#[tokio::test]
async fn retry_info_is_obeyed_or_returned_as_an_error() {
    let wait = |wait| {
        move |_: usize, _: &_| {
            refusal(Code::ResourceExhausted, ErrorReason::RateLimited, |details| {
                details.set_retry_info(Some(wait));
            })
        }
    };
    let short = Duration::from_millis(40);
    let server = Server::start(move |number, call| match number {
        1 => wait(short)(number, call),
        _ => Answer::message(&GetListingResponse {
            listing: Some(listing("l")),
        }),
    })
    .await;
    let before = tokio::time::Instant::now();
    server.client().listings().get("l").await.expect("the second");
    assert!(before.elapsed() >= short);

    let server = Server::start(wait(Duration::from_secs(60))).await;
    let error = server
        .client()
        .listings()
        .get("l")
        .await
        .expect_err("too long to wait");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn last_attempt_returns_the_error() {
    let server = Server::start(|_, _| Answer::Cut(Vec::new())).await;
    let error = server
        .client()
        .listings()
        .get("l")
        .await
        .expect_err("there is no server");
    assert!(matches!(error, Error::Line(_)), "{error:?}");
    assert_eq!(server.calls().len(), 5);
}

#[tokio::test]
async fn error_exposes_reason_metadata_and_violations() {
    let server = Server::start(|_, _| {
        refusal(
            Code::FailedPrecondition,
            ErrorReason::ListingIncomplete,
            |details| {
                let mut violation = FieldViolation::new("price", "give one");
                violation.reason = "CODE_REQUIRED".to_owned();
                details.set_bad_request(vec![violation]);
            },
        )
    })
    .await;
    let error = server
        .client()
        .publish()
        .prepare("l")
        .await
        .expect_err("it is refused");
    assert_eq!(
        error.to_string(),
        "no; price: give one (ERROR_REASON_LISTING_INCOMPLETE)"
    );
    let Error::Api {
        reason,
        metadata,
        violations,
        retry_after,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(reason, ErrorReason::ListingIncomplete);
    assert_eq!(metadata["key"], "value");
    assert_eq!(violations[0].field, "price");
    assert_eq!(violations[0].code(), violation::Code::Required);
    assert_eq!(retry_after, None);
}

#[tokio::test]
async fn token_and_deadline_are_sent_with_every_call() {
    let server = Server::start(|_, _| {
        Answer::message(&GetListingResponse {
            listing: Some(listing("l")),
        })
    })
    .await;
    server.client().listings().get("l").await.expect("it is answered");
    let call = &server.calls()[0];
    assert_eq!(call.method, "ListingService/GetListing");
    assert_eq!(call.message::<GetListingRequest>().id, "l");
    assert_eq!(call.headers["authorization"], "Bearer vb_test");
    assert!(call.headers.contains_key("grpc-timeout"));
}

#[tokio::test]
async fn list_follows_pages_and_keeps_its_filter() {
    let server = Server::start(|_, call| {
        let request: ListListingsRequest = call.message();
        let page = |ids: &[&str], next: &str| {
            let listings = ids.iter().map(|id| listing(id)).collect();
            Answer::message(&ListListingsResponse {
                listings,
                next_page_token: next.to_owned(),
            })
        };
        match request.page_token.as_str() {
            "" => page(&["a", "b"], "2"),
            "2" => page(&[], "3"),
            _ => page(&["c"], ""),
        }
    })
    .await;
    let filter = ListListingsRequest {
        title_contains: "sweat".into(),
        ..Default::default()
    };
    let found: Vec<_> = server
        .client()
        .listings()
        .list(filter)
        .try_collect()
        .await
        .expect("three pages");
    let ids: Vec<_> = found.iter().map(|listing| listing.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    for call in server.calls() {
        assert_eq!(call.message::<ListListingsRequest>().title_contains, "sweat");
    }
}

#[tokio::test]
async fn invalid_address_or_token_fails_before_any_call() {
    assert!(matches!(
        Client::builder("not an address").lazy(),
        Err(Error::Address { .. })
    ));
    assert!(matches!(
        Client::builder("http://127.0.0.1:1").token("a\nb").lazy(),
        Err(Error::Token)
    ));
    let missing = Client::builder("http://127.0.0.1:1")
        .token_file("/nonexistent/token")
        .lazy();
    assert!(matches!(missing, Err(Error::File { .. })));
    assert!(matches!(
        Client::builder("http://127.0.0.1:1").build().await,
        Err(Error::Connect(_))
    ));
}

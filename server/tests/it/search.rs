//! Search over the API.

use tonic::Code;
use tonic_types::StatusExt as _;
use vintedbot_proto::v1;
use vintedbot_proto::v1::inbox_service_client::InboxServiceClient;
use vintedbot_proto::v1::listing_service_client::ListingServiceClient;
use vintedbot_proto::v1::search_result::Kind;

use crate::conversations::{conversation, store, stranger};
use crate::harness::{self, reason};

fn request(query: &str) -> v1::SearchRequest {
    v1::SearchRequest {
        query: query.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn search_hit_names_its_type_place_and_matching_text() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let thread_id = store(&instance, &account.id, &conversation("9", "200", 3, 10)).await;
    let mut client = InboxServiceClient::new(instance.connect().await);
    let mut search = async |request| client.search(request).await.map(tonic::Response::into_inner);

    let found = search(request("MESSAGE 2")).await.expect("an answer");
    assert!(found.index_complete && found.next_page_token.is_empty());
    let [result] = found.results.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(result.kind(), Kind::Message);
    assert_eq!((&result.thread_id, &result.account_id), (&thread_id, &account.id));
    assert!(!result.message_id.is_empty() && !result.person_id.is_empty());
    let snippet: Vec<_> = result
        .snippet
        .iter()
        .map(|segment| (segment.text.as_str(), segment.highlighted))
        .collect();
    assert_eq!(snippet, [("Message", true), (" ", false), ("2", true)]);

    let of_kinds = v1::SearchRequest {
        kinds: vec![Kind::Person.into(), Kind::Thread.into()],
        ..request("blue")
    };
    let found = search(of_kinds).await.expect("an answer");
    assert_eq!(
        found.results.iter().map(|one| one.kind()).collect::<Vec<_>>(),
        [Kind::Thread]
    );

    let mut other = InboxServiceClient::new(stranger(&instance).await);
    let found = other
        .search(request("message"))
        .await
        .expect("an answer")
        .into_inner();
    assert!(found.results.is_empty() && found.index_complete);
}

#[tokio::test]
async fn invalid_query_is_a_violation_of_its_field() {
    let instance = harness::start().await;
    let mut client = InboxServiceClient::new(instance.connect().await);
    let long = "a".repeat(10 * 1024);
    for query in ["", "* \"\"", &long] {
        let status = client.search(request(query)).await.expect_err("a refusal");
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, "VALIDATION_FAILED")
        );
        let details = status.get_error_details();
        let violations = details.bad_request().expect("violations");
        assert_eq!(violations.field_violations[0].field, "query");
    }
    let wrong = v1::SearchRequest {
        account_id: "7".to_owned(),
        kinds: vec![0],
        ..request("a")
    };
    let status = client.search(wrong).await.expect_err("a refusal");
    let details = status.get_error_details();
    let fields = details.bad_request().expect("violations").field_violations.iter();
    assert_eq!(
        fields
            .map(|violation| violation.field.as_str())
            .collect::<Vec<_>>(),
        ["account_id", "kinds[0]"]
    );
}

#[tokio::test]
async fn search_listings_finds_listings() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let mut client = ListingServiceClient::new(instance.connect().await);
    let create = v1::CreateListingRequest {
        account_id: account.id,
        listing: Some(v1::ListingInput {
            title: "Sweat gris chiné".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let created = client.create_listing(create).await.expect("is made").into_inner();
    let request = v1::SearchListingsRequest {
        query: "CHINE".to_owned(),
        ..Default::default()
    };
    let found = client
        .search_listings(request)
        .await
        .expect("an answer")
        .into_inner();
    assert_eq!(found.results.len(), 1);
    assert_eq!(
        found.results[0].listing.as_ref().map(|listing| &listing.id),
        created.listing.as_ref().map(|listing| &listing.id)
    );
    assert!(found.results[0].snippet.iter().any(|segment| segment.highlighted));
}

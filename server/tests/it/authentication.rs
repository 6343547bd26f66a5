//! Every call requires a token, and a token allows only what its scopes name.

use http::uri::PathAndQuery;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use vintedbot_domain::identity::{Revoke, Scope};
use vintedbot_proto::FILE_DESCRIPTOR_SET;

use crate::harness::{self, Connection, reason};

/// The scope that each method requires. Add new methods here.
const SCOPES: &[(&str, &[Scope])] = &[
    ("AuthService/WhoAmI", &[]),
    ("AuthService/CreateApiToken", &[Scope::AuthManage]),
    ("AuthService/ListApiTokens", &[Scope::AuthManage]),
    ("AuthService/RevokeApiToken", &[Scope::AuthManage]),
    ("AccountService/CreateAccount", &[Scope::AccountsWrite]),
    ("AccountService/ListAccounts", &[Scope::AccountsRead]),
    ("AccountService/GetAccount", &[Scope::AccountsRead]),
    ("AccountService/UpdateAccount", &[Scope::AccountsWrite]),
    ("AccountService/DeleteAccount", &[Scope::AccountsWrite]),
    ("AccountService/SetMode", &[Scope::AccountsWrite]),
    ("AccountService/ResumeAccount", &[Scope::AccountsWrite]),
    ("AccountService/ImportSession", &[Scope::AccountsWrite]),
    ("AccountService/CheckSession", &[Scope::AccountsWrite]),
    ("AccountService/ForgetSession", &[Scope::AccountsWrite]),
    ("CatalogService/ListCategories", &[Scope::CatalogRead]),
    ("CatalogService/GetCategory", &[Scope::CatalogRead]),
    ("CatalogService/SearchBrands", &[Scope::CatalogRead]),
    ("CatalogService/ListSizes", &[Scope::CatalogRead]),
    ("CatalogService/ListColors", &[Scope::CatalogRead]),
    ("CatalogService/ListConditions", &[Scope::CatalogRead]),
    ("CatalogService/ListPackageSizes", &[Scope::CatalogRead]),
    ("CatalogService/ResolveNames", &[Scope::CatalogRead]),
    ("MediaService/UploadPhoto", &[Scope::MediaWrite]),
    ("MediaService/UploadPhotos", &[Scope::MediaWrite]),
    ("MediaService/CreateUploadUrl", &[Scope::MediaWrite]),
    ("MediaService/GetPhoto", &[Scope::MediaRead]),
    ("MediaService/ListPhotos", &[Scope::MediaRead]),
    ("MediaService/DeletePhoto", &[Scope::MediaWrite]),
    ("ListingService/CreateListing", &[Scope::ListingsWrite]),
    (
        "ListingService/CreateListingFromPhotos",
        &[Scope::ListingsWrite, Scope::MediaWrite],
    ),
    ("ListingService/GetListing", &[Scope::ListingsRead]),
    ("ListingService/ListListings", &[Scope::ListingsRead]),
    ("ListingService/SearchListings", &[Scope::ListingsRead]),
    ("ListingService/UpdateListing", &[Scope::ListingsWrite]),
    ("ListingService/DeleteListing", &[Scope::ListingsWrite]),
    ("ListingService/PreviewListing", &[Scope::ListingsRead]),
    ("PublishService/PreparePublish", &[Scope::PublishPrepare]),
    ("PublishService/ConfirmPublish", &[Scope::PublishConfirm]),
    ("PublishService/SchedulePublish", &[Scope::PublishConfirm]),
    ("PublishService/PrepareChange", &[Scope::PublishPrepare]),
    ("PublishService/GetPublishJob", &[Scope::PublishRead]),
    ("PublishService/ListPublishJobs", &[Scope::PublishRead]),
    ("PublishService/CancelPublishJob", &[Scope::PublishPrepare]),
    ("PublishService/RetryPublishJob", &[Scope::PublishPrepare]),
    ("PublishService/ResolvePublishJob", &[Scope::PublishConfirm]),
    ("PublishService/ListPublishSteps", &[Scope::PublishRead]),
    ("PublishService/ListScreenshots", &[Scope::PublishRead]),
    ("WardrobeService/ImportWardrobe", &[Scope::ListingsWrite]),
    ("WardrobeService/GetWardrobeImport", &[Scope::ListingsRead]),
    ("WardrobeService/AcceptRemoteChanges", &[Scope::ListingsWrite]),
    ("InboxService/ListThreads", &[Scope::InboxRead]),
    ("InboxService/GetThread", &[Scope::InboxRead]),
    ("InboxService/ListMessages", &[Scope::InboxRead]),
    ("InboxService/GetInboxCounts", &[Scope::InboxRead]),
    ("InboxService/GetPerson", &[Scope::InboxRead]),
    ("InboxService/Search", &[Scope::InboxRead]),
    ("InboxService/MarkThreads", &[Scope::InboxWrite]),
    ("InboxService/ArchiveThreads", &[Scope::InboxWrite]),
    ("InboxService/LabelThreads", &[Scope::InboxWrite]),
    ("InboxService/SnoozeThread", &[Scope::InboxWrite]),
    ("InboxService/SetThreadNote", &[Scope::InboxWrite]),
    ("InboxService/DeleteThread", &[Scope::InboxWrite]),
    ("InboxService/PrepareThreadRemoval", &[Scope::InboxConfirm]),
    ("InboxService/ConfirmThreadRemoval", &[Scope::InboxConfirm]),
    ("InboxService/SaveDraft", &[Scope::InboxWrite]),
    ("InboxService/SendReply", &[Scope::InboxSend]),
    ("InboxService/ConfirmReply", &[Scope::InboxConfirm]),
    ("InboxService/CancelReply", &[Scope::InboxSend]),
    ("InboxService/RetryReply", &[Scope::InboxSend]),
    ("InboxService/ResolveReply", &[Scope::InboxConfirm]),
    ("InboxService/GetReply", &[Scope::InboxRead]),
    ("InboxService/ListReplies", &[Scope::InboxRead]),
    ("InboxService/SyncNow", &[Scope::InboxWrite]),
    ("TemplateService/CreateTemplate", &[Scope::InboxWrite]),
    ("TemplateService/ListTemplates", &[Scope::InboxRead]),
    ("TemplateService/GetTemplate", &[Scope::InboxRead]),
    ("TemplateService/UpdateTemplate", &[Scope::InboxWrite]),
    ("TemplateService/DeleteTemplate", &[Scope::InboxWrite]),
    ("TemplateService/PreviewTemplate", &[Scope::InboxRead]),
    ("EventService/Watch", &[Scope::EventsRead]),
    ("WebhookService/CreateEndpoint", &[Scope::WebhooksWrite]),
    ("WebhookService/GetEndpoint", &[Scope::WebhooksRead]),
    ("WebhookService/ListEndpoints", &[Scope::WebhooksRead]),
    ("WebhookService/UpdateEndpoint", &[Scope::WebhooksWrite]),
    ("WebhookService/DeleteEndpoint", &[Scope::WebhooksWrite]),
    ("WebhookService/DisableEndpoint", &[Scope::WebhooksWrite]),
    ("WebhookService/EnableEndpoint", &[Scope::WebhooksWrite]),
    ("WebhookService/RotateSecret", &[Scope::WebhooksWrite]),
    ("WebhookService/SendTest", &[Scope::WebhooksWrite]),
    ("WebhookService/ListDeliveries", &[Scope::WebhooksRead]),
    ("WebhookService/GetDelivery", &[Scope::WebhooksRead]),
    ("WebhookService/ReplayDelivery", &[Scope::WebhooksWrite]),
    ("WebhookService/ReplayDeliveries", &[Scope::WebhooksWrite]),
    ("MarketplaceSearchService/SearchItems", &[Scope::CatalogRead]),
];

/// Returns every method of the contract.
fn methods() -> Vec<String> {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("a descriptor set");
    let ours = files.file.iter().filter(|file| file.package() == "vintedbot.v1");
    ours.flat_map(|file| &file.service)
        .flat_map(|service| {
            service
                .method
                .iter()
                .map(|method| format!("{}/{}", service.name(), method.name()))
        })
        .collect()
}

/// Sends an empty message, which every method accepts as the start of a call.
async fn call(connection: &Connection, method: &str) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(connection.clone());
    client.ready().await.expect("connected");
    let path = PathAndQuery::try_from(format!("/vintedbot.v1.{method}")).expect("a path");
    client
        .unary(Request::new(()), path, ProstCodec::<(), ()>::default())
        .await
        .map(drop)
}

#[tokio::test]
async fn every_method_refuses_a_missing_or_wrong_token() {
    let instance = harness::start().await;
    let without = instance.connect_as(None).await;
    let wrong = instance.connect_as(Some("vb_wrong")).await;
    for method in methods() {
        let status = call(&without, &method).await.expect_err(&method);
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::Unauthenticated, "TOKEN_MISSING"),
            "{method}"
        );
        let status = call(&wrong, &method).await.expect_err(&method);
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::Unauthenticated, "TOKEN_INVALID"),
            "{method}"
        );
    }
    instance.stop().await;
}

#[tokio::test]
async fn every_method_refuses_a_token_that_lacks_its_scope() {
    let instance = harness::start().await;
    for method in methods() {
        let entry = SCOPES.iter().find(|(name, _)| *name == method);
        let (_, needed) = entry.unwrap_or_else(|| panic!("{method} is not in the table of scopes"));
        for lacking in *needed {
            let others: Vec<_> = Scope::ALL.into_iter().filter(|scope| scope != lacking).collect();
            let (_, secret) = instance.make_token(&others, None).await;
            let status = call(&instance.connect_as(Some(&secret)).await, &method)
                .await
                .expect_err(&method);
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::PermissionDenied, "INSUFFICIENT_SCOPE"),
                "{method}"
            );
        }
    }
    instance.stop().await;
}

#[tokio::test]
async fn token_with_only_the_required_scope_is_accepted() {
    let instance = harness::start().await;
    for (method, needed) in SCOPES {
        let scopes = if needed.is_empty() {
            &[Scope::EventsRead]
        } else {
            *needed
        };
        let (_, secret) = instance.make_token(scopes, None).await;
        let connection = instance.connect_as(Some(&secret)).await;
        // Watch answers with a stream that does not end. Every other method answers.
        let answered =
            tokio::time::timeout(std::time::Duration::from_secs(1), call(&connection, method)).await;
        if let Ok(Err(status)) = answered {
            let refused = [Code::Unauthenticated, Code::PermissionDenied].contains(&status.code());
            assert!(!refused, "{method}: {status:?}");
        }
    }
    instance.stop().await;
}

#[tokio::test]
async fn expired_and_revoked_tokens_have_different_reasons() {
    let instance = harness::start().await;
    let soon = instance.context.clock.now() + 200;
    let (_, expiring) = instance.make_token(&[Scope::EventsRead], Some(soon)).await;
    let (id, revoked) = instance.make_token(&[Scope::EventsRead], None).await;
    vintedbot_domain::identity::revoke_token(&instance.context, &instance.caller(), Revoke::of(id))
        .await
        .expect("revokes");
    let status = call(&instance.connect_as(Some(&revoked)).await, "AuthService/WhoAmI")
        .await
        .expect_err("revoked");
    assert_eq!(reason(&status), "TOKEN_INVALID");
    let connection = instance.connect_as(Some(&expiring)).await;
    let status = loop {
        match call(&connection, "AuthService/WhoAmI").await {
            Ok(()) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            Err(status) => break status,
        }
    };
    assert_eq!(reason(&status), "TOKEN_EXPIRED");
    instance.stop().await;
}

//! Links, endpoints and child tokens end with the token that created them, or move to its successor.

use std::sync::Arc;

use sea_orm::ConnectionTrait as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use vintedbot_domain::identity::{self, Scope};
use vintedbot_domain::keys::Purpose;
use vintedbot_domain::webhooks;
use vintedbot_proto::v1;
use vintedbot_proto::v1::auth_service_client::AuthServiceClient;
use vintedbot_proto::v1::media_service_client::MediaServiceClient;
use vintedbot_proto::v1::webhook_endpoint::{DisableReason, State};
use vintedbot_proto::v1::webhook_service_client::WebhookServiceClient;
use vintedbot_server::Config;

use crate::harness::{self, Instance, http, jpeg, reason};
use crate::publishing::{get, prepared};

async fn start() -> Instance {
    let config = Config {
        webhook_targets: Some(Arc::new(harness::Anywhere)),
        ..Config::default()
    };
    harness::start_with(config).await
}

/// Creates a token with the secret of another token.
async fn make(
    instance: &Instance,
    secret: &str,
    scopes: &[Scope],
    expire_time: Option<i64>,
) -> Result<v1::CreateApiTokenResponse, Status> {
    let request = v1::CreateApiTokenRequest {
        name: "test".to_owned(),
        scopes: scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        expire_time: expire_time.map(timestamp),
        ..Default::default()
    };
    let mut client = AuthServiceClient::new(instance.connect_as(Some(secret)).await);
    Ok(client.create_api_token(request).await?.into_inner())
}

fn timestamp(time: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.div_euclid(1000),
        nanos: i32::try_from(time.rem_euclid(1000)).expect("small") * 1_000_000,
    }
}

async fn id_and_secret(instance: &Instance, secret: &str, scopes: &[Scope]) -> (String, String) {
    let made = make(instance, secret, scopes, None).await.expect("is made");
    (made.api_token.expect("a token").id, made.secret)
}

async fn revoke(instance: &Instance, id: &str, successor_id: &str) -> Result<v1::ApiToken, Status> {
    let request = v1::RevokeApiTokenRequest {
        id: id.to_owned(),
        successor_id: successor_id.to_owned(),
        ..Default::default()
    };
    let mut client = AuthServiceClient::new(instance.connect().await);
    let answer = client.revoke_api_token(request).await?.into_inner();
    Ok(answer.api_token.expect("a token"))
}

async fn is_known(instance: &Instance, secret: &str) -> bool {
    let mut client = AuthServiceClient::new(instance.connect_as(Some(secret)).await);
    match client.get_me(v1::GetMeRequest {}).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(reason(&status), "TOKEN_INVALID");
            false
        }
    }
}

async fn endpoint(instance: &Instance, id: &str) -> v1::WebhookEndpoint {
    let mut client = WebhookServiceClient::new(instance.connect().await);
    let request = v1::GetEndpointRequest { id: id.to_owned() };
    let found = client.get_endpoint(request).await.expect("is there").into_inner();
    found.endpoint.expect("an endpoint")
}

/// What a test created with a token.
struct Made {
    endpoint_id: String,
    upload_url: String,
    media_url: String,
    preview_url: String,
}

impl Made {
    async fn with(instance: &Instance, secret: &str) -> Self {
        let connection = instance.connect_as(Some(secret)).await;
        let mut media = MediaServiceClient::new(connection.clone());
        let photo = v1::UploadPhotoRequest {
            data: jpeg(1).into(),
            ..Default::default()
        };
        let photo = media.upload_photo(photo).await.expect("is stored").into_inner();
        let upload = media.create_upload_url(v1::CreateUploadUrlRequest::default());
        let upload_url = upload.await.expect("is made").into_inner().url;
        let row = prepared(instance).await;
        let job = get(connection.clone(), &row.id).await;
        let request = v1::CreateEndpointRequest {
            endpoint: Some(v1::WebhookEndpoint {
                url: "https://example.org/hooks".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut client = WebhookServiceClient::new(connection);
        let made = client
            .create_endpoint(request)
            .await
            .expect("is made")
            .into_inner();
        Self {
            endpoint_id: made.endpoint.expect("an endpoint").id,
            upload_url,
            media_url: photo.photo.expect("a photo").url,
            preview_url: job.preview_url,
        }
    }

    /// Returns the status codes of its upload, media and preview URLs.
    async fn answers(&self) -> [u16; 3] {
        let client = http();
        let upload = client.put(&self.upload_url).body(jpeg(2)).send();
        let (media, preview) = (
            client.get(&self.media_url).send(),
            client.get(&self.preview_url).send(),
        );
        let (upload, media, preview) = futures::join!(upload, media, preview);
        [upload, media, preview].map(|answer| answer.expect("an answer").status().as_u16())
    }
}

#[tokio::test]
async fn child_token_expires_no_later_than_its_parent() {
    let instance = start().await;
    let own = instance.context.clock.now() + 60_000;
    let (parent_id, secret) = instance.make_token(&[Scope::AuthManage], Some(own)).await;
    let scopes = [Scope::AuthManage];

    let status = make(&instance, &secret, &scopes, Some(own + 1)).await;
    let status = status.expect_err("is refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_details_bad_request().expect("violations");
    assert_eq!(details.field_violations[0].field, "expire_time");

    let made = make(&instance, &secret, &scopes, None).await.expect("is made");
    let child = made.api_token.expect("a token");
    assert_eq!(child.expire_time, Some(timestamp(own)));
    assert_eq!(child.parent_id, parent_id);
    let grandchild = make(&instance, &made.secret, &scopes, None)
        .await
        .expect("is made");
    assert_eq!(
        grandchild.api_token.expect("a token").expire_time,
        Some(timestamp(own))
    );
    let sooner = make(&instance, &secret, &scopes, Some(own - 1))
        .await
        .expect("is made");
    assert_eq!(
        sooner.api_token.expect("a token").expire_time,
        Some(timestamp(own - 1))
    );
    instance.stop().await;
}

#[tokio::test]
async fn child_token_has_no_scope_that_its_parent_lacks() {
    let instance = start().await;
    let (_, secret) = instance
        .make_token(&[Scope::AuthManage, Scope::MediaRead], None)
        .await;
    let (_, child) = id_and_secret(&instance, &secret, &[Scope::AuthManage]).await;
    for (maker, scope) in [(&secret, Scope::MediaWrite), (&child, Scope::MediaRead)] {
        let status = make(&instance, maker, &[scope], None)
            .await
            .expect_err("is refused");
        assert_eq!(reason(&status), "SCOPE_NOT_GRANTABLE");
    }
    instance.stop().await;
}

#[tokio::test]
async fn revoked_token_ends_its_links_and_child_tokens() {
    let instance = start().await;
    let (id, secret) = id_and_secret(&instance, &instance.token, &Scope::ALL).await;
    let (_, child) = id_and_secret(&instance, &secret, &Scope::ALL).await;
    let (_, grandchild) = id_and_secret(&instance, &child, &Scope::ALL).await;
    let (_, other) = id_and_secret(&instance, &instance.token, &Scope::ALL).await;
    let made = [
        Made::with(&instance, &secret).await,
        Made::with(&instance, &grandchild).await,
    ];
    let unaffected = Made::with(&instance, &other).await;
    for made in &made {
        assert_eq!(made.answers().await, [200, 200, 200]);
    }

    revoke(&instance, &id, "").await.expect("is revoked");
    for secret in [&secret, &child, &grandchild] {
        assert!(!is_known(&instance, secret).await);
    }
    for made in &made {
        assert_eq!(made.answers().await, [403, 404, 404]);
        let endpoint = endpoint(&instance, &made.endpoint_id).await;
        assert_eq!(endpoint.state(), State::Disabled);
        assert_eq!(endpoint.disable_reason(), DisableReason::TokenEnded);
    }
    assert!(is_known(&instance, &other).await);
    assert_eq!(unaffected.answers().await, [200, 200, 200]);
    assert_eq!(
        endpoint(&instance, &unaffected.endpoint_id).await.state(),
        State::Enabled
    );

    let mut client = WebhookServiceClient::new(instance.connect_as(Some(&other)).await);
    let request = v1::EnableEndpointRequest {
        id: made[0].endpoint_id.clone(),
    };
    let enabled = client
        .enable_endpoint(request)
        .await
        .expect("is enabled")
        .into_inner();
    let enabled = enabled.endpoint.expect("an endpoint");
    assert_ne!(enabled.api_token_id, id, "it sends in the name of who enabled it");
    assert_eq!(enabled.state(), State::Enabled);
    instance.stop().await;
}

#[tokio::test]
async fn successor_token_adopts_what_a_revoked_token_created() {
    let instance = start().await;
    let (id, secret) = id_and_secret(&instance, &instance.token, &Scope::ALL).await;
    let (child_id, child) = id_and_secret(&instance, &secret, &[Scope::MediaRead]).await;
    let (successor_id, successor) =
        id_and_secret(&instance, &child_of(&instance, &secret).await, &Scope::ALL).await;
    let made = Made::with(&instance, &secret).await;
    let caller = identity::authenticate(&instance.context, Some(&secret)).await;
    let caller = caller.expect("is known");

    let (narrow_id, _) = id_and_secret(&instance, &instance.token, &[Scope::AuthManage]).await;
    for (wrong, expected) in [(&id, "VALIDATION_FAILED"), (&narrow_id, "SCOPE_NOT_GRANTABLE")] {
        let status = revoke(&instance, &id, wrong).await.expect_err("is refused");
        assert_eq!(reason(&status), expected);
    }
    assert!(is_known(&instance, &secret).await, "a refusal revokes nothing");

    revoke(&instance, &id, &successor_id).await.expect("is revoked");
    assert!(!is_known(&instance, &secret).await);
    let is_live = identity::is_live(&instance.context, &caller).await;
    assert!(!is_live.expect("answers"), "its streams end");
    assert!(is_known(&instance, &child).await && is_known(&instance, &successor).await);
    assert_eq!(made.answers().await, [200, 200, 200]);
    let passed_on = endpoint(&instance, &made.endpoint_id).await;
    assert_eq!(
        (passed_on.state(), &passed_on.api_token_id),
        (State::Enabled, &successor_id)
    );

    let mut client = AuthServiceClient::new(instance.connect().await);
    let all = client.list_api_tokens(v1::ListApiTokensRequest::default()).await;
    let all = all.expect("lists").into_inner().api_tokens;
    let parent = |id: &str| {
        let found = all.iter().find(|token| token.id == id);
        found.expect("is listed").parent_id.clone()
    };
    assert_eq!(parent(&child_id), successor_id);
    assert_eq!(parent(&successor_id), instance.token_id);

    revoke(&instance, &successor_id, "").await.expect("is revoked");
    assert!(!is_known(&instance, &child).await);
    assert_eq!(made.answers().await, [403, 404, 404]);
    assert_eq!(
        endpoint(&instance, &made.endpoint_id).await.state(),
        State::Disabled
    );
    instance.stop().await;
}

/// Returns the secret of a child token.
async fn child_of(instance: &Instance, secret: &str) -> String {
    id_and_secret(instance, secret, &Scope::ALL).await.1
}

#[tokio::test]
async fn links_and_endpoints_end_with_their_expired_token() {
    let instance = start().await;
    let own = instance.context.clock.now() + 30_000;
    let (id, secret) = instance.make_token(&Scope::ALL, Some(own)).await;
    let made = Made::with(&instance, &secret).await;
    let mut client = MediaServiceClient::new(instance.connect_as(Some(&secret)).await);
    let upload = client.create_upload_url(v1::CreateUploadUrlRequest::default());
    let upload = upload.await.expect("is made").into_inner();
    assert_eq!(
        upload.expire_time,
        Some(timestamp(own)),
        "the URL ends with the token"
    );

    let sql = format!("UPDATE api_tokens SET expire_time = 1 WHERE id = '{id}'");
    let writer = instance.context.store.writer();
    writer.execute_unprepared(&sql).await.expect("is written");
    assert_eq!(made.answers().await, [403, 404, 404]);
    let claims = webhooks::claim(&instance.context, &made.endpoint_id, 8, 1_000).await;
    assert!(claims.expect("looks").is_empty());
    let endpoint = endpoint(&instance, &made.endpoint_id).await;
    assert_eq!(endpoint.disable_reason(), DisableReason::TokenEnded);
    instance.stop().await;
}

#[tokio::test]
async fn media_links_of_a_preview_end_with_the_page() {
    let instance = start().await;
    let row = prepared(&instance).await;
    let job = get(instance.connect().await, &row.id).await;
    let until = |purpose, signed: &str| {
        let claims = instance.context.keys.verify(purpose, signed).expect("is signed");
        let claims: serde_json::Value = serde_json::from_str(&claims).expect("JSON");
        claims["expire_time"].as_i64().expect("a time")
    };
    let page_ends = until(
        Purpose::Preview,
        job.preview_url.rsplit('/').next().expect("a name"),
    );
    let made = page_ends - instance.context.settings.signed_url_ms;
    while instance.context.clock.now() <= made {
        tokio::task::yield_now().await;
    }
    let html = http().get(&job.preview_url).send().await.expect("answers");
    let html = html.text().await.expect("a page");
    let links: Vec<_> = html.split("src=\"/media/").skip(1).collect();
    assert!(!links.is_empty(), "{html}");
    for link in links {
        let signed = link.split('"').next().expect("a link");
        assert_eq!(until(Purpose::Media, signed), page_ends);
    }
    instance.stop().await;
}

//! The tokens of a session: refreshes, forged access tokens, and streams of an ended session.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message as _;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use tonic::{Status, Streaming};
use vintedbot_domain::identity::Role;
use vintedbot_proto::v1;
use vintedbot_proto::v1::event_service_client::EventServiceClient;
use vintedbot_server::Config;

use crate::harness::{self, Instance, reason};
use crate::people::{Client, client, credentials, person, sign_in};
use crate::web;

/// The time within which streams of an ended session end.
const SOON: Duration = Duration::from_secs(1);

async fn refresh(public: &mut Client, refresh_token: &str) -> Result<v1::SessionTokens, Status> {
    let request = v1::RefreshSessionRequest {
        refresh_token: refresh_token.to_owned(),
    };
    let refreshed = public.refresh_session(request).await?.into_inner();
    Ok(refreshed.tokens.expect("tokens"))
}

/// Returns the reason why an access token is refused. `None` if it is accepted.
async fn refusal(instance: &Instance, access_token: &str) -> Option<String> {
    let mut client = client(instance, Some(access_token)).await;
    let refused = client.get_me(v1::GetMeRequest {}).await.err();
    refused.map(|status| reason(&status))
}

async fn sessions(client: &mut Client) -> Vec<v1::UserSession> {
    let listed = client
        .list_user_sessions(v1::ListUserSessionsRequest::default())
        .await;
    listed.expect("lists").into_inner().sessions
}

#[tokio::test]
async fn refresh_token_two_generations_old_ends_the_session() {
    let instance = harness::start().await;
    person(&instance, "anna@example.com", Role::Viewer).await;
    let mut public = client(&instance, None).await;
    let first = sign_in(&instance, "anna@example.com").await;
    let second = refresh(&mut public, &first.refresh_token)
        .await
        .expect("refreshes");
    assert_ne!(second.refresh_token, first.refresh_token);
    let retried = refresh(&mut public, &first.refresh_token).await.expect("retries");
    assert_eq!(retried, second);
    let third = refresh(&mut public, &second.refresh_token)
        .await
        .expect("refreshes");
    assert_eq!(refusal(&instance, &third.access_token).await, None);

    let reused = refresh(&mut public, &first.refresh_token).await;
    assert_eq!(
        reason(&reused.expect_err("was used before")),
        "REFRESH_TOKEN_REUSED"
    );
    let ended = refusal(&instance, &third.access_token).await;
    assert_eq!(ended.as_deref(), Some("TOKEN_INVALID"));
    for token in [
        third.refresh_token.as_str(),
        "",
        "vbr_x",
        "vb_x",
        &third.access_token,
    ] {
        let refused = refresh(&mut public, token).await.expect_err("is refused");
        assert_eq!(reason(&refused), "REFRESH_TOKEN_INVALID", "{token}");
    }
    instance.stop().await;
}

/// Changes one value in a part of a token.
fn with(part: &str, key: &str, value: Value) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64");
    let mut changed: Value = serde_json::from_slice(&bytes).expect("JSON");
    changed[key] = value;
    URL_SAFE_NO_PAD.encode(changed.to_string())
}

#[tokio::test]
async fn forged_access_tokens_are_refused() {
    let instance = harness::start().await;
    person(&instance, "anna@example.com", Role::Owner).await;
    let genuine = sign_in(&instance, "anna@example.com").await.access_token;
    assert_eq!(refusal(&instance, &genuine).await, None);
    let parts: Vec<_> = genuine.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("{genuine}")
    };
    // The unit tests of `access_token` contain further forgeries.
    for forged in [
        format!("{}.{claims}.", with(header, "alg", json!("none"))),
        format!("{}.{claims}.{signature}", with(header, "alg", json!("HS256"))),
        format!("{header}.{}.{signature}", with(claims, "sub", json!("another"))),
        format!("{header}.{claims}"),
        format!("eyJ{}", "a".repeat(4_000)),
    ] {
        let refused = refusal(&instance, &forged).await;
        assert_eq!(refused.as_deref(), Some("TOKEN_INVALID"), "{forged}");
    }
    assert_eq!(refusal(&instance, &genuine).await, None);
    instance.stop().await;
}

/// Opens a Watch in a session and reads its first message.
async fn watch(instance: &Instance, tokens: &v1::SessionTokens) -> Streaming<v1::WatchResponse> {
    let connection = instance.connect_as(Some(&tokens.access_token)).await;
    let mut events = EventServiceClient::new(connection);
    let watched = events.watch(v1::WatchRequest::default()).await;
    let mut stream = watched.expect("begins").into_inner();
    stream.message().await.expect("continues").expect("a checkpoint");
    stream
}

/// Returns the reason why a stream ends soon.
async fn end(mut stream: Streaming<v1::WatchResponse>) -> String {
    let ending = async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a stream without a status"),
                Err(status) => return reason(&status),
            }
        }
    };
    tokio::time::timeout(SOON, ending).await.expect("ends soon")
}

#[tokio::test]
async fn watch_ends_when_its_session_is_ended_elsewhere() {
    let instance = harness::start().await;
    person(&instance, "anna@example.com", Role::Viewer).await;
    let watching = sign_in(&instance, "anna@example.com").await;
    let stream = watch(&instance, &watching).await;
    let own = sign_in(&instance, "anna@example.com").await;
    let mut other = client(&instance, Some(&own.access_token)).await;
    let listed = sessions(&mut other).await;
    assert_eq!(listed.len(), 2);
    let watching_id = listed
        .iter()
        .find(|session| !session.current)
        .expect("is listed")
        .id
        .clone();
    let request = v1::RevokeUserSessionRequest { id: watching_id };
    let revoked = other
        .revoke_user_session(request.clone())
        .await
        .expect("is ended");
    let revoked = revoked.into_inner().session.expect("a session");
    assert!(revoked.revoke_time.is_some() && !revoked.current);
    assert_eq!(end(stream).await, "TOKEN_INVALID");
    let again = other.revoke_user_session(request).await.expect("changes nothing");
    assert_eq!(again.into_inner().session, Some(revoked));

    let watching = sign_in(&instance, "anna@example.com").await;
    let stream = watch(&instance, &watching).await;
    let signed_out = other.sign_out(v1::SignOutRequest { everywhere: true }).await;
    signed_out.expect("signs out");
    assert_eq!(end(stream).await, "TOKEN_INVALID");
    let refused = refusal(&instance, &own.access_token).await;
    assert_eq!(refused.as_deref(), Some("TOKEN_INVALID"));
    instance.stop().await;
}

#[tokio::test]
async fn watch_continues_after_a_refresh_extended_its_session() {
    let instance = harness::start().await;
    person(&instance, "anna@example.com", Role::Viewer).await;
    let tokens = sign_in(&instance, "anna@example.com").await;
    let soon = instance.context.clock.now() + 2_000;
    let writer = instance.context.store.writer();
    let sql = format!("UPDATE user_sessions SET expire_time = {soon}");
    writer.execute_unprepared(&sql).await.expect("is written");
    let mut stream = watch(&instance, &tokens).await;
    let mut public = client(&instance, None).await;
    refresh(&mut public, &tokens.refresh_token)
        .await
        .expect("refreshes");
    let ended = tokio::time::timeout(Duration::from_secs(3), stream.message()).await;
    assert!(ended.is_err(), "{ended:?}");
    drop(stream);
    instance.stop().await;
}

#[tokio::test]
async fn session_of_another_person_cannot_be_ended() {
    let instance = harness::start().await;
    person(&instance, "anna@example.com", Role::Viewer).await;
    person(&instance, "ben@example.com", Role::Owner).await;
    let anna = sign_in(&instance, "anna@example.com").await;
    let ben = sign_in(&instance, "ben@example.com").await;
    let mut as_anna = client(&instance, Some(&anna.access_token)).await;
    let mut as_ben = client(&instance, Some(&ben.access_token)).await;
    let id = sessions(&mut as_anna).await[0].id.clone();
    let refused = as_ben
        .revoke_user_session(v1::RevokeUserSessionRequest { id })
        .await;
    assert_eq!(reason(&refused.expect_err("is not theirs")), "NOT_FOUND");
    assert_eq!(refusal(&instance, &anna.access_token).await, None);
    instance.stop().await;
}

#[tokio::test]
async fn forwarded_address_counts_from_a_trusted_proxy_only() {
    for (proxy, expected) in [("127.0.0.0/8", "198.51.100.7"), ("192.0.2.0/24", "127.0.0.1")] {
        let instance = harness::start_with(Config {
            trusted_proxies: vec![proxy.parse().expect("a network")],
            ..Config::default()
        })
        .await;
        person(&instance, "anna@example.com", Role::Viewer).await;
        let headers = [
            ("x-forwarded-for", "203.0.113.9, 198.51.100.7"),
            ("user-agent", "A browser"),
        ];
        let request = credentials("anna@example.com");
        let (_, _, message) =
            web::call_without_token(&instance, "AuthService/SignIn", &request, &headers).await;
        let signed_in = v1::SignInResponse::decode(&message[..]).expect("a message");
        let tokens = signed_in.tokens.expect("tokens");
        let mut client = client(&instance, Some(&tokens.access_token)).await;
        let listed = sessions(&mut client).await;
        assert_eq!(
            (listed[0].address.as_str(), listed[0].device.as_str()),
            (expected, "A browser")
        );
        instance.stop().await;
    }
}

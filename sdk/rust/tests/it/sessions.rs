//! Sessions: sign-in, and refreshes of the access token.

use std::time::Duration;

use futures::TryStreamExt as _;
use futures::future::{join_all, try_join_all};
use tonic::Code;
use vintedbot_sdk::v1::watch_response::{Checkpoint, Message};
use vintedbot_sdk::v1::{
    GetMeResponse, RefreshSessionRequest, RefreshSessionResponse, SessionTokens, SignInRequest,
    SignInResponse, WatchRequest, WatchResponse,
};
use vintedbot_sdk::{Error, ErrorReason};

use crate::server::{Answer, Call, Server, refusal};

const REFRESH: &str = "AuthService/RefreshSession";

fn tokens(number: u32) -> SessionTokens {
    SessionTokens {
        access_token: format!("access-{number}"),
        refresh_token: format!("refresh-{number}"),
        ..Default::default()
    }
}

fn refreshed() -> Answer {
    Answer::message(&RefreshSessionResponse {
        tokens: Some(tokens(2)),
    })
}

/// Answers a call, if it has the second access token. Refuses the first one as expired.
fn authenticated(call: &Call) -> Answer {
    match call.headers.get("authorization") {
        Some(value) if *value == "Bearer access-2" => match call.method.as_str() {
            "EventService/Watch" => Answer::message(&WatchResponse {
                cursor: "1".to_owned(),
                message: Some(Message::Checkpoint(Checkpoint { sequence: 1 })),
            }),
            _ => Answer::message(&GetMeResponse {
                workspace_id: "w".to_owned(),
                ..Default::default()
            }),
        },
        _ => refusal(Code::Unauthenticated, ErrorReason::TokenExpired, |_| {}),
    }
}

fn refreshes(server: &Server) -> Vec<Call> {
    let mut calls = server.calls();
    calls.retain(|call| call.method == REFRESH);
    calls
}

/// Waits until a condition holds.
async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .expect("it holds soon");
}

#[tokio::test]
async fn sign_in_returns_a_client_with_the_session() {
    let server = Server::start(|_, call| match call.method.as_str() {
        "AuthService/SignIn" => Answer::message(&SignInResponse {
            tokens: Some(tokens(2)),
            ..Default::default()
        }),
        _ => authenticated(call),
    })
    .await;
    let request = SignInRequest {
        email: "anna@example.com".to_owned(),
        use_cookies: true,
        ..Default::default()
    };
    let client = server.client().sign_in(request).await.expect("it is answered");
    let me = client.auth().get_me().await.expect("it is signed in");
    assert_eq!(me.workspace_id, "w");
    assert_eq!(client.session_tokens(), Some(tokens(2)));

    let sign_in = &server.calls()[0];
    assert!(!sign_in.headers.contains_key("authorization"));
    let sent: SignInRequest = sign_in.message();
    assert_eq!(
        (sent.email.as_str(), sent.use_cookies),
        ("anna@example.com", false)
    );
}

#[tokio::test]
async fn lost_sign_in_is_not_repeated() {
    let server = Server::start(|_, _| Answer::Cut(Vec::new())).await;
    let error = server.client().sign_in(SignInRequest::default()).await;
    assert!(matches!(error, Err(Error::Line(_))));
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn concurrent_calls_with_an_expired_token_refresh_once() {
    let server = Server::start(|_, call| match call.method.as_str() {
        REFRESH => refreshed(),
        _ => authenticated(call),
    })
    .await;
    let client = server.client().with_session(tokens(1)).expect("it can be sent");
    let auth = client.auth();
    try_join_all((0..50).map(|_| auth.get_me()))
        .await
        .expect("all are repeated");

    let refreshes = refreshes(&server);
    assert_eq!(refreshes.len(), 1);
    assert!(!refreshes[0].headers.contains_key("authorization"));
    assert_eq!(
        refreshes[0].message::<RefreshSessionRequest>().refresh_token,
        "refresh-1"
    );
    assert_eq!(client.session_tokens(), Some(tokens(2)));
}

#[tokio::test]
async fn lost_refresh_is_repeated_with_the_same_token() {
    let server = Server::start(|number, call| match (number, call.method.as_str()) {
        (2, _) => Answer::Cut(Vec::new()),
        (_, REFRESH) => refreshed(),
        _ => authenticated(call),
    })
    .await;
    let client = server.client().with_session(tokens(1)).expect("it can be sent");
    client.auth().get_me().await.expect("it is repeated");
    let sent: Vec<_> = refreshes(&server)
        .iter()
        .map(|call| call.message::<RefreshSessionRequest>().refresh_token)
        .collect();
    assert_eq!(sent, ["refresh-1", "refresh-1"]);
}

#[tokio::test]
async fn refresh_continues_without_its_cancelled_caller() {
    let server = Server::start(|number, call| match (number, call.method.as_str()) {
        (2, _) => Answer::Silence,
        (_, REFRESH) => refreshed(),
        _ => authenticated(call),
    })
    .await;
    let client = server.client().with_session(tokens(1)).expect("it can be sent");
    let auth = client.auth();
    let caller = tokio::spawn(async move { auth.get_me().await });
    until(|| !refreshes(&server).is_empty()).await;
    caller.abort();
    until(|| client.session_tokens() == Some(tokens(2))).await;
}

#[tokio::test]
async fn refused_refresh_ends_the_session_with_one_call() {
    let server = Server::start(|_, call| match call.method.as_str() {
        REFRESH => refusal(Code::Unauthenticated, ErrorReason::RefreshTokenReused, |_| {}),
        _ => authenticated(call),
    })
    .await;
    let client = server.client().with_session(tokens(1)).expect("it can be sent");
    let auth = client.auth();
    let mut outcomes = join_all((0..50).map(|_| auth.get_me())).await;
    outcomes.push(auth.get_me().await);
    for outcome in outcomes {
        let error = outcome.expect_err("the session has ended");
        assert_eq!(error.reason(), ErrorReason::RefreshTokenReused);
        assert!(matches!(error, Error::Refresh(_)), "{error:?}");
    }
    assert_eq!(refreshes(&server).len(), 1);
}

#[tokio::test]
async fn failed_refresh_is_tried_again_by_the_next_call() {
    let server = Server::start(|number, call| match (number, call.method.as_str()) {
        (2, _) => refusal(Code::Internal, ErrorReason::Internal, |_| {}),
        (_, REFRESH) => refreshed(),
        _ => authenticated(call),
    })
    .await;
    let client = server.client().with_session(tokens(1)).expect("it can be sent");
    let error = client.auth().get_me().await.expect_err("the refresh fails");
    assert_eq!(error.reason(), ErrorReason::Internal);
    client.auth().get_me().await.expect("the second refresh");
    assert_eq!(refreshes(&server).len(), 2);
}

#[tokio::test]
async fn watch_with_an_expired_token_opens_after_a_refresh() {
    let server = Server::start(|_, call| match call.method.as_str() {
        REFRESH => refreshed(),
        _ => authenticated(call),
    })
    .await;
    let client = server.client().with_session(tokens(1)).expect("it can be sent");
    let mut watch = client.events().watch(WatchRequest::default());
    let message = watch.try_next().await.expect("it is opened again");
    assert!(matches!(message, Some(Message::Checkpoint(_))));
    let methods: Vec<_> = server.calls().into_iter().map(|call| call.method).collect();
    assert_eq!(methods, ["EventService/Watch", REFRESH, "EventService/Watch"]);
}

#[tokio::test]
async fn token_that_cannot_be_sent_is_refused() {
    let server = Server::start(|_, call| authenticated(call)).await;
    let tokens = SessionTokens {
        access_token: "a\nb".to_owned(),
        ..Default::default()
    };
    assert!(matches!(server.client().with_session(tokens), Err(Error::Token)));
}

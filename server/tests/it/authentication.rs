//! Every method requires what the contract states: a token with its scopes, a signed-in person, or nothing.

use http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use vintedbot_domain::identity::{Revoke, Role, Scope};
use vintedbot_proto::authorization::{METHODS, Method};

use crate::harness::{self, Connection, reason};

const GET_ME: &str = "/vintedbot.v1.AuthService/GetMe";

fn is_public(method: &Method) -> bool {
    method.scopes == ["public"]
}

fn is_for_people(method: &Method) -> bool {
    method.scopes == ["person"]
}

/// Returns the scopes that an API token needs. Empty if each token suffices, or none.
fn scopes(method: &Method) -> Vec<Scope> {
    let names = method.scopes.iter();
    names.filter_map(|name| Scope::from_name(name)).collect()
}

/// Sends an empty message, which every method accepts as the start of a call.
async fn call(connection: &Connection, path: &'static str) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(connection.clone());
    client.ready().await.expect("connected");
    let path = PathAndQuery::from_static(path);
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
    for Method { path, .. } in METHODS.iter().filter(|method| !is_public(method)) {
        let status = call(&without, path).await.expect_err(path);
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::Unauthenticated, "TOKEN_MISSING"),
            "{path}"
        );
        let status = call(&wrong, path).await.expect_err(path);
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::Unauthenticated, "TOKEN_INVALID"),
            "{path}"
        );
    }
    instance.stop().await;
}

#[tokio::test]
async fn public_method_ignores_a_missing_or_wrong_token() {
    let instance = harness::start().await;
    let without = instance.connect_as(None).await;
    let wrong = instance.connect_as(Some("vb_wrong")).await;
    for Method { path, .. } in METHODS.iter().filter(|method| is_public(method)) {
        for connection in [&without, &wrong] {
            if let Err(status) = call(connection, path).await {
                let reason = reason(&status);
                let refusals = ["TOKEN_MISSING", "TOKEN_INVALID", "UNIMPLEMENTED"];
                assert!(!refusals.contains(&reason.as_str()), "{path}: {reason}");
            }
        }
    }
    instance.stop().await;
}

#[tokio::test]
async fn every_method_refuses_a_token_that_lacks_its_scope() {
    let instance = harness::start().await;
    for method in METHODS {
        for lacking in scopes(method) {
            let others: Vec<_> = Scope::ALL.into_iter().filter(|scope| *scope != lacking).collect();
            let (_, secret) = instance.make_token(&others, None).await;
            let status = call(&instance.connect_as(Some(&secret)).await, method.path)
                .await
                .expect_err(method.path);
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::PermissionDenied, "INSUFFICIENT_SCOPE"),
                "{}",
                method.path
            );
        }
    }
    instance.stop().await;
}

#[tokio::test]
async fn method_for_people_refuses_a_token_with_every_scope() {
    let instance = harness::start().await;
    let connection = instance.connect().await;
    for Method { path, .. } in METHODS.iter().filter(|method| is_for_people(method)) {
        let status = call(&connection, path).await.expect_err(path);
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::PermissionDenied, "PERSON_REQUIRED"),
            "{path}"
        );
    }
    instance.stop().await;
}

#[tokio::test]
async fn token_with_only_the_required_scope_is_accepted() {
    let instance = harness::start().await;
    for method in METHODS {
        if is_public(method) || is_for_people(method) {
            continue;
        }
        let mut scopes = scopes(method);
        if scopes.is_empty() {
            // A token has at least one scope.
            scopes.push(Scope::EventsRead);
        }
        let (_, secret) = instance.make_token(&scopes, None).await;
        let connection = instance.connect_as(Some(&secret)).await;
        // Watch answers with a stream that does not end. Every other method answers.
        let answered = call(&connection, method.path);
        let answered = tokio::time::timeout(std::time::Duration::from_secs(1), answered).await;
        if let Ok(Err(status)) = answered {
            let refused = [Code::Unauthenticated, Code::PermissionDenied].contains(&status.code());
            assert!(!refused, "{}: {status:?}", method.path);
        }
    }
    instance.stop().await;
}

#[test]
fn role_of_a_method_is_the_lowest_with_its_scopes() {
    for method in METHODS {
        if is_public(method) || is_for_people(method) {
            continue;
        }
        let name = method.role.as_str_name().trim_start_matches("ROLE_");
        let required = Role::from_name(name).expect(method.path);
        for role in Role::ALL {
            let has_scopes = scopes(method)
                .into_iter()
                .all(|scope| role.scopes().contains(scope));
            assert_eq!(
                role >= required,
                has_scopes,
                "{} and {}",
                method.path,
                role.name()
            );
        }
    }
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
    let status = call(&instance.connect_as(Some(&revoked)).await, GET_ME)
        .await
        .expect_err("revoked");
    assert_eq!(reason(&status), "TOKEN_INVALID");
    let connection = instance.connect_as(Some(&expiring)).await;
    let status = loop {
        match call(&connection, GET_ME).await {
            Ok(()) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            Err(status) => break status,
        }
    };
    assert_eq!(reason(&status), "TOKEN_EXPIRED");
    instance.stop().await;
}

//! Sessions: refresh, loss, misuse, and sign-in.

use reqwest::header::{SET_COOKIE, USER_AGENT};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Member, Rig};

const REFRESH: &str = "/web/api/auth/refresh";
const ME: &str = "/api/v2/users/current";

/// Refreshes the session and stores the new cookies, if any.
async fn refresh(member: &mut Member) -> StatusCode {
    let (status, fresh) = member.call(Method::POST, REFRESH, Value::Null).await;
    if status.is_success() {
        member.cookies["access_token_web"] = fresh["access_token"].clone();
        member.cookies["refresh_token_web"] = fresh["refresh_token"].clone();
    }
    status
}

async fn knows(member: &Member) -> bool {
    let (status, _) = member.call(Method::GET, ME, Value::Null).await;
    status.is_success()
}

#[tokio::test]
async fn refresh_ends_the_old_access_token_and_is_recorded() {
    let rig = Rig::start().await;
    let mut member = rig.member("lea").await;
    let before = member.cookies.clone();
    assert_eq!(refresh(&mut member).await, StatusCode::OK);
    assert!(knows(&member).await);
    member.cookies = before;
    assert!(!knows(&member).await);
    assert_eq!(refresh(&mut member).await, StatusCode::UNAUTHORIZED);
    let records = rig.records("session_refresh").await;
    let outcomes: Vec<_> = records
        .iter()
        .map(|record| (record["accepted"].clone(), record["member_id"].as_u64()))
        .collect();
    assert_eq!(
        outcomes,
        [(json!(true), Some(member.id)), (json!(false), Some(member.id))]
    );
}

#[tokio::test]
async fn refresh_token_reuse_ends_only_its_own_family() {
    let rig = Rig::start().await;
    let (mut member, other) = (rig.member("lea").await, rig.member("lea").await);
    let stolen = member.cookies.clone();
    refresh(&mut member).await;
    let newest = std::mem::replace(&mut member.cookies, stolen);
    assert_eq!(refresh(&mut member).await, StatusCode::UNAUTHORIZED);
    member.cookies = newest;
    assert!(!knows(&member).await);
    assert_eq!(refresh(&mut member).await, StatusCode::UNAUTHORIZED);
    assert!(knows(&other).await);
}

#[tokio::test]
async fn old_refresh_token_is_accepted_in_the_grace_period() {
    let rig = Rig::start().await;
    rig.admin(
        Method::POST,
        "settings",
        json!({"refresh_grace_ms": 60_000, "revoke_access_on_refresh": false}),
    )
    .await;
    let mut member = rig.member("lea").await;
    let old = member.cookies.clone();
    refresh(&mut member).await;
    member.cookies = old;
    assert!(knows(&member).await);
    assert_eq!(refresh(&mut member).await, StatusCode::OK);
    assert!(knows(&member).await);
}

#[tokio::test]
async fn lost_refresh_answer_consumes_the_token() {
    let rig = Rig::start().await;
    let mut member = rig.member("lea").await;
    rig.script(json!({"on": "refresh", "member": member.id, "times": 1, "do": "accept_then_cut"}))
        .await;
    assert!(member.try_call(Method::POST, REFRESH, Value::Null).await.is_err());
    assert_eq!(refresh(&mut member).await, StatusCode::UNAUTHORIZED);
    let accepted: Vec<_> = rig
        .records("session_refresh")
        .await
        .iter()
        .map(|record| record["accepted"].clone())
        .collect();
    assert_eq!(accepted, [true, false]);
}

#[tokio::test]
async fn member_rule_applies_to_refresh_after_expired_access() {
    let rig = Rig::start().await;
    rig.admin(Method::POST, "settings", json!({"access_token_ttl_s": -1}))
        .await;
    let mut member = rig.member("lea").await;
    rig.script(
        json!({"on": "refresh", "member": member.id, "times": 1, "do": {"challenge": "bot_check_on_call"}}),
    )
    .await;
    assert_eq!(refresh(&mut member).await, StatusCode::FORBIDDEN);
    assert_eq!(rig.count("session_refresh").await, 0);
    assert_eq!(refresh(&mut member).await, StatusCode::OK);
}

#[tokio::test]
async fn member_signs_in_with_password_and_out() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let sign_in = |password: &str| {
        rig.client
            .post(rig.url("/web/api/auth/oauth"))
            .header("x-csrf-token", &member.csrf)
            .json(&json!({"client_id": "web", "username": "lea", "password": password}))
            .send()
    };
    assert_eq!(
        sign_in("").await.expect("an answer").status(),
        StatusCode::UNAUTHORIZED
    );
    let answer = sign_in("secret").await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let set: Vec<_> = answer
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .map(|line| line.to_str().expect("text").to_owned())
        .collect();
    for name in ["access_token_web", "refresh_token_web", "_vinted_fr_session"] {
        let line = set.iter().find(|line| line.starts_with(name)).expect(name);
        assert!(line.contains("HttpOnly"), "{line}");
    }
    assert!(
        set.iter()
            .any(|line| line.starts_with("datadome=") && !line.contains("HttpOnly"))
    );
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["user_id"], member.id);

    let (status, _) = member
        .call(Method::POST, "/web/api/auth/logout", Value::Null)
        .await;
    assert_eq!(status, StatusCode::OK);
    assert!(!knows(&member).await);
}

#[tokio::test]
async fn bot_check_cookie_is_bound_to_one_user_agent() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    rig.script(json!({"on": "current_user", "times": 1, "do": "status_403"}))
        .await;
    let send = async |user_agent: &str, cookie: &str| {
        let request = member.request(Method::GET, ME).header(USER_AGENT, user_agent);
        let request = if cookie.is_empty() {
            request
        } else {
            request.header("cookie", cookie)
        };
        request.send().await.expect("an answer")
    };
    let challenged = send("Chromium", "").await;
    let line = challenged.headers()[SET_COOKIE]
        .to_str()
        .expect("text")
        .to_owned();
    let given = line.split(';').next().expect("a pair");
    send("Chromium", given).await;
    assert_eq!(rig.count("foreign_bot_cookie").await, 0);
    for _ in 0..2 {
        send("Another", given).await;
        send("Chromium", "cf_clearance=carried-over").await;
    }
    let borrowed_name = member
        .request(Method::GET, ME)
        .header(USER_AGENT, "Chromium")
        .header("sec-fetch-mode", "cors")
        .header("cookie", given);
    borrowed_name.send().await.expect("an answer");
    let foreign = rig.records("foreign_bot_cookie").await;
    let outcomes: Vec<_> = foreign
        .iter()
        .map(|record| (&record["cookie"], record["member_id"].as_u64()))
        .collect();
    assert_eq!(
        outcomes,
        [
            (&json!("datadome"), Some(member.id)),
            (&json!("cf_clearance"), Some(member.id)),
            (&json!("datadome"), Some(member.id))
        ]
    );
}

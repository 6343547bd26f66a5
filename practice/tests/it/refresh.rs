//! How sessions are renewed, lost and misused, and how a person signs in.

use reqwest::header::{SET_COOKIE, USER_AGENT};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Member, Rig};

const REFRESH: &str = "/web/api/auth/refresh";
const ME: &str = "/api/v2/users/current";

/// Refreshes, and takes over the new cookies where there are some.
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
async fn a_refresh_ends_the_access_token_of_before_and_both_outcomes_are_recorded() {
    let rig = Rig::start().await;
    let mut member = rig.member("lea").await;
    let before = member.cookies.clone();
    assert_eq!(refresh(&mut member).await, StatusCode::OK);
    assert!(knows(&member).await);
    member.cookies = before;
    assert!(!knows(&member).await);
    assert_eq!(refresh(&mut member).await, StatusCode::UNAUTHORIZED);
    let records = rig.records("session_refresh").await;
    let told: Vec<_> = records
        .iter()
        .map(|record| (record["accepted"].clone(), record["member_id"].as_u64()))
        .collect();
    assert_eq!(
        told,
        [(json!(true), Some(member.id)), (json!(false), Some(member.id))]
    );
}

#[tokio::test]
async fn a_second_use_of_a_refresh_token_ends_the_whole_family_but_no_other() {
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
async fn within_the_grace_an_old_token_passes_and_old_access_can_be_left_alone() {
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
async fn a_lost_answer_leaves_a_used_token_behind() {
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
async fn a_rule_for_a_member_strikes_a_refresh_whose_access_has_expired() {
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
async fn a_person_signs_in_with_a_name_and_a_password_and_out_again() {
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
async fn a_bot_checks_cookie_is_at_home_in_one_user_agent_only() {
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
    let foreign = rig.records("foreign_bot_cookie").await;
    let told: Vec<_> = foreign
        .iter()
        .map(|record| (&record["cookie"], record["member_id"].as_u64()))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("datadome"), Some(member.id)),
            (&json!("cf_clearance"), Some(member.id))
        ]
    );
}

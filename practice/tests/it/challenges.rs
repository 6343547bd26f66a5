//! Challenges, blocks and broken pages.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use serde_json::{Value, json};

use crate::rig::Rig;

const CALL: &str = "/api/v2/users/current";
const PAGE: &str = "/items/new";

/// Checks each challenge: status, header and part of the answer, first for a page and then for a call.
#[tokio::test]
async fn each_challenge_has_a_page_form_and_a_call_form() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    for (challenge, page, call) in [
        (
            "captcha_in_page",
            (200, "", "geo.captcha-delivery.com"),
            (200, "text/html", "captcha-delivery.com"),
        ),
        (
            "bot_check_on_call",
            (403, "", "datadome-captcha"),
            (403, "application/json", "geo.captcha-delivery.com"),
        ),
        (
            "cloudflare",
            (403, "", "Just a moment..."),
            (403, "text/html", "_cf_chl_opt"),
        ),
        (
            "second_factor",
            (200, "", "verification_code"),
            (403, "application/json", "\"code\":146"),
        ),
        (
            "account_verification",
            (303, "/users/verification/phone", ""),
            (403, "application/json", "\"code\":168"),
        ),
        (
            "login_lost",
            (303, "/member/signup/select_type?ref_url=%2Fitems%2Fnew", ""),
            (401, "application/json", "\"code\":21"),
        ),
        (
            "session_refresh",
            (303, "/session-refresh?ref_url=%2Fitems%2Fnew&stuck=1", ""),
            (401, "application/json", "\"code\":100"),
        ),
        (
            "rate_limit",
            (429, "", "Too many requests"),
            (429, "application/json", "rate_limited"),
        ),
        (
            "restriction",
            (200, "", "automated activity"),
            (403, "application/json", "\"code\":156"),
        ),
        (
            "broken_page",
            (404, "", "Sorry, something went wrong"),
            (500, "text/html", "something went wrong"),
        ),
        (
            "unknown_block",
            (403, "", "No entry"),
            (403, "application/json", "reference"),
        ),
        (
            "emptied_json",
            (200, "", "<main>\n\n</main>"),
            (200, "application/json", "\"user\":{}"),
        ),
    ] {
        rig.script(json!({"on": "any", "times": 2, "do": {"challenge": challenge}}))
            .await;
        let answer = member
            .try_call(Method::GET, PAGE, Value::Null)
            .await
            .expect("an answer");
        let (status, location, piece) = page;
        assert_eq!(answer.status(), status, "{challenge}");
        let target = answer.headers().get(LOCATION).map(|value| value.as_bytes());
        assert_eq!(target.unwrap_or_default(), location.as_bytes(), "{challenge}");
        let text = answer.text().await.expect("a page");
        assert!(text.contains(piece), "{challenge}: {text}");

        let answer = member
            .try_call(Method::GET, CALL, Value::Null)
            .await
            .expect("an answer");
        let (status, kind, piece) = call;
        assert_eq!(answer.status(), status, "{challenge}");
        assert!(
            answer.headers()[CONTENT_TYPE]
                .as_bytes()
                .starts_with(kind.as_bytes())
        );
        assert_eq!(
            answer.headers().contains_key("retry-after"),
            challenge == "rate_limit"
        );
        let text = answer.text().await.expect("a body");
        assert!(text.contains(piece), "{challenge}: {text}");
    }
    member.get(CALL).await;
}

#[tokio::test]
async fn challenge_uses_the_members_language() {
    let rig = Rig::start().await;
    for (language, words) in [("fr", "Trop de requêtes"), ("de", "Zu viele Anfragen")] {
        let member = rig
            .member_with(json!({"login": language, "language": language}))
            .await;
        rig.script(json!({"on": "home", "member": member.id, "do": {"challenge": "rate_limit"}}))
            .await;
        let (_, page) = member.call(Method::GET, "/", Value::Null).await;
        assert!(page.as_str().expect("a page").contains(words));
    }
}

#[tokio::test]
async fn challenged_request_has_no_effect() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = member.hoodie("Hoodie").await;
    for challenge in ["bot_check_on_call", "emptied_json", "second_factor"] {
        rig.script(json!({"on": "publish", "times": 1, "do": {"challenge": challenge}}))
            .await;
        member
            .call(Method::POST, "/api/v2/item_upload/items", json!({"item": item}))
            .await;
    }
    assert_eq!(rig.count("item_published").await, 0);
}

#[tokio::test]
async fn single_form_step_can_be_emptied() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    rig.script(json!({"on": "colors", "do": {"challenge": "emptied_json"}}))
        .await;
    let colors = member.get("/api/v2/item_upload/colors").await;
    assert_eq!(colors, json!({"colors": [], "code": 0}));
    let brands = member.get("/api/v2/item_upload/brands").await;
    assert_ne!(brands["brands"], json!([]));
}

#[tokio::test]
async fn pages_can_redirect_hang_download_or_drop() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    rig.script(json!({"on": "form", "times": 1, "do": "redirect_loop"}))
        .await;
    let mut target = PAGE.to_owned();
    for next in ["/redirect/there", "/redirect/back", "/redirect/there"] {
        let answer = member
            .try_call(Method::GET, &target, Value::Null)
            .await
            .expect("an answer");
        next.clone_into(&mut target);
        assert_eq!(answer.headers()[LOCATION], *next);
    }

    rig.script(json!({"on": "form", "times": 1, "do": "never_finishes"}))
        .await;
    let mut answer = member
        .try_call(Method::GET, PAGE, Value::Null)
        .await
        .expect("headers");
    let beginning = answer.chunk().await.expect("a piece").expect("something");
    assert!(beginning.starts_with(b"<!doctype html>"));
    let more = tokio::time::timeout(Duration::from_millis(200), answer.chunk()).await;
    assert!(more.is_err(), "nothing more comes");
    drop(answer);

    rig.script(json!({"on": "form", "times": 1, "do": "download"}))
        .await;
    let answer = member
        .try_call(Method::GET, PAGE, Value::Null)
        .await
        .expect("an answer");
    assert!(
        answer.headers()["content-disposition"]
            .as_bytes()
            .starts_with(b"attachment")
    );

    rig.script(json!({"on": "form", "times": 1, "do": "alert_box"}))
        .await;
    let (_, page) = member.call(Method::GET, PAGE, Value::Null).await;
    assert!(page.as_str().expect("a page").contains("alert("));

    let item = member.hoodie("Hoodie").await;
    rig.script(json!({"on": "publish", "times": 1, "do": "reset"}))
        .await;
    let answer = member
        .try_call(Method::POST, "/api/v2/item_upload/items", json!({"item": item}))
        .await;
    assert!(answer.is_err());
    assert_eq!(rig.count("item_published").await, 0);
}

#[tokio::test]
async fn form_has_its_overlay_and_mutations() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let mutation =
        json!({"attribute": "data-testid", "value": "image-wrapper-*", "how": "rename", "with": "pic-*"});
    rig.script(json!({"on": "form", "do": {"overlay_at": "submit", "mutate": [mutation]}}))
        .await;
    let (_, page) = member.call(Method::GET, PAGE, Value::Null).await;
    let page = page.as_str().expect("a page");
    assert!(page.contains(r#"self.practiceOverlayAt="submit""#), "{page}");
    let mutations = page.find("practiceMutations").expect("the mutations");
    assert!(mutations < page.find("<body").expect("a body"));
}

#[tokio::test]
async fn odd_shapes_add_unknown_fields_and_some_nulls() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    for title in ["One", "Two"] {
        member.save_draft(&member.hoodie(title).await).await;
    }
    rig.script(json!({"on": "wardrobe", "do": "odd_shapes"})).await;
    let rows = member.wardrobe().await;
    assert_eq!(rows[0]["brand"], "Nike");
    assert_eq!(
        (&rows[1]["brand"], &rows[1]["size"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(rows[1]["title"], "One");
    assert!(rows.iter().all(|row| row["practice_unknown"].is_object()));
}

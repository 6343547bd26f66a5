//! Sessions, tokens, languages.

use reqwest::header::LOCATION;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{HOODIES, Rig};

#[tokio::test]
async fn member_is_authenticated_by_cookies_or_bearer_token() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let me = member.get("/api/v2/users/current").await;
    assert_eq!(
        (me["user"]["id"].as_u64(), me["user"]["login"].as_str()),
        (Some(member.id), Some("lea"))
    );

    let url = rig.url("/api/v2/users/current");
    let token = member.cookies["access_token_web"].as_str().expect("a token");
    let bearer = rig
        .client
        .get(&url)
        .bearer_auth(token)
        .send()
        .await
        .expect("an answer");
    assert_eq!(bearer.status(), StatusCode::OK);
    let guest = rig.client.get(&url).send().await.expect("an answer");
    assert_eq!(guest.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(guest.json::<Value>().await.expect("JSON")["code"], 100);
}

#[tokio::test]
async fn same_login_is_the_same_member() {
    let rig = Rig::start().await;
    let (first, second) = (rig.member("lea").await, rig.member("lea").await);
    assert_eq!(first.id, second.id);
    assert_ne!(
        first.cookies["access_token_web"],
        second.cookies["access_token_web"]
    );
    first.get("/api/v2/users/current").await;
    assert_ne!(rig.member("max").await.id, first.id);
}

#[tokio::test]
async fn write_without_csrf_token_is_refused() {
    let rig = Rig::start().await;
    let mut member = rig.member("lea").await;
    let item = member.hoodie("Hoodie").await;
    member.csrf = "guessed".to_owned();
    let (status, body) = member
        .call(Method::POST, "/api/v2/item_upload/drafts", json!({"draft": item}))
        .await;
    assert_eq!(
        (status, body["code"].as_u64()),
        (StatusCode::FORBIDDEN, Some(106))
    );
    assert_eq!(rig.count("draft_saved").await, 0);
}

#[tokio::test]
async fn refresh_token_is_valid_once() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let (status, fresh) = member
        .call(Method::POST, "/web/api/auth/refresh", json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(fresh["access_token"], member.cookies["access_token_web"]);
    let (status, body) = member
        .call(Method::POST, "/web/api/auth/refresh", json!({}))
        .await;
    assert_eq!(
        (status, body["code"].as_u64()),
        (StatusCode::UNAUTHORIZED, Some(100))
    );
}

#[tokio::test]
async fn expired_session_redirects_to_refresh_and_none_to_sign_in() {
    let rig = Rig::start().await;
    rig.admin(Method::POST, "settings", json!({"access_token_ttl_s": -1}))
        .await;
    let member = rig.member("lea").await;
    let page = member
        .try_call(Method::GET, "/items/new", Value::Null)
        .await
        .expect("an answer");
    assert_eq!(
        page.headers()[LOCATION],
        "/session-refresh?ref_url=%2Fitems%2Fnew"
    );
    let guest = rig
        .client
        .get(rig.url("/items/new"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        guest.headers()[LOCATION],
        "/member/signup/select_type?ref_url=%2Fitems%2Fnew"
    );
}

#[tokio::test]
async fn sessions_items_photos_and_records_survive_a_restart() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let draft = member.save_draft(&member.hoodie("Hoodie").await).await;
    let before = rig.admin(Method::GET, "records", Value::Null).await;
    let (token, id) = (member.cookies["access_token_web"].clone(), member.id);

    let rig = rig.restart().await;
    assert_eq!(rig.admin(Method::GET, "records", Value::Null).await, before);
    let url = rig.url(&format!("/api/v2/item_upload/items/{draft}"));
    let answer = rig
        .client
        .get(url)
        .bearer_auth(token.as_str().expect("text"))
        .send()
        .await
        .expect("an answer");
    let item: Value = answer.json().await.expect("JSON");
    assert_eq!(
        (&item["item"]["title"], &item["item"]["user_id"]),
        (&json!("Hoodie"), &json!(id))
    );
    let photo = item["item"]["photos"][0]["id"].as_u64().expect("an id");
    let photo = rig
        .client
        .get(rig.url(&format!("/photos/{photo}/f800")))
        .send()
        .await
        .expect("an answer");
    assert_eq!(photo.bytes().await.expect("bytes"), crate::rig::png());
}

#[tokio::test]
async fn names_are_in_the_requested_language() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let path = format!("/api/v2/item_upload/conditions?catalog_id={HOODIES}");
    for (locale, good) in [("fr-FR", "Bon état"), ("en-GB", "Good")] {
        let answer = member
            .request(Method::GET, &path)
            .header("locale", locale)
            .send()
            .await
            .expect("an answer");
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["conditions"][3], json!({"id": 3, "title": good}));
    }
    let page = member
        .try_call(Method::GET, "/items/new", Value::Null)
        .await
        .expect("an answer");
    assert!(page.text().await.expect("text").contains("Save draft"));
}

#[tokio::test]
async fn category_without_sizes_has_a_page_but_no_size_groups() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let catalogs = member.get("/api/v2/item_upload/catalogs").await;
    let entertainment = catalogs["catalogs"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|root| root["id"] == 2309);
    let novels = &entertainment.expect("a root")["catalogs"][0]["catalogs"][0]["id"];
    let path = format!("/api/v2/item_upload/size_groups?catalog_ids={novels}");
    let (status, body) = member.call(Method::GET, &path, Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.is_string(), "{body}");
}

#[tokio::test]
async fn a_web_page_cannot_reach_the_admin_api() {
    let rig = Rig::start().await;
    let url = rig.url("/_practice/records");
    for (name, value) in [("origin", "https://example.invalid"), ("host", "example.invalid")] {
        let answer = rig
            .client
            .get(&url)
            .header(name, value)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{name}");
    }
}

//! Appearance settings of a member's pages.

use reqwest::header::LOCATION;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Member, Rig};

async fn page(member: &Member, path: &str) -> String {
    let (status, page) = member.call(Method::GET, path, Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    page.as_str().expect("a page").to_owned()
}

#[tokio::test]
async fn member_settings_override_site_settings() {
    let rig = Rig::start().await;
    rig.admin(Method::POST, "settings", json!({"pages": {"markup": "2026-05"}}))
        .await;
    let old = rig
        .member_with(json!({"login": "old", "pages": {"markup": "2023"}}))
        .await;
    let rest = rig.member("rest").await;
    let form = page(&old, "/items/new").await;
    assert!(form.contains(r#"id="catalog_id""#) && !form.contains("media-"));
    let form = page(&rest, "/items/new").await;
    assert!(form.contains(r#"data-testid="media-select""#) && form.contains(r#"id="category""#));

    let again = rig.member_with(json!({"login": "old"})).await;
    assert!(page(&again, "/items/new").await.contains("catalog_id"));
}

#[tokio::test]
async fn default_form_is_the_current_one() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let form = page(&member, "/items/new").await;
    for piece in [
        r#"data-testid="media-upload""#,
        r#"data-testid="media-upload-grid""#,
        r#"id="category" name="category" data-testid="catalog-select-dropdown-input""#,
        r#""base":"category-size-single-grid_chips""#,
        r#"data-testid="upload-form-save-draft-button""#,
    ] {
        assert!(form.contains(piece), "{piece}");
    }
    assert!(!form.contains("onetrust") && !form.contains("domain-select-modal"));
}

#[tokio::test]
async fn unknown_appearance_settings_are_refused() {
    let rig = Rig::start().await;
    let request = rig
        .client
        .post(rig.url("/_practice/members"))
        .json(&json!({"login": "lea", "pages": {"sparkle": true}}));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn banner_and_dialog_cover_every_page_until_dismissed() {
    let rig = Rig::start().await;
    let mut member = rig
        .member_with(json!({"login": "lea", "pages": {"cookie_banner": true, "country_dialog": true}}))
        .await;
    for path in ["/", "/items/new"] {
        let page = page(&member, path).await;
        assert!(page.contains("onetrust-accept-btn-handler"), "{path}");
        assert!(page.contains("domain-select-modal-close-button"), "{path}");
    }
    member.cookies["OptanonAlertBoxClosed"] = json!("2026-11-20T10:00:00.000Z");
    member.cookies["domain_selected"] = json!("true");
    let page = page(&member, "/").await;
    assert!(!page.contains("onetrust-banner-sdk") && !page.contains("domain-select-modal"));
}

#[tokio::test]
async fn form_can_require_following_the_link() {
    let rig = Rig::start().await;
    let member = rig
        .member_with(json!({"login": "lea", "pages": {"sell_link_only": true}}))
        .await;
    let visit = async |site: &str, user: &str| {
        let request = member
            .request(Method::GET, "/items/new")
            .header("sec-fetch-site", site)
            .header("sec-fetch-user", user);
        request.send().await.expect("an answer")
    };
    assert_eq!(visit("none", "?1").await.headers()[LOCATION], "/");
    assert_eq!(visit("same-origin", "?0").await.headers()[LOCATION], "/");
    assert_eq!(visit("same-origin", "?1").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn site_suggests_categories_for_photos() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let (_, photo) = member.upload(crate::rig::png()).await;
    let path = format!(
        "/api/v2/item_upload/suggestions/categories?photo_ids={}",
        photo["id"]
    );
    let suggested = member.get(&path).await;
    let ids: Vec<_> = suggested["catalogs"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["id"].as_u64().expect("an id"))
        .collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(member.get(&path).await, suggested);
}

#[tokio::test]
async fn every_referenced_page_script_exists() {
    let rig = Rig::start().await;
    for path in ["site.js", "site.css", "mutate.js", "form.js"] {
        let answer = rig
            .client
            .get(rig.url(&format!("/assets/{path}")))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let text = answer.text().await.expect("text");
        for part in text.split("from \"./").skip(1) {
            let part = part.split('"').next().expect("a path");
            let part = rig.url(&format!("/assets/{part}"));
            let answer = rig.client.get(part).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK);
        }
    }
}

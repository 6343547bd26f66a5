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
async fn form_parts_have_their_captured_names() {
    let rig = Rig::start().await;
    for (script, names) in [
        (
            "photos.js",
            &["`media-select-grid-${name}-button-${n}`", "`image-wrapper-${n}`"][..],
        ),
        (
            "attributes.js",
            &[
                "id: `package-size-${one.id}`",
                "`condition-${one.id}--title`",
                "`${named}-checkbox-${one.id}`",
            ][..],
        ),
        ("category.js", &["id: `${one.id}-catalog-suggestion-radio`"][..]),
        (
            "brand.js",
            &["id: \"custom-select-brand-radio\"", "\"brand-popular-label\""][..],
        ),
        (
            "dom.js",
            &["\"c-input__note\"", "\"web_ui__Validation__warning\""][..],
        ),
    ] {
        let answer = rig
            .client
            .get(rig.url(&format!("/assets/form/{script}")))
            .send()
            .await
            .expect("an answer");
        let text = answer.text().await.expect("text");
        for name in names {
            assert!(text.contains(*name), "{script}: {name}");
        }
    }
}

#[tokio::test]
async fn form_of_may_2026_has_older_buttons() {
    let rig = Rig::start().await;
    let older = rig
        .member_with(json!({"login": "older", "pages": {"markup": "2026-05"}}))
        .await;
    let current = rig.member("current").await;
    for (member, is_older) in [(&older, true), (&current, false)] {
        let form = page(member, "/items/new").await;
        let link = form.contains("prohibited-listing-education-upload-button");
        let button = form.contains("media-select-upload-button");
        assert_eq!((link, button), (!is_older, !is_older));
        assert!(form.contains("add-photos-icon-button") && form.contains(r#"href="/items/new""#));
    }
}

#[tokio::test]
async fn address_without_an_item_or_member_is_not_found() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    for (path, is_marked) in [
        ("/items/999999", true),
        ("/member/999999", true),
        ("/items/999999/edit", false),
    ] {
        let (status, page) = member.call(Method::GET, path, Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        let page = page.as_str().expect("a page");
        assert_eq!(
            page.contains(r#"data-testid="page-not-found""#),
            is_marked,
            "{path}"
        );
    }
}

#[tokio::test]
async fn own_card_shows_views_and_its_link_all_facts() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let item = member.hoodie("Hoodie").await;
    let (_, body) = member
        .call(Method::POST, "/api/v2/item_upload/items", json!({"item": item}))
        .await;
    let id = &body["item"]["id"];
    let path = format!("/member/{}", member.id);
    let own = page(&member, &path).await;
    let title = format!(r#"data-testid="product-item-id-{id}--overlay-link" title="Hoodie, Nike, Good, "#);
    assert!(own.contains(&title) && own.contains("29,50"), "{own}");
    let views = format!(r#"data-testid="product-item-id-{id}--description-title">0<"#);
    assert!(own.contains(&views), "{own}");
    let other = page(&rig.member("max").await, &path).await;
    let brand = format!(r#"data-testid="product-item-id-{id}--description-title">Nike<"#);
    assert!(other.contains(&brand), "{other}");
}

#[tokio::test]
async fn search_does_not_find_no_brand_by_its_name() {
    let rig = Rig::start().await;
    let member = rig.member("lea").await;
    let has_none = async |query: &str| {
        let found = member.get(&format!("/api/v2/item_upload/brands{query}")).await;
        let brands = found["brands"].as_array().expect("a list").clone();
        brands.iter().any(|brand| brand["id"] == 1)
    };
    assert!(has_none("").await);
    assert!(has_none("?keyword=").await);
    assert!(!has_none("?keyword=No%20brand").await);
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

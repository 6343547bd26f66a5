//! Reads over the web session.

use serde_json::json;
use vintedbot_marketplace::catalog::NO_BRAND;
use vintedbot_marketplace::challenge::Kind;
use vintedbot_marketplace::{Error, Language, Marketplace};

use crate::site::{Site, account_context};

#[tokio::test]
async fn catalog_has_all_leaves_in_the_accounts_language() {
    let site = Site::start().await;
    let connector = site.plain();
    for (language, name) in [(Language::Fr, "Hommes"), (Language::En, "Men")] {
        let catalog = connector
            .catalog(&account_context(language))
            .await
            .expect("the catalog is read");
        let men = catalog
            .categories
            .iter()
            .find(|category| category.id == 5)
            .expect("a root");
        assert_eq!(
            (men.name.as_str(), men.parent_id, men.fields.is_some()),
            (name, None, false)
        );
        let leaves: Vec<_> = catalog
            .categories
            .iter()
            .filter_map(|category| category.fields.as_ref())
            .collect();
        assert!(leaves.len() > 20);
        assert!(
            leaves
                .iter()
                .all(|leaf| leaf.condition.is_some() && leaf.package_size.is_some())
        );
        assert!(
            leaves.iter().any(|leaf| leaf.size.is_none()),
            "some categories have no sizes"
        );
        let sizes = leaves.iter().filter_map(|leaf| leaf.size.as_ref());
        assert!(
            sizes
                .clone()
                .all(|size| size.required && !size.options.is_empty())
        );
        assert!(catalog.brands.len() > 50 && catalog.brands.iter().any(|brand| brand.id == NO_BRAND));
        assert!(!catalog.materials.is_empty() && catalog.colors.len() > 10 && catalog.conditions.len() >= 5);
    }
}

#[tokio::test]
async fn wardrobe_read_covers_all_pages_drafts_and_hidden_items() {
    let site = Site::start().await;
    let connector = site.plain();
    let account_context = account_context(Language::Fr);
    assert!(
        connector
            .wardrobe(&account_context)
            .await
            .expect("an empty wardrobe")
            .is_empty()
    );
    let member = connector.member(&account_context).await.expect("a member");
    let member_id: u64 = member.id.parse().expect("a number");
    for number in 0..200 {
        let item = json!({ "title": format!("Pull {number}"), "price": "12.5", "catalog_id": 7029 });
        let is_draft = number == 150;
        let body =
            json!({ "member_id": member_id, "item": item, "is_draft": is_draft, "is_hidden": number == 3 });
        site.admin("POST", "items", body).await;
    }
    let items = connector
        .wardrobe(&account_context)
        .await
        .expect("a complete reading");
    assert_eq!(items.len(), 200);
    assert_eq!(items.iter().filter(|item| item.is_draft).count(), 1);
    assert_eq!(items.iter().filter(|item| item.is_hidden).count(), 1);
    assert!(
        items
            .iter()
            .all(|item| item.price.minor_units == 1250 && item.price.currency == "EUR")
    );

    let draft = items.iter().find(|item| item.is_draft).expect("one draft");
    let read = connector
        .item(&account_context, &draft.id)
        .await
        .expect("an answer")
        .expect("it is there");
    assert_eq!(
        (read.title.as_str(), read.is_draft, read.category_id),
        ("Pull 150", true, Some(7029))
    );
    assert!(
        connector
            .item(&account_context, "999999")
            .await
            .expect("an answer")
            .is_none()
    );
}

#[tokio::test]
async fn challenge_on_a_call_is_an_error_with_evidence() {
    let site = Site::start().await;
    let connector = site.plain();
    let account_context = account_context(Language::En);
    connector
        .member(&account_context)
        .await
        .expect("no challenge yet");
    site.script(json!({ "on": "wardrobe", "do": "status_403", "times": 1 }))
        .await;
    match connector.wardrobe(&account_context).await {
        Err(Error::Challenge { verdict, evidence }) => {
            assert_eq!(verdict.kind, Kind::CaptchaOnCall);
            assert!(evidence.page_text.contains("captcha-delivery"), "{evidence:?}");
        }
        other => panic!("{other:?}"),
    }
    site.script(json!({ "on": "wardrobe", "do": "captcha_page", "times": 1 }))
        .await;
    assert!(matches!(
        connector.wardrobe(&account_context).await,
        Err(Error::Challenge { .. })
    ));
    connector
        .wardrobe(&account_context)
        .await
        .expect("the challenge has passed");
}

#[tokio::test]
async fn expired_session_is_renewed_once() {
    let site = Site::start().await;
    let connector = site.plain();
    let account_context = account_context(Language::En);
    site.admin("POST", "settings", json!({ "access_token_ttl_s": 1 }))
        .await;
    let first = connector.member(&account_context).await.expect("signed in");
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    site.admin("POST", "settings", json!({ "access_token_ttl_s": 60 }))
        .await;
    assert_eq!(
        connector.member(&account_context).await.expect("signed in again"),
        first
    );
}

#[tokio::test]
async fn account_of_another_site_has_no_session() {
    let site = Site::start().await;
    let mut account_context = account_context(Language::Fr);
    account_context.site = "vinted.fr".to_owned();
    assert!(
        matches!(site.plain().member(&account_context).await, Err(Error::NoSession(site)) if site == "vinted.fr")
    );
}

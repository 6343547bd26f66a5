//! What is read through the web session.

use serde_json::json;
use vintedbot_marketplace::catalog::NO_BRAND;
use vintedbot_marketplace::challenge::Kind;
use vintedbot_marketplace::{Error, Language, Marketplace};

use crate::site::{Site, seat};

#[tokio::test]
async fn the_catalog_holds_every_leaf_with_its_choices_in_the_seats_language() {
    let site = Site::start().await;
    let connector = site.plain();
    for (language, name) in [(Language::Fr, "Hommes"), (Language::En, "Men")] {
        let catalog = connector
            .catalog(&seat(language))
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
async fn the_wardrobe_is_read_over_all_its_pages_with_drafts_and_hidden_items() {
    let site = Site::start().await;
    let connector = site.plain();
    let seat = seat(Language::Fr);
    assert!(
        connector
            .wardrobe(&seat)
            .await
            .expect("an empty wardrobe")
            .is_empty()
    );
    let member = connector.member(&seat).await.expect("a member");
    let member_id: u64 = member.id.parse().expect("a number");
    for number in 0..200 {
        let item = json!({ "title": format!("Pull {number}"), "price": "12.5", "catalog_id": 7029 });
        let is_draft = number == 150;
        let body =
            json!({ "member_id": member_id, "item": item, "is_draft": is_draft, "is_hidden": number == 3 });
        site.admin("POST", "items", body).await;
    }
    let items = connector.wardrobe(&seat).await.expect("a complete reading");
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
        .item(&seat, &draft.id)
        .await
        .expect("an answer")
        .expect("it is there");
    assert_eq!(
        (read.title.as_str(), read.is_draft, read.category_id),
        ("Pull 150", true, Some(7029))
    );
    assert!(
        connector
            .item(&seat, "999999")
            .await
            .expect("an answer")
            .is_none()
    );
}

#[tokio::test]
async fn a_challenge_on_a_call_is_an_error_with_evidence() {
    let site = Site::start().await;
    let connector = site.plain();
    let seat = seat(Language::En);
    connector.member(&seat).await.expect("no challenge yet");
    site.script(json!({ "on": "wardrobe", "do": "status_403", "times": 1 }))
        .await;
    match connector.wardrobe(&seat).await {
        Err(Error::Challenge { verdict, evidence }) => {
            assert_eq!(verdict.kind, Kind::CaptchaOnCall);
            assert!(evidence.page_text.contains("captcha-delivery"), "{evidence:?}");
        }
        other => panic!("{other:?}"),
    }
    site.script(json!({ "on": "wardrobe", "do": "captcha_page", "times": 1 }))
        .await;
    assert!(matches!(
        connector.wardrobe(&seat).await,
        Err(Error::Challenge { .. })
    ));
    connector.wardrobe(&seat).await.expect("the challenge has passed");
}

#[tokio::test]
async fn a_session_that_ran_out_is_renewed_once() {
    let site = Site::start().await;
    let connector = site.plain();
    let seat = seat(Language::En);
    site.admin("POST", "settings", json!({ "access_token_ttl_s": 1 }))
        .await;
    let first = connector.member(&seat).await.expect("signed in");
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    site.admin("POST", "settings", json!({ "access_token_ttl_s": 60 }))
        .await;
    assert_eq!(connector.member(&seat).await.expect("signed in again"), first);
}

#[tokio::test]
async fn another_site_has_no_session() {
    let site = Site::start().await;
    let mut seat = seat(Language::Fr);
    seat.site = "vinted.fr".to_owned();
    assert!(matches!(site.plain().member(&seat).await, Err(Error::NoSession(site)) if site == "vinted.fr"));
}

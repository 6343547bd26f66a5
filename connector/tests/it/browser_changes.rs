//! Changes of published items through a real Chromium.

use serde_json::{Value, json};
use vintedbot_connector::Connector;
use vintedbot_marketplace::{
    AccountContext, ChangeKind, Ending, Error, FillStep, ItemContent, Language, ListingFormDriver,
    ListingFormRequest, Marketplace, PhotoFile, WriteError,
};

use crate::site::{Allowed, Forbidden, Site, Steps, account_context, content, photos};

struct OnSale {
    site: Site,
    connector: Connector,
    account_context: AccountContext,
    content: ItemContent,
    id: String,
}

/// Publishes an item without a browser.
async fn on_sale(language: Language, pages: Value) -> OnSale {
    let site = Site::start().await;
    let account_context = account_context(language);
    site.pages(&account_context, pages).await;
    let photos = photos(2);
    let plain = site.plain();
    let content = content(&plain, &account_context, &photos).await;
    let mut form_driver = plain
        .compose(&account_context, site.request(content.clone(), photos))
        .await
        .expect("an attempt");
    form_driver.fill(&Steps::default()).await.expect("a filled form");
    let saved = form_driver.save_draft(&Allowed).await.expect("a saved draft");
    let draft = saved.remote_id.expect("an id");
    form_driver
        .open_draft(&draft, &Steps::default())
        .await
        .expect("an open draft");
    let published = form_driver.publish(&Allowed).await.expect("published");
    form_driver.quit().await;
    let connector = site.browser();
    OnSale {
        site,
        connector,
        account_context,
        content,
        id: published.remote_id.expect("an id"),
    }
}

impl OnSale {
    async fn form_driver(
        &self,
        content: &ItemContent,
        photos: Option<Vec<PhotoFile>>,
    ) -> Box<dyn ListingFormDriver> {
        let request = ListingFormRequest {
            keeps_photos: photos.is_none(),
            ..self.site.request(content.clone(), photos.unwrap_or_default())
        };
        self.connector
            .compose(&self.account_context, request)
            .await
            .expect("a browser")
    }
}

#[tokio::test]
async fn price_and_text_change_touches_nothing_else() {
    let item = on_sale(Language::Fr, json!({})).await;
    let mut content = item.content.clone();
    content.price.minor_units = 1990;
    content.title = "Sweat gris, baisse de prix".to_owned();
    content.photo_sha256s.clear();
    let mut form_driver = item.form_driver(&content, None).await;
    let steps = Steps::default();
    let filled = form_driver
        .open_item(&item.id, ChangeKind::Edit, &steps)
        .await
        .expect("an open item");
    assert_eq!(filled.read_back.len(), 11);
    assert_eq!(
        *steps.reached.lock().await,
        [
            FillStep::SignedIn,
            FillStep::FormOpened,
            FillStep::TitleFilled,
            FillStep::PriceFilled,
            FillStep::ReadBack,
            FillStep::ScreenshotTaken
        ]
    );
    let refused = form_driver.change(&Forbidden).await;
    assert!(matches!(refused, Err(WriteError::NotSent(_))), "{refused:?}");
    assert!(item.site.records("item_edited").await.is_empty());
    let again = form_driver.change(&Allowed).await;
    assert!(
        matches!(again, Err(WriteError::NotSent(_))),
        "a page is used up by its click"
    );
    form_driver
        .open_item(&item.id, ChangeKind::Edit, &Steps::default())
        .await
        .expect("an open item");
    form_driver.change(&Allowed).await.expect("saved");
    assert_eq!(form_driver.quit().await, Ending::Ended);
    let records = item.site.records("item_edited").await;
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["title"], &records[0]["price_minor"]),
        (&json!(content.title), &json!(1990))
    );
    assert_eq!(records[0]["description"], content.description);
    assert_eq!(records[0]["photo_sha256s"], json!(item.content.photo_sha256s));
    assert_eq!(records[0]["trusted"], true);
}

#[tokio::test]
async fn new_photos_category_and_colours_replace_old_ones() {
    let overlaid = json!({ "markup": "2023", "cookie_banner": true, "country_dialog": true });
    let suggesting = json!({ "color_suggestions": true, "choice_notes": true });
    for pages in [overlaid, suggesting] {
        photos_and_colours_are_replaced(pages).await;
    }
}

async fn photos_and_colours_are_replaced(pages: Value) {
    let item = on_sale(Language::De, pages).await;
    let fresh: Vec<PhotoFile> = photos(4).split_off(2);
    let mut content = item.content.clone();
    content.photo_sha256s = fresh.iter().map(|photo| photo.sha256.clone()).collect();
    content.colors.truncate(1);
    content.description = "Neue Beschreibung.".to_owned();
    let mut form_driver = item.form_driver(&content, Some(fresh)).await;
    form_driver
        .open_item(&item.id, ChangeKind::Edit, &Steps::default())
        .await
        .expect("an open item");
    form_driver.change(&Allowed).await.expect("saved");
    form_driver.quit().await;
    let records = item.site.records("item_edited").await;
    assert_eq!(records[0]["photo_sha256s"], json!(content.photo_sha256s));
    assert_eq!(records[0]["color_ids"], json!([content.colors[0].id]));
    assert_eq!(records[0]["description"], content.description);
}

#[tokio::test]
async fn hide_unhide_and_delete_take_one_click_each() {
    let item = on_sale(Language::En, json!({ "cookie_banner": true })).await;
    for (kind, is_hidden) in [(ChangeKind::Hide, true), (ChangeKind::Unhide, false)] {
        let mut form_driver = item.form_driver(&item.content, None).await;
        form_driver
            .open_item(&item.id, kind, &Steps::default())
            .await
            .expect("the item's page");
        form_driver.change(&Allowed).await.expect("changed");
        form_driver.quit().await;
        let now = item
            .connector
            .item(&item.account_context, &item.id)
            .await
            .expect("a reading");
        assert_eq!(now.expect("it is there").is_hidden, is_hidden);
        if kind == ChangeKind::Hide {
            let mut form_driver = item.form_driver(&item.content, None).await;
            let again = form_driver
                .open_item(&item.id, kind, &Steps::default())
                .await
                .expect_err("it is hidden already");
            assert!(matches!(&again, Error::Mismatch { field, .. } if field == "is_hidden"));
            form_driver.quit().await;
        }
    }
    let mut form_driver = item.form_driver(&item.content, None).await;
    form_driver
        .open_item(&item.id, ChangeKind::Delete, &Steps::default())
        .await
        .expect("the item's page");
    let refused = form_driver.change(&Forbidden).await;
    assert!(matches!(refused, Err(WriteError::NotSent(_))), "{refused:?}");
    assert!(item.site.records("item_deleted").await.is_empty());
    form_driver
        .open_item(&item.id, ChangeKind::Delete, &Steps::default())
        .await
        .expect("the item's page");
    form_driver.change(&Allowed).await.expect("deleted");
    assert_eq!(item.site.records("item_deleted").await.len(), 1);
    let gone = form_driver
        .open_item(&item.id, ChangeKind::Edit, &Steps::default())
        .await
        .expect_err("it is gone");
    assert!(matches!(gone, Error::NotFound { .. }), "{gone:?}");
    form_driver.quit().await;
}

#[tokio::test]
async fn change_outcomes_are_classified_like_publish_outcomes() {
    let item = on_sale(Language::Fr, json!({})).await;
    let mut content = item.content.clone();
    content.price.minor_units = 2100;
    let mut form_driver = item.form_driver(&content, None).await;
    for (behaviour, edited) in [
        (json!({ "reject": { "field": "price", "value": "Too low" } }), 0),
        (json!({ "challenge": "restriction" }), 0),
        (json!({ "challenge": "emptied_json" }), 0),
        (json!({ "accept_then_cut": true }), 1),
    ] {
        form_driver
            .open_item(&item.id, ChangeKind::Edit, &Steps::default())
            .await
            .expect("an open item");
        item.site
            .script(json!({ "on": "edit_item", "times": 1, "do": behaviour }))
            .await;
        let changed = form_driver.change(&Allowed).await;
        let is_refused = behaviour.get("reject").is_some();
        match changed {
            Err(WriteError::Refused(Error::Refused { violations, .. })) if is_refused => {
                assert_eq!(violations, [("price".to_owned(), "Too low".to_owned())]);
            }
            Err(WriteError::Unknown(_)) if !is_refused => {}
            other => panic!("{behaviour}: {other:?}"),
        }
        assert_eq!(item.site.records("item_edited").await.len(), edited);
    }
    form_driver.quit().await;
}

#[tokio::test]
async fn draft_is_not_on_sale() {
    let site = Site::start().await;
    let account_context = account_context(Language::Fr);
    let photos = photos(1);
    let plain = site.plain();
    let content = content(&plain, &account_context, &photos).await;
    let mut form_driver = plain
        .compose(&account_context, site.request(content.clone(), photos.clone()))
        .await
        .expect("an attempt");
    form_driver.fill(&Steps::default()).await.expect("a filled form");
    let saved = form_driver.save_draft(&Allowed).await.expect("a saved draft");
    form_driver.quit().await;
    let id = saved.remote_id.expect("an id");
    let connector = site.browser();
    let mut form_driver = connector
        .compose(&account_context, site.request(content, photos))
        .await
        .expect("a browser");
    let opened = form_driver
        .open_item(&id, ChangeKind::Edit, &Steps::default())
        .await;
    assert!(matches!(opened, Err(Error::NotFound { .. })), "{opened:?}");
    form_driver.quit().await;
}

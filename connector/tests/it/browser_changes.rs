//! Changing what is on sale, through a real Chromium.

use serde_json::{Value, json};
use vintedbot_connector::Connector;
use vintedbot_marketplace::{
    ChangeKind, Composer, ComposerRequest, Ending, Error, FillStep, ItemContent, Language, Marketplace,
    PhotoFile, Seat, WriteError,
};

use crate::site::{Allowed, Forbidden, Site, Steps, content, photos, seat};

struct OnSale {
    site: Site,
    connector: Connector,
    seat: Seat,
    content: ItemContent,
    id: String,
}

/// An item on sale, published without a browser.
async fn on_sale(language: Language, pages: Value) -> OnSale {
    let site = Site::start().await;
    let seat = seat(language);
    site.pages(&seat, pages).await;
    let photos = photos(2);
    let plain = site.plain();
    let content = content(&plain, &seat, &photos).await;
    let mut composer = plain
        .compose(&seat, site.request(content.clone(), photos))
        .await
        .expect("an attempt");
    composer.fill(&Steps::default()).await.expect("a filled form");
    let saved = composer.save_draft(&Allowed).await.expect("a saved draft");
    let draft = saved.remote_id.expect("an id");
    composer
        .open_draft(&draft, &Steps::default())
        .await
        .expect("an open draft");
    let published = composer.publish(&Allowed).await.expect("published");
    composer.quit().await;
    let connector = site.browser();
    OnSale {
        site,
        connector,
        seat,
        content,
        id: published.remote_id.expect("an id"),
    }
}

impl OnSale {
    async fn composer(&self, content: &ItemContent, photos: Option<Vec<PhotoFile>>) -> Box<dyn Composer> {
        let request = ComposerRequest {
            keeps_photos: photos.is_none(),
            ..self.site.request(content.clone(), photos.unwrap_or_default())
        };
        self.connector
            .compose(&self.seat, request)
            .await
            .expect("a browser")
    }
}

#[tokio::test]
async fn a_new_price_and_text_are_saved_and_nothing_else_is_touched() {
    let item = on_sale(Language::Fr, json!({})).await;
    let mut content = item.content.clone();
    content.price.minor_units = 1990;
    content.title = "Sweat gris, baisse de prix".to_owned();
    content.photo_sha256s.clear();
    let mut composer = item.composer(&content, None).await;
    let steps = Steps::default();
    let filled = composer
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
    let refused = composer.change(&Forbidden).await;
    assert!(matches!(refused, Err(WriteError::NotSent(_))), "{refused:?}");
    assert!(item.site.records("item_edited").await.is_empty());
    let again = composer.change(&Allowed).await;
    assert!(
        matches!(again, Err(WriteError::NotSent(_))),
        "a page is used up by its click"
    );
    composer
        .open_item(&item.id, ChangeKind::Edit, &Steps::default())
        .await
        .expect("an open item");
    composer.change(&Allowed).await.expect("saved");
    assert_eq!(composer.quit().await, Ending::Ended);
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
async fn new_photos_category_and_colours_replace_the_old_ones() {
    let item = on_sale(
        Language::De,
        json!({ "markup": "2023", "cookie_banner": true, "country_dialog": true }),
    )
    .await;
    let fresh: Vec<PhotoFile> = photos(4).split_off(2);
    let mut content = item.content.clone();
    content.photo_sha256s = fresh.iter().map(|photo| photo.sha256.clone()).collect();
    content.colors.truncate(1);
    content.description = "Neue Beschreibung.".to_owned();
    let mut composer = item.composer(&content, Some(fresh)).await;
    composer
        .open_item(&item.id, ChangeKind::Edit, &Steps::default())
        .await
        .expect("an open item");
    composer.change(&Allowed).await.expect("saved");
    composer.quit().await;
    let records = item.site.records("item_edited").await;
    assert_eq!(records[0]["photo_sha256s"], json!(content.photo_sha256s));
    assert_eq!(records[0]["color_ids"], json!([content.colors[0].id]));
    assert_eq!(records[0]["description"], content.description);
}

#[tokio::test]
async fn an_item_is_hidden_shown_again_and_deleted_each_by_one_click() {
    let item = on_sale(Language::En, json!({ "cookie_banner": true })).await;
    for (kind, is_hidden) in [(ChangeKind::Hide, true), (ChangeKind::Unhide, false)] {
        let mut composer = item.composer(&item.content, None).await;
        composer
            .open_item(&item.id, kind, &Steps::default())
            .await
            .expect("the item's page");
        composer.change(&Allowed).await.expect("changed");
        composer.quit().await;
        let now = item
            .connector
            .item(&item.seat, &item.id)
            .await
            .expect("a reading");
        assert_eq!(now.expect("it is there").is_hidden, is_hidden);
        if kind == ChangeKind::Hide {
            let mut composer = item.composer(&item.content, None).await;
            let again = composer
                .open_item(&item.id, kind, &Steps::default())
                .await
                .expect_err("it is hidden already");
            assert!(matches!(&again, Error::Mismatch { field, .. } if field == "is_hidden"));
            composer.quit().await;
        }
    }
    let mut composer = item.composer(&item.content, None).await;
    composer
        .open_item(&item.id, ChangeKind::Delete, &Steps::default())
        .await
        .expect("the item's page");
    let refused = composer.change(&Forbidden).await;
    assert!(matches!(refused, Err(WriteError::NotSent(_))), "{refused:?}");
    assert!(item.site.records("item_deleted").await.is_empty());
    composer
        .open_item(&item.id, ChangeKind::Delete, &Steps::default())
        .await
        .expect("the item's page");
    composer.change(&Allowed).await.expect("deleted");
    assert_eq!(item.site.records("item_deleted").await.len(), 1);
    let gone = composer
        .open_item(&item.id, ChangeKind::Edit, &Steps::default())
        .await
        .expect_err("it is gone");
    assert!(matches!(gone, Error::NotFound { .. }), "{gone:?}");
    composer.quit().await;
}

#[tokio::test]
async fn what_became_of_a_change_is_told_apart_like_what_became_of_a_publication() {
    let item = on_sale(Language::Fr, json!({})).await;
    let mut content = item.content.clone();
    content.price.minor_units = 2100;
    let mut composer = item.composer(&content, None).await;
    for (behaviour, edited) in [
        (json!({ "reject": { "field": "price", "value": "Too low" } }), 0),
        (json!({ "challenge": "restriction" }), 0),
        (json!({ "challenge": "emptied_json" }), 0),
        (json!({ "accept_then_cut": true }), 1),
    ] {
        composer
            .open_item(&item.id, ChangeKind::Edit, &Steps::default())
            .await
            .expect("an open item");
        item.site
            .script(json!({ "on": "edit_item", "times": 1, "do": behaviour }))
            .await;
        let changed = composer.change(&Allowed).await;
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
    composer.quit().await;
}

#[tokio::test]
async fn a_draft_is_not_on_sale() {
    let site = Site::start().await;
    let seat = seat(Language::Fr);
    let photos = photos(1);
    let plain = site.plain();
    let content = content(&plain, &seat, &photos).await;
    let mut composer = plain
        .compose(&seat, site.request(content.clone(), photos.clone()))
        .await
        .expect("an attempt");
    composer.fill(&Steps::default()).await.expect("a filled form");
    let saved = composer.save_draft(&Allowed).await.expect("a saved draft");
    composer.quit().await;
    let id = saved.remote_id.expect("an id");
    let connector = site.browser();
    let mut composer = connector
        .compose(&seat, site.request(content, photos))
        .await
        .expect("a browser");
    let opened = composer.open_item(&id, ChangeKind::Edit, &Steps::default()).await;
    assert!(matches!(opened, Err(Error::NotFound { .. })), "{opened:?}");
    composer.quit().await;
}

//! Writing through a real Chromium.

use serde_json::json;
use vintedbot_marketplace::catalog::NO_BRAND;
use vintedbot_marketplace::challenge::Kind;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_marketplace::{DriverKind, Ending, Error, FillStep, Language, Marketplace, Named, WriteError};

use crate::site::{Allowed, Site, Steps, content, photos, seat};

async fn a_listing_goes_all_the_way(language: Language) {
    let site = Site::start().await;
    let connector = site.browser();
    assert_eq!(connector.driver(), DriverKind::Browser { headless: true });
    let seat = seat(language);
    let photos = photos(3);
    let mut content = content(&connector, &seat, &photos).await;
    if language == Language::En {
        // The other way round: a row of its own for no brand, and a visit that leads home at first.
        let catalog = connector.catalog(&seat).await.expect("the catalog is read");
        let none = catalog
            .brands
            .into_iter()
            .find(|brand| brand.id == NO_BRAND)
            .expect("no brand is a choice");
        content.brand = Some(Named {
            id: none.id,
            name: none.name,
        });
        site.script(json!({ "on": "form", "do": "redirect_home", "times": 1 }))
            .await;
    }

    let steps = Steps::default();
    let request = site.request(content.clone(), photos.clone());
    let work_dir = request.work_dir.clone();
    let mut composer = connector.compose(&seat, request).await.expect("a browser");
    let filled = composer.fill(&steps).await.expect("a filled form");
    assert_eq!(*steps.reached.lock().await, FillStep::ALL);
    assert_eq!(filled.read_back.len(), 11);
    let screenshot = filled.evidence.screenshot.expect("a screenshot");
    let picture = image::guess_format(&screenshot).expect("a picture");
    assert_eq!(picture, image::ImageFormat::Png);
    let saved = composer.save_draft(&Allowed).await.expect("a saved draft");
    let remote_id = saved.remote_id.expect("the page's own answer was seen");
    assert_eq!(composer.quit().await, Ending::Ended);
    assert!(!work_dir.exists());

    let request = site.request(content.clone(), photos.clone());
    let mut composer = connector.compose(&seat, request).await.expect("a browser");
    composer
        .open_draft(&remote_id, &Steps::default())
        .await
        .expect("an open draft");
    composer.look().await.expect("no challenge");
    let published = composer.publish(&Allowed).await.expect("published");
    assert_eq!(published.remote_id.as_deref(), Some(remote_id.as_str()));
    assert!(
        published.evidence.url.contains("/member/"),
        "{}",
        published.evidence.url
    );
    assert_eq!(composer.quit().await, Ending::Ended);

    let records = site.records("item_published").await;
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["trusted"], &records[0]["push_up"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(records[0]["title"], content.title);
    let uploaded = site.records("photo").await;
    let hashes: Vec<_> = uploaded
        .iter()
        .map(|photo| photo["sha256"].as_str().expect("a hash"))
        .collect();
    assert_eq!(hashes, content.photo_sha256s);
}

#[tokio::test]
async fn a_listing_goes_all_the_way_in_french() {
    a_listing_goes_all_the_way(Language::Fr).await;
}

#[tokio::test]
async fn a_listing_goes_all_the_way_in_english() {
    a_listing_goes_all_the_way(Language::En).await;
}

#[tokio::test]
async fn a_captcha_stops_the_attempt_and_nothing_is_written() {
    let site = Site::start().await;
    let connector = site.browser();
    let seat = seat(Language::Fr);
    let content = content(&connector, &seat, &[]).await;
    site.script(json!({ "on": "form", "do": "captcha_page" })).await;
    let mut composer = connector
        .compose(&seat, site.request(content, photos(1)))
        .await
        .expect("a browser");
    match composer.fill(&Steps::default()).await {
        Err(Error::Challenge { verdict, evidence }) => {
            assert_eq!(verdict.kind, Kind::CaptchaInPage);
            assert!(
                evidence.screenshot.is_some() && evidence.url.ends_with("/items/new"),
                "{evidence:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        composer.save_draft(&Allowed).await,
        Err(WriteError::NotSent(_))
    ));
    assert_eq!(composer.quit().await, Ending::Ended);
    assert!(site.records("photo").await.is_empty() && site.records("draft_saved").await.is_empty());
}

#[tokio::test]
async fn after_the_click_a_lost_answer_is_unknown_and_a_refusal_is_a_refusal() {
    let site = Site::start().await;
    let connector = site.browser();
    let seat = seat(Language::En);
    let photos = photos(1);
    let content = content(&connector, &seat, &photos).await;
    let drafting = site.plain();
    let mut composer = drafting
        .compose(&seat, site.request(content.clone(), photos.clone()))
        .await
        .expect("an attempt");
    composer.fill(&Steps::default()).await.expect("a filled form");
    let saved = composer.save_draft(&Allowed).await.expect("a saved draft");
    let remote_id = saved.remote_id.expect("an id");
    composer.quit().await;

    let mut composer = connector
        .compose(&seat, site.request(content, photos))
        .await
        .expect("a browser");
    site.script(json!({
        "on": "publish", "times": 1, "do": { "reject": { "field": "title", "value": "Too many capitals" } },
    }))
    .await;
    composer
        .open_draft(&remote_id, &Steps::default())
        .await
        .expect("an open draft");
    match composer.publish(&Allowed).await {
        Err(WriteError::Refused(Error::Refused { violations, .. })) => {
            assert_eq!(violations, [("title".to_owned(), "Too many capitals".to_owned())]);
        }
        other => panic!("{other:?}"),
    }
    assert!(site.records("item_published").await.is_empty());

    site.script(json!({ "on": "publish", "do": "accept_then_cut" }))
        .await;
    composer
        .open_draft(&remote_id, &Steps::default())
        .await
        .expect("still a draft");
    let lost = composer.publish(&Allowed).await;
    assert!(
        matches!(lost, Err(WriteError::Unknown(Error::Unavailable(_)))),
        "{lost:?}"
    );
    assert!(
        matches!(composer.publish(&Allowed).await, Err(WriteError::NotSent(_))),
        "never clicked twice"
    );
    assert_eq!(composer.quit().await, Ending::Ended);
    assert_eq!(site.records("item_published").await.len(), 1);
}

#[tokio::test]
async fn a_site_that_stumbles_over_a_photo_is_unavailable_and_not_a_challenge() {
    let site = Site::start().await;
    let connector = site.browser();
    let seat = seat(Language::Fr);
    let content = content(&connector, &seat, &[]).await;
    site.script(json!({ "on": "photo", "do": "accept_then_500", "times": 1 }))
        .await;
    let mut composer = connector
        .compose(&seat, site.request(content, photos(1)))
        .await
        .expect("a browser");
    let filled = composer.fill(&Steps::default()).await;
    assert!(matches!(filled, Err(Error::Unavailable(_))), "{filled:?}");
    composer.quit().await;
}

#[tokio::test]
async fn changed_markup_is_named_by_its_field() {
    let site = Site::start().await;
    let gone = "description = [{ css = '#gone', seen = '2027-01', source = 'operator' }]";
    let connector = site.browser_with(Selectors::parse(gone).expect("a whole file"));
    let seat = seat(Language::Fr);
    let content = content(&connector, &seat, &[]).await;
    let mut composer = connector
        .compose(&seat, site.request(content, Vec::new()))
        .await
        .expect("a browser");
    match composer.fill(&Steps::default()).await {
        Err(Error::FieldNotFound { field, evidence }) => {
            assert_eq!(field, "description");
            assert!(evidence.screenshot.is_some() && !evidence.page_text.is_empty());
        }
        other => panic!("{other:?}"),
    }
    composer.quit().await;
}

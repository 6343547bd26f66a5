//! Publishing through a real Chromium.

use serde_json::json;
use vintedbot_marketplace::catalog::NO_BRAND;
use vintedbot_marketplace::challenge::Kind;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_marketplace::{DriverKind, Ending, Error, FillStep, Language, Marketplace, Named, WriteError};

use crate::site::{Allowed, Site, Steps, account_context, content, photos};

async fn listing_is_published(language: Language) {
    let site = Site::start().await;
    let connector = site.browser();
    assert_eq!(connector.driver(), DriverKind::Browser { headless: true });
    let account_context = account_context(language);
    let photos = photos(3);
    let mut content = content(&connector, &account_context, &photos).await;
    if language == Language::En {
        // The other layout: an extra row for "no brand", and a first visit that is redirected home.
        let catalog = connector
            .catalog(&account_context)
            .await
            .expect("the catalog is read");
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
    let mut form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    let filled = form_driver.fill(&steps).await.expect("a filled form");
    assert_eq!(*steps.reached.lock().await, FillStep::ALL);
    assert_eq!(filled.read_back.len(), 11);
    let screenshot = filled.evidence.screenshot.expect("a screenshot");
    let picture = image::guess_format(&screenshot).expect("a picture");
    assert_eq!(picture, image::ImageFormat::Png);
    let saved = form_driver.save_draft(&Allowed).await.expect("a saved draft");
    let remote_id = saved.remote_id.expect("the page's own answer was seen");
    assert_eq!(form_driver.quit().await, Ending::Ended);
    assert!(!work_dir.exists());

    let request = site.request(content.clone(), photos.clone());
    let mut form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    form_driver
        .open_draft(&remote_id, &Steps::default())
        .await
        .expect("an open draft");
    form_driver.look().await.expect("no challenge");
    let published = form_driver.publish(&Allowed).await.expect("published");
    assert_eq!(published.remote_id.as_deref(), Some(remote_id.as_str()));
    assert!(
        published.evidence.url.contains("/member/"),
        "{}",
        published.evidence.url
    );
    assert_eq!(form_driver.quit().await, Ending::Ended);

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
async fn listing_is_published_in_french() {
    listing_is_published(Language::Fr).await;
}

#[tokio::test]
async fn listing_is_published_in_english() {
    listing_is_published(Language::En).await;
}

#[tokio::test]
async fn captcha_stops_the_attempt_without_a_write() {
    let site = Site::start().await;
    let connector = site.browser();
    let account_context = account_context(Language::Fr);
    let content = content(&connector, &account_context, &[]).await;
    site.script(json!({ "on": "form", "do": "captcha_page" })).await;
    let mut form_driver = connector
        .compose(&account_context, site.request(content, photos(1)))
        .await
        .expect("a browser");
    match form_driver.fill(&Steps::default()).await {
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
        form_driver.save_draft(&Allowed).await,
        Err(WriteError::NotSent(_))
    ));
    assert_eq!(form_driver.quit().await, Ending::Ended);
    assert!(site.records("photo").await.is_empty() && site.records("draft_saved").await.is_empty());
}

#[tokio::test]
async fn lost_answer_after_the_click_is_unknown() {
    let site = Site::start().await;
    let connector = site.browser();
    let account_context = account_context(Language::En);
    let photos = photos(1);
    let content = content(&connector, &account_context, &photos).await;
    let drafting = site.plain();
    let mut form_driver = drafting
        .compose(&account_context, site.request(content.clone(), photos.clone()))
        .await
        .expect("an attempt");
    form_driver.fill(&Steps::default()).await.expect("a filled form");
    let saved = form_driver.save_draft(&Allowed).await.expect("a saved draft");
    let remote_id = saved.remote_id.expect("an id");
    form_driver.quit().await;

    let mut form_driver = connector
        .compose(&account_context, site.request(content, photos))
        .await
        .expect("a browser");
    site.script(json!({
        "on": "publish", "times": 1, "do": { "reject": { "field": "title", "value": "Too many capitals" } },
    }))
    .await;
    form_driver
        .open_draft(&remote_id, &Steps::default())
        .await
        .expect("an open draft");
    match form_driver.publish(&Allowed).await {
        Err(WriteError::Refused(Error::Refused { violations, .. })) => {
            assert_eq!(violations, [("title".to_owned(), "Too many capitals".to_owned())]);
        }
        other => panic!("{other:?}"),
    }
    assert!(site.records("item_published").await.is_empty());

    site.script(json!({ "on": "publish", "do": "accept_then_cut" }))
        .await;
    form_driver
        .open_draft(&remote_id, &Steps::default())
        .await
        .expect("still a draft");
    let lost = form_driver.publish(&Allowed).await;
    assert!(
        matches!(lost, Err(WriteError::Unknown(Error::Unavailable(_)))),
        "{lost:?}"
    );
    assert!(
        matches!(form_driver.publish(&Allowed).await, Err(WriteError::NotSent(_))),
        "never clicked twice"
    );
    assert_eq!(form_driver.quit().await, Ending::Ended);
    assert_eq!(site.records("item_published").await.len(), 1);
}

#[tokio::test]
async fn failed_photo_upload_is_unavailable_not_a_challenge() {
    let site = Site::start().await;
    let connector = site.browser();
    let account_context = account_context(Language::Fr);
    let content = content(&connector, &account_context, &[]).await;
    site.script(json!({ "on": "photo", "do": "accept_then_500", "times": 1 }))
        .await;
    let mut form_driver = connector
        .compose(&account_context, site.request(content, photos(1)))
        .await
        .expect("a browser");
    let filled = form_driver.fill(&Steps::default()).await;
    assert!(matches!(filled, Err(Error::Unavailable(_))), "{filled:?}");
    form_driver.quit().await;
}

#[tokio::test]
async fn missing_field_after_changed_markup_is_named() {
    let site = Site::start().await;
    let gone = "description = [{ css = '#gone', seen = '2027-01', source = 'operator' }]";
    let connector = site.browser_with(Selectors::parse(gone).expect("a whole file"));
    let account_context = account_context(Language::Fr);
    let content = content(&connector, &account_context, &[]).await;
    let mut form_driver = connector
        .compose(&account_context, site.request(content, Vec::new()))
        .await
        .expect("a browser");
    match form_driver.fill(&Steps::default()).await {
        Err(Error::FieldNotFound { field, evidence }) => {
            assert_eq!(field, "description");
            assert!(evidence.screenshot.is_some() && !evidence.page_text.is_empty());
        }
        other => panic!("{other:?}"),
    }
    form_driver.quit().await;
}

//! The site's many faces: generations, languages, banners, suggestions and detours, one selectors file for all.

use serde_json::{Value, json};
use vintedbot_marketplace::catalog::CatalogIndex;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_marketplace::{
    Composer, Ending, Error, FillStep, ItemContent, Language, Marketplace, Named, PhotoFile, Seat,
};

use crate::site::{Allowed, Site, Steps, content, difference, photos, seat};

/// The whole way, on pages of one kind; what the site received in the end.
async fn published(site: &Site, seat: &Seat, content: &ItemContent, photos: &[PhotoFile]) -> Value {
    let connector = site.browser();
    let request = site.request(content.clone(), photos.to_vec());
    let mut composer = connector.compose(seat, request).await.expect("a browser");
    composer.fill(&Steps::default()).await.expect("a filled form");
    let saved = composer.save_draft(&Allowed).await.expect("a saved draft");
    let remote_id = saved.remote_id.expect("the page's own answer was seen");
    composer
        .open_draft(&remote_id, &Steps::default())
        .await
        .expect("an open draft");
    let published = composer.publish(&Allowed).await.expect("published");
    assert_eq!(published.remote_id.as_deref(), Some(remote_id.as_str()));
    assert_eq!(composer.quit().await, Ending::Ended);
    let records = site.records("item_published").await;
    assert_eq!(records.len(), 1);
    records[0].clone()
}

async fn a_face_is_passed(language: Language, pages: Value) {
    let site = Site::start().await;
    let seat = seat(language);
    site.pages(&seat, pages).await;
    let photos = photos(2);
    let content = content(&site.plain(), &seat, &photos).await;
    let record = published(&site, &seat, &content, &photos).await;
    assert_eq!(difference(&record, &content), None);
    assert_eq!(record["push_up"], false);
}

#[tokio::test]
async fn the_generation_of_2023_is_passed_in_german_under_banner_and_dialog() {
    a_face_is_passed(
        Language::De,
        json!({ "markup": "2023", "cookie_banner": true, "country_dialog": true }),
    )
    .await;
}

/// Rules that take id and test id from every row of the form's lists, and from what is in them.
fn nameless_rows() -> Value {
    let numbered = [
        "catalog",
        "suggested-brand",
        "brand",
        "condition",
        "color",
        "material",
    ];
    let mut names: Vec<String> = numbered
        .iter()
        .flat_map(|name| (1..=9).map(move |digit| format!("{name}-{digit}*")))
        .collect();
    names.extend(numbered.map(|name| format!("{name}-radio-*")));
    names.extend(numbered.map(|name| format!("{name}-checkbox-*")));
    names.extend(
        [
            "catalog-navigation-back",
            "empty-brand",
            "custom-select-brand",
            "size-group-*",
        ]
        .map(str::to_owned),
    );
    let drop = |attribute: &'static str| {
        let one = move |name: &String| json!({ "attribute": attribute, "value": name, "how": "drop" });
        names.iter().map(one).collect::<Vec<_>>()
    };
    json!([drop("id"), drop("data-testid")].concat())
}

#[tokio::test]
async fn rows_of_2023_without_any_names_are_chosen_by_what_they_say() {
    let site = Site::start().await;
    let seat = seat(Language::Fr);
    site.pages(&seat, json!({ "markup": "2023" })).await;
    site.script(json!({ "on": "form", "do": { "mutate": nameless_rows() } }))
        .await;
    let photos = photos(1);
    let content = content(&site.plain(), &seat, &photos).await;
    assert!(content.size.is_some() && content.brand.is_some() && !content.colors.is_empty());
    // There is nothing else that they are found by.
    let unread = "list_row = [{ css = '#gone', seen = '2027-01', source = 'operator' }]";
    let connector = site.browser_with(Selectors::parse(unread).expect("a whole file"));
    let request = site.request(content.clone(), photos.clone());
    let mut composer = connector.compose(&seat, request).await.expect("a browser");
    match composer.fill(&Steps::default()).await {
        Err(Error::FieldNotFound { field, .. }) => assert_eq!(field, "category"),
        other => panic!("{other:?}"),
    }
    composer.quit().await;
    let record = published(&site, &seat, &content, &photos).await;
    assert_eq!(difference(&record, &content), None);
}

#[tokio::test]
async fn the_generation_of_may_2026_is_passed_in_french_with_categories_found_in_the_photos() {
    a_face_is_passed(
        Language::Fr,
        json!({ "markup": "2026-05", "ai_category": true, "brand_suggestions": true, "lands_on": "item" }),
    )
    .await;
}

#[tokio::test]
async fn the_generation_of_july_2026_is_passed_in_english_with_a_photo_input_made_anew() {
    a_face_is_passed(
        Language::En,
        json!({ "markup": "2026-07", "recreate_photo_input": true, "sell_link_only": true }),
    )
    .await;
}

#[tokio::test]
async fn the_generation_of_september_2026_is_passed_in_german_with_everything_at_once() {
    a_face_is_passed(
        Language::De,
        json!({
            "markup": "2026-09", "cookie_banner": true, "country_dialog": true, "ai_category": true,
            "brand_suggestions": true, "recreate_photo_input": true, "sell_link_only": true, "lands_on": "item",
            "package_suggestion": true,
        }),
    )
    .await;
}

#[tokio::test]
async fn a_category_that_the_site_puts_in_the_place_of_ours_late_is_put_right() {
    let site = Site::start().await;
    let seat = seat(Language::Fr);
    site.pages(&seat, json!({ "ai_category": true })).await;
    site.script(json!({ "on": "suggestions", "do": { "latency_ms": 6000 } }))
        .await;
    let photos = photos(1);
    let content = content(&site.plain(), &seat, &photos).await;
    let record = published(&site, &seat, &content, &photos).await;
    assert_eq!(difference(&record, &content), None);
    assert_eq!(record["push_up"], false);
}

#[tokio::test]
async fn the_question_whether_a_luxury_item_is_genuine_is_closed_without_an_answer() {
    let site = Site::start().await;
    let seat = seat(Language::En);
    let photos = photos(1);
    let connector = site.plain();
    let mut content = content(&connector, &seat, &photos).await;
    let index = CatalogIndex::new(connector.catalog(&seat).await.expect("the catalog is read"));
    let luxury = index.search_brands("gucci", 1).first().map(|brand| Named {
        id: brand.id,
        name: brand.name.clone(),
    });
    content.brand = Some(luxury.expect("the brand is known"));
    let record = published(&site, &seat, &content, &photos).await;
    assert_eq!(difference(&record, &content), None);
    assert_eq!(record["push_up"], false);
}

#[tokio::test]
async fn every_step_has_a_small_picture_and_says_how_its_field_was_found() {
    let site = Site::start().await;
    let seat = seat(Language::Fr);
    site.pages(&seat, json!({ "markup": "2023" })).await;
    let photos = photos(1);
    let content = content(&site.plain(), &seat, &photos).await;
    let connector = site.browser();
    let request = site.request(content, photos);
    let mut composer = connector.compose(&seat, request).await.expect("a browser");
    let steps = Steps::default();
    composer.fill(&steps).await.expect("a filled form");
    composer.quit().await;
    let frames = steps.frames.lock().await;
    assert_eq!(frames.len(), FillStep::ALL.len());
    for frame in &*frames {
        let picture = frame.picture.as_ref().expect("a picture");
        assert!(picture.len() < 200_000, "{} bytes", picture.len());
        let picture = image::load_from_memory(picture).expect("a PNG");
        assert!((200..600).contains(&picture.width()), "{}", picture.width());
        let is_about_the_page = matches!(
            frame.step,
            FillStep::SignedIn | FillStep::ReadBack | FillStep::ScreenshotTaken
        );
        assert_eq!(frame.selector.is_none(), is_about_the_page, "{:?}", frame.step);
    }
    let by = |step: FillStep| {
        let frame = frames.iter().find(|frame| frame.step == step);
        frame.and_then(|frame| frame.selector.clone())
    };
    assert_eq!(by(FillStep::SizeChosen).as_deref(), Some("#size_id"));
    assert_eq!(by(FillStep::TitleFilled).as_deref(), Some("#title"));
}

#[tokio::test]
async fn a_dialog_that_wants_a_statement_stops_for_the_person() {
    let site = Site::start().await;
    let seat = seat(Language::Fr);
    let photos = photos(1);
    let content = content(&site.plain(), &seat, &photos).await;
    // As if its one button said yes to something: nothing is known that closes it.
    let file = "dialog_close = [{ css = '#nothing', seen = '2027-01', source = 'operator' }]";
    let connector = site.browser_with(Selectors::parse(file).expect("a whole file"));
    let catalog = CatalogIndex::new(connector.catalog(&seat).await.expect("the catalog is read"));
    let gucci = catalog.search_brands("gucci", 1)[0].clone();
    let mut content = content;
    content.brand = Some(Named {
        id: gucci.id,
        name: gucci.name.clone(),
    });
    let mut composer: Box<dyn Composer> = connector
        .compose(&seat, site.request(content, photos))
        .await
        .expect("a browser");
    match composer.fill(&Steps::default()).await {
        Err(Error::Refused { violations, evidence }) => {
            assert_eq!(violations[0].0, "authenticity");
            assert!(evidence.screenshot.is_some());
        }
        other => panic!("{other:?}"),
    }
    composer.quit().await;
    assert!(site.records("draft_saved").await.is_empty());
}

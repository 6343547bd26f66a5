//! The variants of the site's form: generations, languages, banners, suggestions and detours, with one selectors file
//! for all.

use serde_json::{Value, json};
use vintedbot_marketplace::catalog::CatalogIndex;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_marketplace::{
    AccountContext, Ending, Error, FillStep, ItemContent, Language, ListingFormDriver, Marketplace, Named,
    PhotoFile,
};

use crate::site::{Allowed, Site, Steps, account_context, content, difference, photos};

/// Publishes an item on pages of one kind. Returns what the site received.
async fn published(
    site: &Site,
    account_context: &AccountContext,
    content: &ItemContent,
    photos: &[PhotoFile],
) -> Value {
    let connector = site.browser();
    let request = site.request(content.clone(), photos.to_vec());
    let mut form_driver = connector
        .compose(account_context, request)
        .await
        .expect("a browser");
    form_driver.fill(&Steps::default()).await.expect("a filled form");
    let saved = form_driver.save_draft(&Allowed).await.expect("a saved draft");
    let remote_id = saved.remote_id.expect("the page's own answer was seen");
    form_driver
        .open_draft(&remote_id, &Steps::default())
        .await
        .expect("an open draft");
    let published = form_driver.publish(&Allowed).await.expect("published");
    assert_eq!(published.remote_id.as_deref(), Some(remote_id.as_str()));
    assert_eq!(form_driver.quit().await, Ending::Ended);
    let records = site.records("item_published").await;
    assert_eq!(records.len(), 1);
    records[0].clone()
}

async fn form_variant_is_filled(language: Language, pages: Value) {
    let site = Site::start().await;
    let account_context = account_context(language);
    site.pages(&account_context, pages).await;
    let photos = photos(2);
    let content = content(&site.plain(), &account_context, &photos).await;
    let record = published(&site, &account_context, &content, &photos).await;
    assert_eq!(difference(&record, &content), None);
    assert_eq!(record["push_up"], false);
}

#[tokio::test]
async fn german_form_of_2023_is_filled_under_banner_and_dialog() {
    form_variant_is_filled(
        Language::De,
        json!({ "markup": "2023", "cookie_banner": true, "country_dialog": true }),
    )
    .await;
}

/// Returns rules that remove id and test id from every row of the form's lists and from the elements in it.
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
            "custom-select-brand*",
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
async fn unnamed_rows_of_2023_are_chosen_by_their_text() {
    let site = Site::start().await;
    let account_context = account_context(Language::Fr);
    site.pages(&account_context, json!({ "markup": "2023" })).await;
    site.script(json!({ "on": "form", "do": { "mutate": nameless_rows() } }))
        .await;
    let photos = photos(1);
    let content = content(&site.plain(), &account_context, &photos).await;
    assert!(content.size.is_some() && content.brand.is_some() && !content.colors.is_empty());
    // With `list_row` disabled, no other selector finds the rows.
    let unread = "list_row = [{ css = '#gone', seen = '2027-01', source = 'operator' }]";
    let connector = site.browser_with(Selectors::parse(unread).expect("a whole file"));
    let request = site.request(content.clone(), photos.clone());
    let mut form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    match form_driver.fill(&Steps::default()).await {
        Err(Error::FieldNotFound { field, .. }) => assert_eq!(field, "category"),
        other => panic!("{other:?}"),
    }
    form_driver.quit().await;
    let record = published(&site, &account_context, &content, &photos).await;
    assert_eq!(difference(&record, &content), None);
}

#[tokio::test]
async fn french_form_of_may_2026_is_filled_with_suggestions() {
    form_variant_is_filled(
        Language::Fr,
        json!({
            "markup": "2026-05", "ai_category": true, "brand_suggestions": true, "color_suggestions": true,
            "sell_link_only": true, "lands_on": "item",
        }),
    )
    .await;
}

#[tokio::test]
async fn english_form_of_july_2026_is_filled_with_new_input() {
    form_variant_is_filled(
        Language::En,
        json!({
            "markup": "2026-07", "recreate_photo_input": true, "sell_link_only": true, "color_suggestions": true,
            "choice_notes": true,
        }),
    )
    .await;
}

#[tokio::test]
async fn german_form_of_september_2026_is_filled() {
    form_variant_is_filled(
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
async fn category_that_the_site_replaces_late_is_corrected() {
    let site = Site::start().await;
    let account_context = account_context(Language::Fr);
    site.pages(&account_context, json!({ "ai_category": true })).await;
    site.script(json!({ "on": "suggestions", "do": { "latency_ms": 6000 } }))
        .await;
    let photos = photos(1);
    let content = content(&site.plain(), &account_context, &photos).await;
    let record = published(&site, &account_context, &content, &photos).await;
    assert_eq!(difference(&record, &content), None);
    assert_eq!(record["push_up"], false);
}

#[tokio::test]
async fn luxury_question_is_closed_without_an_answer() {
    let site = Site::start().await;
    let account_context = account_context(Language::En);
    let photos = photos(1);
    let connector = site.plain();
    let mut content = content(&connector, &account_context, &photos).await;
    let index = CatalogIndex::new(
        connector
            .catalog(&account_context)
            .await
            .expect("the catalog is read"),
    );
    let luxury = index.search_brands("gucci", 1).first().map(|brand| Named {
        id: brand.id,
        name: brand.name.clone(),
    });
    content.brand = Some(luxury.expect("the brand is known"));
    let record = published(&site, &account_context, &content, &photos).await;
    assert_eq!(difference(&record, &content), None);
    assert_eq!(record["push_up"], false);
}

#[tokio::test]
async fn every_step_has_a_picture_and_its_selector() {
    let site = Site::start().await;
    let account_context = account_context(Language::Fr);
    site.pages(&account_context, json!({ "markup": "2023" })).await;
    let photos = photos(1);
    let content = content(&site.plain(), &account_context, &photos).await;
    let connector = site.browser();
    let request = site.request(content, photos);
    let mut form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    let steps = Steps::default();
    form_driver.fill(&steps).await.expect("a filled form");
    form_driver.quit().await;
    let frames = steps.frames.lock().await;
    assert_eq!(frames.len(), FillStep::ALL.len());
    for timeline_step in &*frames {
        let picture = timeline_step.picture.as_ref().expect("a picture");
        assert!(picture.len() < 200_000, "{} bytes", picture.len());
        let picture = image::load_from_memory(picture).expect("a PNG");
        assert!((200..600).contains(&picture.width()), "{}", picture.width());
        let is_about_the_page = matches!(
            timeline_step.step,
            FillStep::SignedIn | FillStep::ReadBack | FillStep::ScreenshotTaken
        );
        assert_eq!(
            timeline_step.selector.is_none(),
            is_about_the_page,
            "{:?}",
            timeline_step.step
        );
    }
    let by = |step: FillStep| {
        let timeline_step = frames.iter().find(|timeline_step| timeline_step.step == step);
        timeline_step.and_then(|timeline_step| timeline_step.selector.clone())
    };
    assert_eq!(by(FillStep::SizeChosen).as_deref(), Some("#size_id"));
    assert_eq!(by(FillStep::TitleFilled).as_deref(), Some("#title"));
}

#[tokio::test]
async fn dialog_that_requires_a_statement_stops_the_attempt() {
    let site = Site::start().await;
    let account_context = account_context(Language::Fr);
    let photos = photos(1);
    let content = content(&site.plain(), &account_context, &photos).await;
    // No selector for a button that closes the dialog is known, as if its only button gave consent.
    let file = "dialog_close = [{ css = '#nothing', seen = '2027-01', source = 'operator' }]";
    let connector = site.browser_with(Selectors::parse(file).expect("a whole file"));
    let catalog = CatalogIndex::new(
        connector
            .catalog(&account_context)
            .await
            .expect("the catalog is read"),
    );
    let gucci = catalog.search_brands("gucci", 1)[0].clone();
    let mut content = content;
    content.brand = Some(Named {
        id: gucci.id,
        name: gucci.name.clone(),
    });
    let mut form_driver: Box<dyn ListingFormDriver> = connector
        .compose(&account_context, site.request(content, photos))
        .await
        .expect("a browser");
    match form_driver.fill(&Steps::default()).await {
        Err(Error::Refused { violations, evidence }) => {
            assert_eq!(violations[0].0, "authenticity");
            assert!(evidence.screenshot.is_some());
        }
        other => panic!("{other:?}"),
    }
    form_driver.quit().await;
    assert!(site.records("draft_saved").await.is_empty());
}

//! Validation messages of the form, in a real Chromium: each becomes a violation with its field's name.

use serde_json::{Value, json};
use vintedbot_connector::Connector;
use vintedbot_marketplace::{
    AccountContext, Error, ItemContent, Language, ListingFormDriver, Marketplace, WriteError,
};

use crate::site::{Allowed, Site, Steps, account_context, content, photos};

/// Saves a draft without a browser and opens it in one, on pages that `rule` changes. Returns the driver.
async fn open_draft(
    site: &Site,
    browser: &Connector,
    account_context: &AccountContext,
    content: &ItemContent,
    rule: Value,
) -> Box<dyn ListingFormDriver> {
    let photos = photos(1);
    let connector = site.plain();
    let mut plain = connector
        .compose(account_context, site.request(content.clone(), photos.clone()))
        .await
        .expect("an attempt");
    plain.fill(&Steps::default()).await.expect("a filled form");
    let saved = plain.save_draft(&Allowed).await.expect("a saved draft");
    plain.quit().await;
    if !rule.is_null() {
        site.script(rule).await;
    }
    let mut form_driver = browser
        .compose(account_context, site.request(content.clone(), photos))
        .await
        .expect("a browser");
    form_driver
        .open_draft(&saved.remote_id.expect("an id"), &Steps::default())
        .await
        .expect("an open draft");
    form_driver
}

/// Publishes. Returns the violations, and asserts that the site received nothing.
async fn refused(site: &Site, form_driver: &mut dyn ListingFormDriver) -> Vec<(String, String)> {
    let violations = match form_driver.publish(&Allowed).await {
        Err(WriteError::Refused(Error::Refused { violations, evidence })) => {
            assert!(evidence.screenshot.is_some());
            violations
        }
        other => panic!("{other:?}"),
    };
    assert!(site.records("item_published").await.is_empty());
    violations
}

#[tokio::test]
async fn message_of_the_form_names_its_field() {
    // The site's name of each field, and ours, in the form's order.
    let fields = [
        ("photos", "photos"),
        ("title", "title"),
        ("description", "description"),
        ("category", "category"),
        ("brand", "brand"),
        ("size", "size"),
        ("condition", "condition"),
        ("color", "colors"),
        ("material", "materials"),
        ("price", "price"),
        ("package_size", "package_size"),
        ("form", ""),
    ];
    let errors = fields.map(|(name, _)| json!({ "field": name, "value": format!("Not this: {name}") }));
    for pages in [
        json!({ "markup": "2023" }),
        json!({ "markup": "2026-09", "choice_notes": true }),
    ] {
        let site = Site::start().await;
        let browser = site.browser();
        let account_context = account_context(Language::En);
        site.pages(&account_context, pages.clone()).await;
        let content = content(&site.plain(), &account_context, &photos(1)).await;
        let rule = json!({ "on": "edit_form", "do": { "refuse_in_form": errors } });
        let mut form_driver = open_draft(&site, &browser, &account_context, &content, rule).await;
        let violations = refused(&site, &mut *form_driver).await;
        let expected = fields.map(|(name, ours)| (ours.to_owned(), format!("Not this: {name}")));
        assert_eq!(violations, expected, "{pages}");
        form_driver.quit().await;
    }
}

#[tokio::test]
async fn choice_that_the_form_misses_is_named() {
    let site = Site::start().await;
    let browser = site.browser();
    let account_context = account_context(Language::En);
    site.pages(&account_context, json!({ "choice_notes": true }))
        .await;
    let mut content = content(&site.plain(), &account_context, &photos(1)).await;
    content.brand = None;
    content.colors.clear();
    let mut form_driver = open_draft(&site, &browser, &account_context, &content, json!(null)).await;
    let violations = refused(&site, &mut *form_driver).await;
    let fields: Vec<&str> = violations.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["brand", "colors"]);
    let message = Error::Refused {
        violations,
        evidence: Box::default(),
    };
    assert_eq!(
        message.to_string(),
        "the site refused: brand: Choose a brand to continue; colors: Choose a colour to continue"
    );
    form_driver.quit().await;
}

#[tokio::test]
async fn answer_of_the_site_names_the_field_itself() {
    let site = Site::start().await;
    let browser = site.browser();
    let account_context = account_context(Language::Fr);
    let content = content(&site.plain(), &account_context, &photos(1)).await;
    let rule = json!({
        "on": "publish", "times": 1, "do": { "reject": { "field": "brand", "value": "Marque refusée" } },
    });
    let mut form_driver = open_draft(&site, &browser, &account_context, &content, rule).await;
    let violations = refused(&site, &mut *form_driver).await;
    assert_eq!(violations, [("brand".to_owned(), "Marque refusée".to_owned())]);
    form_driver.quit().await;
}

#[tokio::test]
async fn alert_from_before_the_click_is_no_refusal() {
    let site = Site::start().await;
    let browser = site.browser();
    let account_context = account_context(Language::En);
    let content = content(&site.plain(), &account_context, &photos(1)).await;
    // The form shows the alert for several seconds after the click before it sends its request.
    let alert = json!([{ "field": "title", "value": "Check the title" }]);
    let rule = json!({ "on": "edit_form", "do": { "warn_in_form": alert, "send_late_ms": 6_000 } });
    let mut form_driver = open_draft(&site, &browser, &account_context, &content, rule).await;
    form_driver.publish(&Allowed).await.expect("a published item");
    assert_eq!(site.records("item_published").await.len(), 1);
    form_driver.quit().await;
}

//! Changed markup: names that are removed, new, duplicated, or moved to another element. For every change, the form is
//! filled correctly or the attempt stops with the name of a field. Wrong content is never saved or published.
//!
//! `MUTATIONS=n` sets the number of seeds, `MUTATION=n` the first seed.

use futures::StreamExt as _;
use serde_json::{Value, json};
use vintedbot_marketplace::{Error, Language, Marketplace, WriteError};

use crate::site::{Allowed, Site, Steps, account_context, content, difference, photos};

const IDS: [&str; 21] = [
    "title",
    "description",
    "category",
    "catalog-*",
    "catalog-5",
    "catalog-search-input",
    "brand",
    "brand-*",
    "brand-search-input",
    "size",
    "size-group-*",
    "condition",
    "condition-*",
    "condition-3",
    "color",
    "color-*",
    "material",
    "material-*",
    "price",
    "bump",
    "package_type_selector_2",
];
const TEST_IDS: [&str; 27] = [
    "add-photos-input",
    "image-wrapper-*",
    "image-wrapper-0",
    "title--input",
    "description--input",
    "catalog-select-dropdown-input",
    "catalog-*",
    "brand-select-dropdown-input",
    "brand-*",
    "category-size-single-grid_chips-input",
    "size-group-*",
    "category-condition-single-list-input",
    "condition-*",
    "condition-2",
    "color-select-dropdown-input",
    "color-*",
    "category-material-multi-list-input",
    "material-*",
    "price-input--input",
    "bump-checkbox--input",
    "1-package-size--cell",
    "2-package-size--cell",
    "package_type_selector_1--input",
    "package_type_selector_2--input",
    "upload-form-save-draft-button",
    "upload-form-save-button",
    "upload-form-delete-draft-button",
];
const NAMES: [&str; 4] = ["title", "description", "price", "photos"];
const HOW: [&str; 4] = ["drop", "rename", "duplicate", "swap"];

/// A generator whose numbers depend only on its seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

fn mutations(seed: u64) -> Vec<Value> {
    let mut numbers = Numbers(seed);
    let count = 1 + numbers.below(3);
    let one = |_| {
        let (attribute, values): (_, &[&str]) = match numbers.below(7) {
            0..=2 => ("id", &IDS),
            3..=5 => ("data-testid", &TEST_IDS),
            _ => ("name", &NAMES),
        };
        let (value, how) = (numbers.of(values), numbers.of(&HOW));
        let mut mutation = json!({ "attribute": attribute, "value": value, "how": how });
        if how == "swap" {
            let is_prefix = value.ends_with('*');
            let like: Vec<&str> = values
                .iter()
                .copied()
                .filter(|other| *other != value && other.ends_with('*') == is_prefix)
                .collect();
            mutation["with"] = json!(numbers.of(&like));
        }
        mutation
    };
    (0..count).map(one).collect()
}

/// Returns the field name that an attempt stopped with, if any.
fn field(error: &Error) -> Option<String> {
    match error {
        Error::FieldNotFound { field, .. } | Error::Mismatch { field, .. } => Some(field.clone()),
        Error::Refused { violations, .. } => violations.first().map(|(field, _)| field.clone()),
        _ => None,
    }
}

fn stopped(error: WriteError) -> Option<String> {
    match error {
        WriteError::NotSent(error) | WriteError::Refused(error) => field(&error),
        WriteError::Unknown(_) => None,
    }
}

/// Runs one seed and returns its outcome. An error says what went wrong.
async fn attempt(seed: u64) -> Result<String, String> {
    let site = Site::start().await;
    let connector = site.browser();
    let account_context = account_context([Language::Fr, Language::En, Language::De][(seed % 3) as usize]);
    let photos = photos(2);
    let content = content(&connector, &account_context, &photos).await;
    let mutations = mutations(seed);
    for on in ["form", "edit_form"] {
        let rule = json!({ "on": on, "do": { "mutate": mutations } });
        site.script(rule).await;
    }
    let mut form_driver = connector
        .compose(&account_context, site.request(content.clone(), photos))
        .await
        .map_err(|error| error.to_string())?;
    let steps = Steps::default();
    let came_to = async {
        if let Err(error) = form_driver.fill(&steps).await {
            return field(&error).ok_or(error.to_string());
        }
        let saved = match form_driver.save_draft(&Allowed).await {
            Ok(saved) => saved,
            Err(error) => {
                let message = error.to_string();
                return stopped(error).ok_or(message);
            }
        };
        let id = saved.remote_id.ok_or("no id")?;
        if let Err(error) = form_driver.open_draft(&id, &steps).await {
            return field(&error)
                .map(|field| format!("{field} of the draft"))
                .ok_or(error.to_string());
        }
        match form_driver.publish(&Allowed).await {
            Ok(_) => Ok("published".to_owned()),
            Err(error) => {
                let message = error.to_string();
                stopped(error).ok_or(message)
            }
        }
    }
    .await;
    form_driver.quit().await;
    let Value::Array(records) = site.admin("GET", "records", json!(null)).await else {
        return Err("no records".to_owned());
    };
    let context = |what: String| format!("seed {seed} {}: {what}", json!(mutations));
    for record in &records {
        let kind = record["kind"].as_str().unwrap_or_default();
        if kind.contains("deleted") || kind.contains("edited") {
            return Err(context(format!("an unwanted {kind}")));
        }
        if matches!(kind, "draft_saved" | "item_published")
            && let Some(difference) = difference(record, &content)
        {
            return Err(context(format!("{kind} with {difference}")));
        }
    }
    came_to.map(&context).map_err(&context)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_markup_is_filled_correctly_or_reported_by_field() {
    let number = |name: &str, default: u64| {
        let named = std::env::var(name)
            .ok()
            .map(|text| text.parse().expect("a number"));
        named.unwrap_or(default)
    };
    let (first, count) = (number("MUTATION", 1), number("MUTATIONS", 6));
    let attempts = futures::stream::iter(first..first + count)
        .map(|seed| tokio::spawn(attempt(seed)))
        .buffer_unordered(2);
    let came_to: Vec<Result<String, String>> = attempts
        .map(|joined| joined.expect("an attempt does not panic"))
        .collect()
        .await;
    let mut wrong = Vec::new();
    let mut published = 0;
    for outcome in came_to {
        match outcome {
            Ok(message) => {
                published += usize::from(message.ends_with("published"));
                println!("{message}");
            }
            Err(message) => wrong.push(message),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(published > 0, "a form that can be filled is filled");
}

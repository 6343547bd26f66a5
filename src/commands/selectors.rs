//! `vintedbot selectors`: checks which of the site's elements are found on a page, without clicking and without a
//! session.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use url::Url;
use vintedbot_connector::{BrowserConfig, Checked, CheckedPage, check_selectors};
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::selectors::Key;

use crate::config::Config;
use crate::parts::site;

/// The action on selectors.
#[derive(Subcommand)]
pub enum Command {
    /// Prints for every element the selector that matches and the number of matches. Before that, prints where the site
    /// redirected the browser, and any challenge that it shows. Succeeds if everything is found that a new item or a
    /// change needs on such a page: every field of the form, and each photo's button if there are photos; on an item's
    /// own page, the buttons to hide and delete it.
    Check {
        /// The URL of a page, or a page saved as a file; scripts of a file are not run, and it sends no requests.
        page: String,
    },
}

/// Runs the command with the configured browser and selectors.
pub async fn run(command: Command) -> Result<()> {
    let Command::Check { page } = command;
    let config = Config::load()?;
    let selectors = Arc::new(site::selectors(&config)?);
    let detector = Arc::new(Detector::embedded().clone());
    let (binary, driver) = (
        site::set(&config.browser.binary),
        site::set(&config.browser.chromedriver),
    );
    let browser = BrowserConfig::find(binary, driver, true)?
        .context("Chromium or its driver was not found; set BROWSER_BINARY and CHROMEDRIVER")?;
    let work_dir = std::env::temp_dir().join(format!("vintedbot-selectors-{}", std::process::id()));
    let asked = address(&page)?;
    let checked = check_selectors(&browser, selectors, detector, &asked, &work_dir).await?;
    print!(
        "{}{}{}",
        heading(&asked, &checked),
        table(&checked.elements),
        unchecked(&checked)
    );
    let missing = missing(&checked);
    if !missing.is_empty() {
        bail!("elements not found: {}", missing.join(", "));
    }
    Ok(())
}

/// Returns a URL, or the URL of a file.
fn address(page: &str) -> Result<Url> {
    if Path::new(page).exists() {
        let path = std::fs::canonicalize(page).with_context(|| page.to_owned())?;
        return Url::from_file_path(&path).ok().with_context(|| page.to_owned());
    }
    match Url::parse(page) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(url) if url.scheme() == "file" => bail!("the file {} does not exist", url.path()),
        _ => bail!("{page} is neither an existing file nor the URL of a page"),
    }
}

/// Describes the page that was loaded, if it differs from the requested page.
fn heading(asked: &Url, checked: &CheckedPage) -> String {
    let mut lines = String::new();
    if checked.url != *asked {
        lines.push_str(&format!("redirected to {}\n", checked.url));
    }
    if let Some(verdict) = &checked.verdict {
        lines.push_str(&format!(
            "the site shows {} by its {}\n",
            verdict.kind.name(),
            verdict.sign
        ));
    }
    lines
}

fn table(checked: &[Checked]) -> String {
    let key_width = checked
        .iter()
        .map(|each| each.key.name().len())
        .max()
        .unwrap_or(0);
    let css_width = checked
        .iter()
        .map(|each| each.css.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines = String::new();
    for Checked { key, css, count } in checked {
        let found = match count {
            0 => "missing".to_owned(),
            _ => format!("found ({count})"),
        };
        lines.push_str(&format!("{:key_width$}  {css:css_width$}  {found}\n", key.name()));
    }
    lines
}

fn is_found(checked: &CheckedPage, key: Key) -> bool {
    checked
        .elements
        .iter()
        .any(|each| each.key == key && each.count > 0)
}

/// Returns the elements without which a new item or a change of an item would fail on a page of this kind.
fn required(checked: &CheckedPage) -> Vec<Key> {
    let has_any = |keys: &[Key]| keys.iter().any(|key| is_found(checked, *key));
    let is_item_page = is_found(checked, Key::ItemEdit) || has_any(&Key::ITEM_BUTTONS);
    if is_item_page && !has_any(&Key::FORM_FIELDS) {
        return Key::ITEM_BUTTONS.to_vec();
    }
    let mut keys = Key::FORM_FIELDS.to_vec();
    if checked.url.path() == "/items/new" {
        keys.push(Key::SaveDraft);
    } else if is_found(checked, Key::Publish) && !is_found(checked, Key::SaveDraft) {
        // The edit page of an item on sale has no other button (as seen 2026-10, confidence A).
        keys.extend(Key::EDIT_FIELDS);
    }
    if is_found(checked, Key::PhotosReady) && !keys.contains(&Key::PhotoDelete) {
        keys.push(Key::PhotoDelete);
    }
    keys
}

/// Returns the names of the required elements that were not found.
fn missing(checked: &CheckedPage) -> Vec<&'static str> {
    let is_missing = |key: &Key| {
        let of_key = checked.elements.iter().filter(|each| each.key == *key);
        of_key.map(|each| each.count).max() == Some(0)
    };
    let keys = required(checked).into_iter().filter(is_missing);
    keys.map(Key::name).collect()
}

/// Returns a note on the elements that a form without photos leaves unchecked.
fn unchecked(checked: &CheckedPage) -> String {
    if !is_found(checked, Key::PhotoInput) || required(checked).contains(&Key::PhotoDelete) {
        return String::new();
    }
    let names = Key::EDIT_FIELDS.map(Key::name).join(" and ");
    format!("the form shows no photo, so {names} were not checked\n")
}

#[cfg(test)]
mod tests {
    use vintedbot_marketplace::challenge::Signs;

    use super::*;

    fn page(url: &str, elements: Vec<Checked>) -> CheckedPage {
        CheckedPage {
            url: Url::parse(url).expect("an address"),
            verdict: None,
            elements,
        }
    }

    fn each(key: Key, css: &str, count: usize) -> Checked {
        Checked {
            key,
            css: css.to_owned(),
            count,
        }
    }

    #[test]
    fn lines_align_and_only_form_fields_can_be_missing() {
        let elements = vec![
            each(Key::Title, "#title", 1),
            each(Key::BrandInput, "#brand", 0),
            each(Key::CookieReject, "#reject", 0),
        ];
        assert_eq!(
            table(&elements),
            "title          #title   found (1)\nbrand_input    #brand   missing\ncookie_reject  #reject  missing\n"
        );
        assert_eq!(missing(&page("file:///form.html", elements)), ["brand_input"]);
    }

    #[test]
    fn page_fails_without_an_element_that_a_change_needs() {
        let new = "https://www.vinted.fr/items/new";
        let edit = "https://www.vinted.fr/items/1/edit";
        let saved = "file:///form.html";
        let item = "https://www.vinted.fr/items/1-jumper";
        let photos = [Key::PhotosReady, Key::PhotoDelete];
        let cases: [(&str, &[Key], &[&str]); 11] = [
            (new, &photos, &[]),
            // Nothing was uploaded: the photos and their buttons are unknown.
            (saved, &photos, &[]),
            (edit, &photos, &[]),
            (saved, &[Key::PhotoDelete], &["photo_delete"]),
            (edit, &[Key::PhotoDelete], &["photo_delete"]),
            // Only an item on sale has no button to save a draft.
            (edit, &[Key::SaveDraft, Key::PhotoDelete], &["photo_delete"]),
            (
                saved,
                &[Key::SaveDraft, Key::PhotosReady, Key::PhotoDelete],
                &["photos_ready", "photo_delete"],
            ),
            (edit, &[Key::SaveDraft], &[]),
            (new, &[Key::SaveDraft], &["save_draft"]),
            (saved, &[Key::BrandInput], &["brand_input"]),
            (
                item,
                &[Key::ItemHide, Key::ItemDelete],
                &["item_hide", "item_delete"],
            ),
        ];
        for (url, gone, expected) in cases {
            let is_form = url != item;
            let count = |key: &Key| {
                let is_of_item = Key::ITEM_BUTTONS.contains(key) || *key == Key::ItemEdit;
                usize::from(is_form != is_of_item && !gone.contains(key))
            };
            let elements = Key::ALL.iter().map(|key| each(*key, "#x", count(key))).collect();
            assert_eq!(missing(&page(url, elements)), expected, "{url} without {gone:?}");
        }
    }

    #[test]
    fn form_without_photos_says_what_was_not_checked() {
        let of = |count: usize| {
            let elements = [Key::PhotoInput, Key::Publish, Key::SaveDraft, Key::PhotosReady]
                .map(|key| each(key, "#x", if key == Key::PhotosReady { count } else { 1 }));
            unchecked(&page("file:///form.html", elements.to_vec()))
        };
        assert_eq!(
            of(0),
            "the form shows no photo, so photos_ready and photo_delete were not checked\n"
        );
        assert_eq!(of(2), "");
    }

    #[test]
    fn unexpected_page_is_named_with_what_it_shows() {
        let asked = Url::parse("https://www.vinted.fr/items/new").expect("an address");
        let mut checked = CheckedPage {
            url: asked.clone(),
            verdict: None,
            elements: Vec::new(),
        };
        assert_eq!(heading(&asked, &checked), "");
        checked.url = Url::parse("https://www.vinted.fr/member/login").expect("an address");
        checked.verdict = vintedbot_marketplace::challenge::detect(&Signs {
            url: checked.url.to_string(),
            ..Signs::default()
        });
        assert_eq!(
            heading(&asked, &checked),
            "redirected to https://www.vinted.fr/member/login\n\
             the site shows LOGIN_LOST by its path \"/member/login\" (confidence A)\n"
        );
    }

    #[test]
    fn page_is_an_existing_file_or_an_address() {
        assert!(address("https://www.vinted.fr/items/new").is_ok());
        assert_eq!(
            address(env!("CARGO_MANIFEST_DIR")).expect("it is there").scheme(),
            "file"
        );
        for wrong in ["nowhere.html", "file:///nowhere.html", "javascript:alert(1)"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}

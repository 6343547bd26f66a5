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
    /// redirected the browser, and any challenge that it shows. Succeeds if every field of the form is found.
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
    print!("{}{}", heading(&asked, &checked), table(&checked.elements));
    let missing = missing(&checked.elements);
    if !missing.is_empty() {
        bail!("form fields not found: {}", missing.join(", "));
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

fn missing(checked: &[Checked]) -> Vec<&'static str> {
    let is_missing = |key: &Key| checked.iter().any(|each| each.key == *key && each.count == 0);
    let fields = Key::FORM_FIELDS.into_iter().filter(is_missing);
    fields.map(Key::name).collect()
}

#[cfg(test)]
mod tests {
    use vintedbot_marketplace::challenge::Signs;

    use super::*;

    #[test]
    fn lines_align_and_only_form_fields_can_be_missing() {
        let each = |key, css: &str, count| Checked {
            key,
            css: css.to_owned(),
            count,
        };
        let checked = [
            each(Key::Title, "#title", 1),
            each(Key::BrandInput, "#brand", 0),
            each(Key::CookieReject, "#reject", 0),
        ];
        assert_eq!(
            table(&checked),
            "title          #title   found (1)\nbrand_input    #brand   missing\ncookie_reject  #reject  missing\n"
        );
        assert_eq!(missing(&checked), ["brand_input"]);
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

//! `vintedbot selectors`: looks which of the site's elements are found on a page, clicking nothing and logged in as nobody.

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

/// What to do with selectors.
#[derive(Subcommand)]
pub enum Command {
    /// Prints, for every element, the selector that finds it on a page, and how often; before that, where the site sent
    /// the browser on to, and what it shows in the place of its page. Succeeds when every field of the form is found.
    Check {
        /// The address of a page, or a page saved as a file, of which no script is run and which asks nobody for anything.
        page: String,
    },
}

/// Runs the command, with the browser and the selectors that the settings name.
pub async fn run(command: Command) -> Result<()> {
    let Command::Check { page } = command;
    let config = Config::load()?;
    let selectors = Arc::new(site::selectors(&config)?);
    let detector = Arc::new(Detector::embedded().clone());
    let (binary, driver) = (site::set(&config.browser_binary), site::set(&config.chromedriver));
    let browser = BrowserConfig::find(binary, driver, true)?
        .context("no Chromium with its driver was found; set BROWSER_BINARY and CHROMEDRIVER")?;
    let work_dir = std::env::temp_dir().join(format!("vintedbot-selectors-{}", std::process::id()));
    let asked = address(&page)?;
    let checked = check_selectors(&browser, selectors, detector, &asked, &work_dir).await?;
    print!("{}{}", heading(&asked, &checked), table(&checked.elements));
    let missing = missing(&checked.elements);
    if !missing.is_empty() {
        bail!("fields of the form that were not found: {}", missing.join(", "));
    }
    Ok(())
}

/// An address as it is, a file as an address.
fn address(page: &str) -> Result<Url> {
    if Path::new(page).exists() {
        let path = std::fs::canonicalize(page).with_context(|| page.to_owned())?;
        return Url::from_file_path(&path).ok().with_context(|| page.to_owned());
    }
    match Url::parse(page) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(url) if url.scheme() == "file" => bail!("there is no file {}", url.path()),
        _ => bail!("{page} is no file that is there, and no address of a page"),
    }
}

/// What page it is, where it is another than was asked for.
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
    fn lines_are_aligned_and_only_fields_of_the_form_are_missed() {
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
    fn a_page_that_is_another_than_was_asked_for_is_named_with_what_it_shows() {
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
    fn a_page_is_a_file_that_is_there_or_an_address() {
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

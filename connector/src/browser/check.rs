//! Checks which selectors match elements on a page. Clicks and enters nothing, and uses no login.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;
use vintedbot_marketplace::Error;
use vintedbot_marketplace::challenge::{Detector, Verdict};
use vintedbot_marketplace::selectors::{Key, Selector, Selectors};

use super::BrowserConfig;
use super::failure::not_reached;
use super::launch::Launched;
use super::page::Page;
use super::traffic::Traffic;

/// How long a page from the network must make no calls before its form counts as rendered, and the longest wait for
/// that.
const QUIET_FOR: Duration = Duration::from_millis(700);
const QUIET_WITHIN: Duration = Duration::from_secs(15);

/// The result for one kind of element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub key: Key,
    /// The selector that matched, else the newest one. For a key with an id, the selector matches any id.
    pub css: String,
    /// The number of matching elements, including hidden ones.
    pub count: usize,
}

/// The result for one page.
#[derive(Clone, Debug)]
pub struct CheckedPage {
    /// The final URL, which differs from the requested one if the site redirects visitors.
    pub url: Url,
    /// The challenge or block that the site shows instead of its page. Always absent for a saved page.
    pub verdict: Option<Verdict>,
    /// One entry per kind of element, in the order of the keys.
    pub elements: Vec<Checked>,
}

/// Opens a page in a new browser without cookies and checks which keys match on it. For a saved page (`file:`), scripts
/// and network access are disabled.
///
/// # Errors
/// The browser does not start, or the page cannot be opened.
pub async fn check_selectors(
    browser: &BrowserConfig,
    selectors: Arc<Selectors>,
    detector: Arc<Detector>,
    url: &Url,
    work_dir: &Path,
) -> Result<CheckedPage, Error> {
    let (launched, traffic) = Launched::start(browser, work_dir).await?;
    let driver = launched.driver.clone();
    let page = Page::new(driver, traffic, url.clone(), selectors, detector, Vec::new());
    let checked = look(&page, url).await;
    drop(page);
    launched.end().await;
    checked
}

async fn look(page: &Page, url: &Url) -> Result<CheckedPage, Error> {
    let traffic = &page.traffic;
    let mut verdict = None;
    if url.scheme() == "file" {
        let lifeless = [
            ("Emulation.setScriptExecutionDisabled", json!({ "value": true })),
            (
                "Network.setBlockedURLs",
                json!({ "urls": ["http://*", "https://*", "ws://*", "wss://*", "ftp://*"] }),
            ),
            (
                "Network.emulateNetworkConditions",
                json!({ "offline": true, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 }),
            ),
        ];
        for (method, params) in lifeless {
            traffic.ask(method, params).await?;
        }
        page.driver.goto(url.as_str()).await.map_err(not_reached)?;
    } else {
        verdict = verdict_of(page.open(url.as_str()).await)?;
        traffic.quiet(QUIET_FOR, QUIET_WITHIN).await;
        // The page's script may have navigated elsewhere, or may have received a challenge.
        verdict = verdict.or(verdict_of(page.look().await)?);
    }
    let document = traffic.ask("DOM.getDocument", json!({ "depth": 0 })).await?;
    let document = Document {
        traffic,
        root: document["root"]["nodeId"].clone(),
    };
    let mut elements = Vec::new();
    for key in Key::ALL.iter().copied() {
        let mut best: Option<Checked> = None;
        for selector in page.selectors.of(key) {
            let css = selector.css_for_any();
            let mut nodes = document.all(&css).await?;
            if key.placeholder().is_some() {
                nodes = document.numbered(selector, &nodes).await?;
            }
            let count = nodes.len();
            if best.as_ref().is_none_or(|best| best.count == 0 && count > 0) {
                best = Some(Checked { key, css, count });
            }
        }
        elements.extend(best);
    }
    Ok(CheckedPage {
        url: page.url().await?,
        verdict,
        elements,
    })
}

/// Separates a challenge from other errors.
fn verdict_of(looked: Result<(), Error>) -> Result<Option<Verdict>, Error> {
    match looked {
        Ok(()) => Ok(None),
        Err(Error::Challenge { verdict, .. }) => Ok(Some(verdict)),
        Err(error) => Err(error),
    }
}

/// The browser's DOM, queried without a script.
struct Document<'a> {
    traffic: &'a Traffic,
    root: Value,
}

impl Document<'_> {
    async fn all(&self, css: &str) -> Result<BTreeSet<i64>, Error> {
        let asked = json!({ "nodeId": self.root, "selector": css });
        let found = self.traffic.ask("DOM.querySelectorAll", asked).await?;
        let nodes = found["nodeIds"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(nodes.iter().filter_map(Value::as_i64).collect())
    }

    /// Returns those of the nodes that the selector matches for some number in the nodes' attributes.
    async fn numbered(&self, selector: &Selector, nodes: &BTreeSet<i64>) -> Result<BTreeSet<i64>, Error> {
        let mut numbers = BTreeSet::new();
        for node in nodes {
            let asked = json!({ "nodeId": node });
            let answer = self.traffic.ask("DOM.getAttributes", asked).await?;
            let attributes = answer["attributes"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            for text in attributes
                .iter()
                .filter_map(Value::as_str)
                .filter(|text| text.len() < 200)
            {
                let parts = text.split(|c: char| !c.is_ascii_digit());
                numbers.extend(parts.filter(|part| !part.is_empty()).map(str::to_owned));
            }
        }
        let mut found = BTreeSet::new();
        for number in numbers {
            found.extend(self.all(&selector.css_for(&number)).await?);
        }
        Ok(found)
    }
}

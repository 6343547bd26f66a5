//! The page open in one browser: navigation, and checks whether the site asks for a person.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use thirtyfour::error::WebDriverResult;
use thirtyfour::{WebDriver, WebElement};
use url::Url;
use vintedbot_marketplace::challenge::{Detector, Kind, Signs, Verdict};
use vintedbot_marketplace::selectors::{Key, Selectors};
use vintedbot_marketplace::{Error, Evidence};

use super::broken;
use super::failure::{failed, no_page, not_reached, unusable};
use super::traffic::{Exchange, Traffic};
use crate::signs;

pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long an expected element may take to appear.
pub(crate) const COMES_WITHIN: Duration = Duration::from_secs(10);

/// How long a form that shows an error must make no calls before the error is judged, and the longest wait for that.
const JUDGED_AFTER: Duration = Duration::from_millis(50);
const JUDGED_WITHIN: Duration = Duration::from_secs(1);

/// The beginning of the URL of the browser's own error pages.
const NO_PAGE: &str = "chrome-error:";

/// Reads the page's visible state in one script call.
const VIEW: &str = r"
const shown = (element) => {
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  return box.width > 1 && box.height > 1 && style.visibility !== 'hidden' && style.display !== 'none';
};
const [entry] = performance.getEntriesByType('navigation');
return {
  url: location.href,
  title: document.title,
  text: document.body ? document.body.innerText : '',
  frames: [...document.querySelectorAll('iframe, frame')].filter(shown).map((frame) => frame.src),
  elements: arguments[0].filter((css) => [...document.querySelectorAll(css)].some(shown)),
  alerts: [...document.querySelectorAll(arguments[1])].map((alert) => alert.innerText).filter((text) => text.trim()),
  covered: [...document.querySelectorAll(arguments[2])].some(shown),
  status: (entry && entry.responseStatus) || null,
};";

#[derive(Deserialize)]
struct View {
    url: String,
    title: String,
    text: String,
    frames: Vec<String>,
    elements: Vec<String>,
    alerts: Vec<String>,
    covered: bool,
    status: Option<u16>,
}

/// Repeats an attempt until it returns `Ok(Some(_))` or an error. Returns `Ok(None)` if the time is over first.
macro_rules! within {
    ($limit:expr, $attempt:expr) => {
        tokio::time::timeout($limit, async {
            loop {
                let attempt: Result<Option<_>, vintedbot_marketplace::Error> = async { $attempt }.await;
                match attempt {
                    Ok(None) => tokio::time::sleep(crate::browser::page::LOOK_EVERY).await,
                    found => break found,
                }
            }
        })
        .await
        .unwrap_or(Ok(None))
    };
}

pub(crate) use within;

/// The page that is open in one browser.
pub(crate) struct Page {
    pub(crate) driver: WebDriver,
    pub(crate) traffic: Traffic,
    pub(crate) base: Url,
    pub(crate) selectors: Arc<Selectors>,
    detector: Arc<Detector>,
    /// The item's own texts, which never count as signs of a challenge.
    member_texts: Vec<String>,
    /// The position in the traffic log up to which the page's calls have been checked.
    looked_at: AtomicUsize,
    /// The position in the traffic log at which this page was opened. Earlier calls belong to other pages.
    opened_at: AtomicUsize,
    /// The selector that last found each kind of element.
    found_by: Mutex<HashMap<Key, String>>,
    /// Whether the driver is remote, so that its browser sees no file of this machine.
    pub(crate) is_elsewhere: bool,
}

impl Page {
    pub(crate) fn new(
        driver: WebDriver,
        traffic: Traffic,
        base: Url,
        selectors: Arc<Selectors>,
        detector: Arc<Detector>,
        member_texts: Vec<String>,
    ) -> Self {
        Self {
            driver,
            traffic,
            base,
            selectors,
            detector,
            member_texts,
            looked_at: AtomicUsize::new(0),
            opened_at: AtomicUsize::new(0),
            found_by: Mutex::default(),
            is_elsewhere: false,
        }
    }

    /// Opens a page of the site and checks it for a challenge.
    pub(crate) async fn open(&self, path: &str) -> Result<(), Error> {
        let url = self.base.join(path).map_err(broken)?;
        let mark = self.traffic.mark();
        self.opened_at.store(mark, Ordering::Relaxed);
        // Answers to the previous page must not count against this one.
        self.looked_at.store(mark, Ordering::Relaxed);
        let gone = self.driver.goto(url.as_str()).await.map_err(not_reached);
        // A challenge, or an answer that is not a page, explains more than the driver's error.
        match self.look().await {
            Err(error @ (Error::Challenge { .. } | Error::Unusable { .. })) if gone.is_ok() => Err(error),
            Err(error @ Error::Challenge { .. }) => Err(error),
            Ok(()) if gone.is_ok() => self.is_in_service().await,
            looked => gone.and(looked),
        }
    }

    /// Fails with [`Error::Unavailable`] on a server error, which no person can resolve.
    async fn is_in_service(&self) -> Result<(), Error> {
        match self.view().await?.status {
            Some(status @ 500..) => Err(Error::Unavailable(format!("status {status}"))),
            _ => Ok(()),
        }
    }

    /// Returns the current URL.
    pub(crate) async fn url(&self) -> Result<Url, Error> {
        self.driver.current_url().await.map_err(failed)
    }

    /// Checks whether the site asks for a person, by the page's content and by the answers to its calls.
    pub(crate) async fn look(&self) -> Result<(), Error> {
        self.glance().await.map(drop)
    }

    /// Does the same, and returns whether something that can be closed covers the page.
    pub(crate) async fn glance(&self) -> Result<bool, Error> {
        let view = self.view().await?;
        if view.url.starts_with(NO_PAGE) {
            return Err(self.no_page());
        }
        // Validation messages are about the entered values and may contain any words.
        let mut harmless = self.member_texts.clone();
        let has_alerts = !view.alerts.is_empty();
        harmless.extend(view.alerts);
        let signs = Signs {
            url: view.url,
            status: view.status,
            frames: view.frames,
            elements: view.elements,
            title: view.title,
            text: view.text,
            member_texts: harmless,
            ..Signs::default()
        };
        let mut verdict = self.detector.detect(&signs).map(|verdict| (verdict, signs.text));
        let is_vague = |verdict: &Verdict| weight(verdict.kind) < Weight::Plain;
        if has_alerts || verdict.as_ref().is_some_and(|(verdict, _)| is_vague(verdict)) {
            // The answer that explains the form's error may still be in transit.
            self.traffic.quiet(JUDGED_AFTER, JUDGED_WITHIN).await;
        }
        let looked_at = self.looked_at.load(Ordering::Relaxed);
        let calls = self.traffic.since(looked_at).unwrap_or_default();
        let mut emptied = None;
        for exchange in &calls {
            if exchange.is_download() {
                return Err(unusable("a file to download instead of a page"));
            }
            let Some(signs) = self.call_signs(exchange) else {
                continue;
            };
            let Some(found) = self.detector.detect(&signs) else {
                // An operator's own signs may lack this rule. The answer is still unusable.
                emptied = emptied.or_else(|| signs.emptied.into_iter().next());
                continue;
            };
            // The form reports only that something went wrong; the answer to its call says what.
            if verdict
                .as_ref()
                .is_none_or(|(known, _)| weight(known.kind) < weight(found.kind))
            {
                verdict = Some((found, signs.text));
            }
        }
        if let Some((verdict, text)) = verdict {
            let mut evidence = self.evidence().await;
            if evidence.page_text.is_empty() {
                evidence.page_text = text;
            }
            return Err(Error::Challenge {
                verdict,
                evidence: Box::new(evidence),
            });
        }
        if let Some(what) = emptied {
            return Err(Error::Shape(what));
        }
        // A call in progress is checked again once it is answered.
        let answered = calls.iter().take_while(|exchange| exchange.complete).count();
        self.looked_at.store(looked_at + answered, Ordering::Relaxed);
        Ok(view.covered)
    }

    /// Returns the error for the browser's own error page.
    fn no_page(&self) -> Error {
        let all = self
            .traffic
            .since(self.opened_at.load(Ordering::Relaxed))
            .unwrap_or_default();
        let failed = all.iter().rev().find(|each| each.is_document && each.failed);
        no_page(failed.map_or("no connection", |each| each.failure.as_str()))
    }

    /// Prepares the answer to one of the page's API calls for the detector.
    fn call_signs(&self, exchange: &Exchange) -> Option<Signs> {
        let url = Url::parse(&exchange.url).ok()?;
        let is_call = url.origin() == self.base.origin() && url.path().contains("/api/");
        // After a 401 the page renews its session, and goes to the login page if that fails.
        if exchange.is_document || !is_call || !exchange.complete || exchange.status == Some(401) {
            return None;
        }
        let text = exchange.body.clone().unwrap_or_default();
        let json: Option<Value> = serde_json::from_str(&text).ok();
        let mut signs = Signs {
            url: exchange.url.clone(),
            status: exchange.status,
            headers: exchange.headers.clone(),
            content_type: Some(exchange.content_type.clone()),
            expected_json: true,
            json_code: json.as_ref().and_then(crate::text::code),
            text,
            ..Signs::default()
        };
        signs.emptied = signs::emptied_in(&signs).map(str::to_owned).into_iter().collect();
        Some(signs)
    }

    /// Returns the category whose fields the form last requested; `None` if it requested none on this page.
    pub(crate) fn asked_category(&self) -> Option<i64> {
        let exchanges = self.traffic.since(self.opened_at.load(Ordering::Relaxed))?;
        exchanges.iter().rev().find_map(|exchange| {
            let asked: Value = serde_json::from_str(exchange.sent.as_deref()?).ok()?;
            let attributes = asked["attributes"].as_array()?;
            let category = attributes.iter().find(|each| each["code"] == "category")?;
            crate::text::number(category["value"].as_array()?.first()?)
        })
    }

    pub(crate) fn remember(&self, key: Key, css: &str) {
        let mut found_by = self.found_by.lock().unwrap_or_else(PoisonError::into_inner);
        found_by.insert(key, css.to_owned());
    }

    /// Returns the selector that last found an element of this kind.
    pub(crate) fn found_by(&self, key: Key) -> Option<String> {
        let found_by = self.found_by.lock().unwrap_or_else(PoisonError::into_inner);
        found_by.get(&key).cloned()
    }

    /// Collects evidence for a person. Leaves out what the browser can no longer provide.
    pub(crate) async fn evidence(&self) -> Evidence {
        let screenshot = match self.screenshot().await {
            Ok(png) => Some(png),
            Err(error) => {
                tracing::warn!(%error, "no screenshot could be taken");
                None
            }
        };
        let (url, page_text) = match self.view().await {
            Ok(view) => (view.url, view.text),
            Err(_) => Default::default(),
        };
        Evidence {
            url,
            screenshot,
            page_text,
        }
    }

    async fn view(&self) -> Result<View, Error> {
        let css: Vec<&str> = self.detector.element_selectors().collect();
        let alerts = self.joined(&[Key::FieldAlert]);
        let covers = self.joined(&[
            Key::CountryDialogClose,
            Key::CookieReject,
            Key::Dialog,
            Key::CrashDialog,
        ]);
        let seen = self
            .driver
            .execute(VIEW, vec![json!(css), json!(alerts), json!(covers)])
            .await
            .map_err(failed)?;
        seen.convert().map_err(failed)
    }

    /// Returns the CSS for any element of these keys.
    pub(crate) fn joined(&self, keys: &[Key]) -> String {
        let selectors = keys.iter().flat_map(|key| self.selectors.of(*key));
        selectors
            .map(|each| each.css.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// How specific a verdict is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Something went wrong.
    Wrong,
    /// The site refused.
    Refused,
    Plain,
}

fn weight(kind: Kind) -> Weight {
    match kind {
        Kind::BrokenPage => Weight::Wrong,
        Kind::UnknownBlock => Weight::Refused,
        _ => Weight::Plain,
    }
}

/// Returns the value that an element shows.
pub(crate) async fn value(element: &WebElement) -> WebDriverResult<String> {
    Ok(element.prop("value").await?.unwrap_or_default())
}

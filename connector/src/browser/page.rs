//! The page that is open in one browser: going there, and looking whether the site wants a person.

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
/// How long an element may take to come once it is due.
pub(crate) const COMES_WITHIN: Duration = Duration::from_secs(10);

/// How long a form that complains has to have asked nothing before its complaint is judged, and the longest wait for that.
const TOLD_AFTER: Duration = Duration::from_millis(50);
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// Where the browser says that there is no page.
const NO_PAGE: &str = "chrome-error:";

/// What the page shows, in one reading.
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
  alerts: [...document.querySelectorAll(arguments[1])].map((alert) => alert.innerText),
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

/// Tries again and again until there is something, or the time is over: `Ok(Some(_))`, `Ok(None)`, or the first error.
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
    /// The item's own words, which are never a sign of anything.
    member_texts: Vec<String>,
    /// Up to where the page's calls have been looked at.
    looked_at: AtomicUsize,
    /// Where the page's calls begin: what was asked before belongs to other pages.
    opened_at: AtomicUsize,
    /// By which selector each kind of element was last found.
    found_by: Mutex<HashMap<Key, String>>,
    /// Its browser sees no file of this machine.
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

    /// Goes to a page of the site and looks for a challenge there.
    pub(crate) async fn open(&self, path: &str) -> Result<(), Error> {
        let url = self.base.join(path).map_err(broken)?;
        let mark = self.traffic.mark();
        self.opened_at.store(mark, Ordering::Relaxed);
        // What the page before was answered does not speak against the next one.
        self.looked_at.store(mark, Ordering::Relaxed);
        let gone = self.driver.goto(url.as_str()).await.map_err(not_reached);
        // What came in the place of a page, or a challenge, says more than the driver does.
        match self.look().await {
            Err(error @ (Error::Challenge { .. } | Error::Unusable { .. })) if gone.is_ok() => Err(error),
            Err(error @ Error::Challenge { .. }) => Err(error),
            Ok(()) if gone.is_ok() => self.is_in_service().await,
            looked => gone.and(looked),
        }
    }

    /// Whether the site had the page to give: its servers being down is nothing that a person can mend.
    async fn is_in_service(&self) -> Result<(), Error> {
        match self.view().await?.status {
            Some(status @ 500..) => Err(Error::Unavailable(format!("status {status}"))),
            _ => Ok(()),
        }
    }

    /// The address that is open.
    pub(crate) async fn url(&self) -> Result<Url, Error> {
        self.driver.current_url().await.map_err(failed)
    }

    /// Whether the site wants a person, as the page shows it and as its calls were answered.
    pub(crate) async fn look(&self) -> Result<(), Error> {
        self.glance().await.map(drop)
    }

    /// The same; and whether something else lies over the page that can be taken away.
    pub(crate) async fn glance(&self) -> Result<bool, Error> {
        let view = self.view().await?;
        if view.url.starts_with(NO_PAGE) {
            return Err(self.no_page());
        }
        // What the form says under its fields is about what was entered, in whatever words.
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
            // Why the form complains stands in an answer that may still be on its way to us.
            self.traffic.quiet(TOLD_AFTER, TOLD_WITHIN).await;
        }
        let looked_at = self.looked_at.load(Ordering::Relaxed);
        let calls = self.traffic.since(looked_at).unwrap_or_default();
        let mut emptied = None;
        for exchange in &calls {
            if exchange.is_download() {
                return Err(unusable("a file to download in the place of a page"));
            }
            let Some(signs) = self.call_signs(exchange) else {
                continue;
            };
            let Some(told) = self.detector.detect(&signs) else {
                // An operator's own signs may not have it: it is no answer all the same.
                emptied = emptied.or_else(|| signs.emptied.into_iter().next());
                continue;
            };
            // A form says that something went wrong, the answer to its call says what.
            if verdict
                .as_ref()
                .is_none_or(|(known, _)| weight(known.kind) < weight(told.kind))
            {
                verdict = Some((told, signs.text));
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
        // A call that is still under way is looked at again when it is answered.
        let answered = calls.iter().take_while(|exchange| exchange.complete).count();
        self.looked_at.store(looked_at + answered, Ordering::Relaxed);
        Ok(view.covered)
    }

    /// Why the browser shows a page of its own.
    fn no_page(&self) -> Error {
        let all = self
            .traffic
            .since(self.opened_at.load(Ordering::Relaxed))
            .unwrap_or_default();
        let failed = all.iter().rev().find(|each| each.is_document && each.failed);
        no_page(failed.map_or("no connection", |each| each.failure.as_str()))
    }

    /// The answer to one of the page's calls to its own site, as the detector wants it.
    fn call_signs(&self, exchange: &Exchange) -> Option<Signs> {
        let url = Url::parse(&exchange.url).ok()?;
        let is_call = url.origin() == self.base.origin() && url.path().contains("/api/");
        // The page itself renews its session after a 401, and goes to the login page when it cannot.
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

    /// The category that the form last asked the site's questions for; `None` where it did not ask on this page.
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

    /// By which selector an element of this kind was last found.
    pub(crate) fn found_by(&self, key: Key) -> Option<String> {
        let found_by = self.found_by.lock().unwrap_or_else(PoisonError::into_inner);
        found_by.get(&key).cloned()
    }

    /// What a person looks at afterwards. What the browser cannot give any more is left out.
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

    fn joined(&self, keys: &[Key]) -> String {
        let selectors = keys.iter().flat_map(|key| self.selectors.of(*key));
        selectors
            .map(|each| each.css.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// How much a verdict says about what is the matter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Something.
    Wrong,
    /// A refusal.
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

/// What an element shows as its value.
pub(crate) async fn value(element: &WebElement) -> WebDriverResult<String> {
    Ok(element.prop("value").await?.unwrap_or_default())
}

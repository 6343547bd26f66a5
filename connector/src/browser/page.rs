//! Finding and pressing things on the page that is open, and looking whether the site wants a person.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use thirtyfour::error::{WebDriverError, WebDriverErrorInner, WebDriverResult};
use thirtyfour::{By, WebDriver, WebElement};
use url::Url;
use vintedbot_marketplace::challenge::{Detector, Signs};
use vintedbot_marketplace::selectors::{Key, Selectors};
use vintedbot_marketplace::{Error, Evidence};

use super::broken;
use super::traffic::{Exchange, Traffic};

pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long an element may take to come once it is due.
pub(crate) const COMES_WITHIN: Duration = Duration::from_secs(10);
/// The tallest picture that Chromium takes in one piece.
const TALLEST: f64 = 16_000.0;

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

/// An element by its key, and the id or number of the one that is meant where the key has many.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) key: Key,
    pub(crate) value: &'a str,
}

impl From<Key> for Target<'_> {
    fn from(key: Key) -> Self {
        Self { key, value: "" }
    }
}

/// The page that is open in one browser.
pub(crate) struct Page {
    pub(crate) driver: WebDriver,
    pub(crate) traffic: Traffic,
    pub(crate) base: Url,
    selectors: Arc<Selectors>,
    detector: Arc<Detector>,
    /// The item's own words, which are never a sign of anything.
    member_texts: Vec<String>,
    /// Up to where the page's calls have been looked at.
    looked_at: usize,
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
            looked_at: 0,
        }
    }

    /// Goes to a page of the site and looks for a challenge there.
    pub(crate) async fn open(&mut self, path: &str) -> Result<(), Error> {
        let url = self.base.join(path).map_err(broken)?;
        self.driver
            .goto(url.as_str())
            .await
            .map_err(|error| match *error {
                // The browser works, and says why the site does not come.
                WebDriverErrorInner::UnknownError(_) | WebDriverErrorInner::WebDriverTimeout(_) => {
                    Error::Unavailable(error.to_string())
                }
                _ => broken(error),
            })?;
        self.look().await
    }

    /// The address that is open.
    pub(crate) async fn url(&self) -> Result<Url, Error> {
        self.driver.current_url().await.map_err(broken)
    }

    /// Whether the site wants a person, as the page shows it and as its calls were answered.
    pub(crate) async fn look(&mut self) -> Result<(), Error> {
        let view = self.view().await?;
        // What the form says under its fields is about what was entered, in whatever words.
        let mut harmless = self.member_texts.clone();
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
        let mut verdict = self.detector.detect(&signs);
        let exchanges = self.traffic.since(self.looked_at).unwrap_or_default();
        self.looked_at += exchanges.iter().take_while(|exchange| exchange.complete).count();
        if verdict.is_none() {
            verdict = exchanges
                .iter()
                .filter_map(|exchange| self.signs_of_call(exchange))
                .find_map(|signs| self.detector.detect(&signs));
        }
        match verdict {
            None => Ok(()),
            Some(verdict) => Err(Error::Challenge {
                verdict,
                evidence: Box::new(self.evidence().await),
            }),
        }
    }

    /// A call of the page to its own site, as the detector wants to see it.
    pub(crate) fn signs_of_call(&self, exchange: &Exchange) -> Option<Signs> {
        let url = Url::parse(&exchange.url).ok()?;
        let is_call = url.origin() == self.base.origin() && url.path().contains("/api/");
        // The page itself renews its session after a 401, and goes to the login page when it cannot.
        if exchange.is_document || !is_call || !exchange.complete || exchange.status == Some(401) {
            return None;
        }
        let text = exchange.body.clone().unwrap_or_default();
        let json: Option<Value> = serde_json::from_str(&text).ok();
        Some(Signs {
            url: exchange.url.clone(),
            status: exchange.status,
            headers: exchange.headers.clone(),
            content_type: Some(exchange.content_type.clone()),
            expected_json: exchange.status != Some(404),
            json_code: json.and_then(|json| json["code"].as_i64()),
            text,
            ..Signs::default()
        })
    }

    /// What a person looks at afterwards. What the browser cannot give any more is left out.
    pub(crate) async fn evidence(&self) -> Evidence {
        let screenshot = match self.screenshot().await {
            Ok(png) => Some(png.into()),
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

    /// The element, if it is on the page now.
    pub(crate) async fn there(&self, target: impl Into<Target<'_>>) -> Result<Option<WebElement>, Error> {
        let target = target.into();
        for css in self.selectors.css(target.key, target.value) {
            match self.driver.find(By::Css(css)).await {
                Ok(element) => return Ok(Some(element)),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(None)
    }

    /// The element, if it is on the page and can be seen now.
    pub(crate) async fn visible(&self, target: impl Into<Target<'_>>) -> Result<Option<WebElement>, Error> {
        let target = target.into();
        for css in self.selectors.css(target.key, target.value) {
            match self.driver.find_all(By::Css(css)).await {
                Ok(elements) => {
                    for element in elements {
                        if element.is_displayed().await.unwrap_or(false) {
                            return Ok(Some(element));
                        }
                    }
                }
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(None)
    }

    /// Every element of a key, by the first of its selectors that finds any.
    pub(crate) async fn all(&self, key: Key) -> Result<Vec<WebElement>, Error> {
        for selector in self.selectors.of(key) {
            let found = self
                .driver
                .find_all(By::Css(selector.css.clone()))
                .await
                .map_err(broken)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// The visible element, once it comes; `None` when it does not come in time.
    pub(crate) async fn comes(
        &self,
        target: impl Into<Target<'_>>,
        limit: Duration,
    ) -> Result<Option<WebElement>, Error> {
        let target = target.into();
        within!(limit, self.visible(target).await)
    }

    /// Presses the element once it is there and nothing covers it; `false` when that does not come about in time.
    pub(crate) async fn press(&self, target: impl Into<Target<'_>>, limit: Duration) -> Result<bool, Error> {
        let target = target.into();
        let pressed = within!(limit, {
            let Some(element) = self.visible(target).await? else {
                return Ok(None);
            };
            match element.click().await {
                Ok(()) => Ok(Some(())),
                Err(error) if is_not_clicked(&error) => Ok(None),
                Err(error) => Err(broken(error)),
            }
        });
        Ok(pressed?.is_some())
    }

    /// The error for a field that is nowhere to be found.
    pub(crate) async fn not_found(&self, field: &str) -> Error {
        Error::FieldNotFound {
            field: field.to_owned(),
            evidence: Box::new(self.evidence().await),
        }
    }

    /// The texts of all validation messages that the form shows.
    pub(crate) async fn alerts(&self) -> Result<Vec<String>, Error> {
        let mut texts = Vec::new();
        for alert in self.all(Key::FieldAlert).await? {
            let text = alert.text().await.unwrap_or_default();
            if !text.trim().is_empty() {
                texts.push(text.trim().to_owned());
            }
        }
        Ok(texts)
    }

    async fn view(&self) -> Result<View, Error> {
        let css: Vec<&str> = self.detector.element_selectors().collect();
        let alerts: Vec<&str> = self
            .selectors
            .of(Key::FieldAlert)
            .iter()
            .map(|selector| selector.css.as_str())
            .collect();
        let seen = self
            .driver
            .execute(VIEW, vec![json!(css), json!(alerts.join(", "))])
            .await
            .map_err(broken)?;
        seen.convert().map_err(broken)
    }

    /// The whole page as PNG, also what has to be scrolled to.
    async fn screenshot(&self) -> Result<Vec<u8>, Error> {
        let cdp = self.driver.cdp();
        let metrics = cdp
            .send_raw("Page.getLayoutMetrics", json!({}))
            .await
            .map_err(broken)?;
        let size = &metrics["cssContentSize"];
        let (width, height) = (
            size["width"].as_f64().unwrap_or(1280.0),
            size["height"].as_f64().unwrap_or(1600.0),
        );
        let whole = json!({
            "format": "png",
            "captureBeyondViewport": true,
            "clip": { "x": 0, "y": 0, "width": width, "height": height.min(TALLEST), "scale": 1 },
        });
        let picture = cdp
            .send_raw("Page.captureScreenshot", whole)
            .await
            .map_err(broken)?;
        STANDARD
            .decode(picture["data"].as_str().unwrap_or_default())
            .map_err(broken)
    }
}

/// What an element shows as its value.
pub(crate) async fn value(element: &WebElement) -> WebDriverResult<String> {
    Ok(element.prop("value").await?.unwrap_or_default())
}

fn is_missing(error: &WebDriverError) -> bool {
    matches!(
        **error,
        WebDriverErrorInner::NoSuchElement(_) | WebDriverErrorInner::StaleElementReference(_)
    )
}

/// Whether the driver says that a click was not made at all.
pub(crate) fn is_not_clicked(error: &WebDriverError) -> bool {
    is_missing(error)
        || matches!(
            **error,
            WebDriverErrorInner::ElementClickIntercepted(_)
                | WebDriverErrorInner::ElementNotInteractable(_)
                | WebDriverErrorInner::InvalidElementState(_)
                | WebDriverErrorInner::MoveTargetOutOfBounds(_)
        )
}

//! Runs one case through the connector, and compares it with the site's records.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use serde_json::json;
use vintedbot_connector::{BrowserConfig, Config, Connector, Pacing};
use vintedbot_marketplace::challenge::{Detector, Kind};
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_marketplace::{
    AccountContext, Error, ListingFormDriver, ListingFormRequest, Marketplace, Permit, StepObserver, Stopped,
    TimelineStep, WriteError,
};
use vintedbot_practice::Practice;

use super::cases::Case;
use super::{expected, listing};
use crate::records::Site;

/// The time limit of a case; enough for every case on a slow machine.
const CASE_ENDS_WITHIN: Duration = Duration::from_secs(240);
const LOGIN: &str = "marie";

/// The outcome of a case.
pub struct Outcome {
    /// A description of the outcome.
    pub came_to: String,
    pub is_as_expected: bool,
    /// Whether the site published the item although a challenge had appeared.
    pub published_past: bool,
}

/// The way in which the connector ended.
enum End {
    Published,
    Challenge(Kind),
    Stopped(String),
}

struct Unobserved;

#[async_trait]
impl StepObserver for Unobserved {
    async fn reached(&self, _: TimelineStep) -> Result<(), Stopped> {
        Ok(())
    }
}

/// A permit that never ends: in this proof, only the connector itself can stop a click.
struct Always;

impl Permit for Always {
    fn still_valid(&self) -> bool {
        true
    }
}

/// Runs a case on a separate practice site.
pub async fn case(case: &Case, browser: BrowserConfig, detector: Arc<Detector>) -> Result<Outcome> {
    let config = vintedbot_practice::Config {
        visible_delay_ms: 0,
        ..Default::default()
    };
    let running = Practice::bind(SocketAddr::from(([127, 0, 0, 1], 0)), config).await?;
    let url = format!("http://{}", running.local_addr());
    let site = Site::new(&url)?;
    let language = case.language.code();
    site.add_member(&json!({ "login": LOGIN, "language": language, "pages": case.pages() }))
        .await?;
    let connector = connector(&url, browser, detector)?;
    let account_context = AccountContext {
        account_id: "account".to_owned(),
        site: "practice".to_owned(),
        language: case.language,
        practice_login: LOGIN.to_owned(),
        lock: None,
    };
    let (content, photos) = listing::listing(connector.catalog(&account_context).await?)?;
    if let Some(rule) = case.rule() {
        site.add_rule(&rule).await?;
    }
    let folder = tempfile::tempdir()?;
    let request = ListingFormRequest {
        work_dir: folder.path().join("attempt"),
        content: content.clone(),
        photos,
        keeps_photos: false,
    };
    let mut form_driver = connector.compose(&account_context, request).await?;
    let end = tokio::time::timeout(CASE_ENDS_WITHIN, publish(form_driver.as_mut())).await;
    form_driver.quit().await;
    let end = end.unwrap_or_else(|_| End::Stopped("the time limit was reached".to_owned()));
    let records = site.whole_records().await?;
    let published: Vec<_> = records
        .iter()
        .filter(|record| record["kind"] == "item_published")
        .collect();
    let has_struck = site.rules().await?.iter().any(|rule| rule["struck"] != 0);
    let published_past = has_struck && !published.is_empty();
    let (is_as_expected, came_to) = match (&end, case.challenge.filter(|_| has_struck)) {
        (End::Published, None) => match published.as_slice() {
            [record] => {
                let difference = listing::difference(record, &content);
                (difference.is_none(), difference.unwrap_or("published".to_owned()))
            }
            other => (false, format!("{} items were published", other.len())),
        },
        (End::Published, Some(_)) => (false, "published".to_owned()),
        (End::Challenge(kind), Some((struck, place))) => {
            let verdicts = expected::verdicts(struck, place);
            let fits = verdicts.is_none_or(|verdicts| verdicts.contains(kind));
            (fits && published.is_empty(), format!("{kind:?}"))
        }
        (End::Challenge(kind), None) => (false, format!("{kind:?} without a challenge")),
        (End::Stopped(why), struck) => {
            let may_stop = struck.is_some_and(|(kind, place)| expected::verdicts(kind, place).is_none());
            (may_stop && published.is_empty(), why.clone())
        }
    };
    running.stop().await?;
    Ok(Outcome {
        came_to,
        is_as_expected,
        published_past,
    })
}

fn connector(url: &str, browser: BrowserConfig, detector: Arc<Detector>) -> Result<Connector> {
    let numbers = AtomicU64::new(7);
    Ok(Connector::new(Config {
        practice_url: Some(url.parse().context("the practice site's address is not valid")?),
        browser: Some(browser),
        selectors: Arc::new(Selectors::embedded().clone()),
        detector,
        pacing: Pacing::NONE,
        random: Arc::new(move || numbers.fetch_add(0x9E37_79B9, Ordering::Relaxed)),
        request_timeout: Duration::from_secs(10),
        sessions: None,
        proxy: None,
        clock: Arc::new(now),
        attempt_time: CASE_ENDS_WITHIN,
    })?)
}

/// Returns the machine's time in UTC milliseconds; the practice site's tokens expire by it.
fn now() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec * 1000 + now.tv_nsec / 1_000_000
}

/// Publishes the listing through the same steps as the worker.
#[expect(
    clippy::disallowed_methods,
    reason = "the proof drives the connector directly, on its own practice site"
)]
async fn publish(form_driver: &mut dyn ListingFormDriver) -> End {
    if let Err(error) = form_driver.fill(&Unobserved).await {
        return stopped(error);
    }
    let saved = match form_driver.save_draft(&Always).await {
        Ok(saved) => saved,
        Err(error) => return not_written(error),
    };
    let Some(id) = saved.remote_id else {
        return End::Stopped("the draft got no id".to_owned());
    };
    if let Err(error) = form_driver.open_draft(&id, &Unobserved).await {
        return stopped(error);
    }
    match form_driver.publish(&Always).await {
        Ok(_) => End::Published,
        Err(error) => not_written(error),
    }
}

fn stopped(error: Error) -> End {
    match error {
        Error::Challenge { verdict, .. } => End::Challenge(verdict.kind),
        other => End::Stopped(other.to_string()),
    }
}

fn not_written(error: WriteError) -> End {
    match error {
        WriteError::NotSent(error) | WriteError::Refused(error) | WriteError::Unknown(error) => {
            stopped(error)
        }
    }
}

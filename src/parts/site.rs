//! Access to the site: the connector, and the practice site in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use url::Url;
use vintedbot_connector::{BrowserConfig, Connector, Pacing};
use vintedbot_domain::Context;
use vintedbot_domain::accounts::StoredSessions;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::settings::Settings;
use vintedbot_marketplace::DriverKind;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_practice::{Buyers, Practice, Running};

use super::neighbours;
use crate::config::{Browser, Config};

/// Returns the context with the setting whether a person can see the browser window.
pub fn with_window(context: &Context, driver: DriverKind) -> Context {
    let settings = Settings {
        browser_window: driver == DriverKind::Browser { headless: false },
        ..(*context.settings).clone()
    };
    Context {
        settings: Arc::new(settings),
        ..context.clone()
    }
}

/// Starts the practice site in this process, unless the settings name another one.
pub async fn start_practice(config: &Config) -> Result<Option<Running>> {
    if !config.practice.url.is_empty() {
        return Ok(None);
    }
    let folder = config.data_dir.join("practice");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let site = vintedbot_practice::Config {
        records: Some(folder.join("records.jsonl")),
        state: Some(folder.join("state.json")),
        buyers: buyers(config),
        ..vintedbot_practice::Config::default()
    };
    let site = Practice::bind(config.practice.listen, site).await;
    Ok(Some(site.with_context(|| {
        format!("practice.listen = {}", config.practice.listen)
    })?))
}

/// Returns the configuration of the practice site's buyers. Each start uses a new random seed.
fn buyers(config: &Config) -> Option<Buyers> {
    (config.practice.buyers_interval_ms > 0).then(|| Buyers {
        pace: Duration::from_millis(config.practice.buyers_interval_ms.unsigned_abs()),
        seed: u64::from_le_bytes(SystemIds.secret()[..8].try_into().unwrap_or_default()),
    })
}

/// Returns the address of the practice site.
pub fn practice_url(config: &Config, running: Option<&Running>) -> String {
    running.map_or_else(
        || config.practice.url.clone(),
        |site| format!("http://{}", site.local_addr()),
    )
}

/// Creates the connector from the settings.
pub fn connect(config: &Config, practice_url: &str, context: &Context) -> Result<Connector> {
    let settings = &context.settings;
    let clock = Arc::clone(&context.clock);
    let attempt_ms = settings.jobs.attempt_timeout_ms
        + settings.effects.click_window_ms
        + settings.effects.request_timeout_ms;
    let pause = Duration::from_millis(config.browser.pacing_ms.unsigned_abs());
    let ids = SystemIds;
    let browser = find_browser(config)?;
    if let Some(browser) = &browser {
        neighbours::warn_of_them(browser);
    }
    Ok(Connector::new(vintedbot_connector::Config {
        practice_url: match practice_url {
            "" => None,
            url => Some(url.parse().context("practice_url")?),
        },
        browser,
        selectors: Arc::new(selectors(config)?),
        detector: Arc::new(Detector::embedded().clone()),
        pacing: Pacing {
            mean: pause,
            jitter: pause / 2,
        },
        random: Arc::new(move || u64::from_le_bytes(ids.secret()[..8].try_into().unwrap_or_default())),
        request_timeout: Duration::from_millis(u64::try_from(settings.effects.request_timeout_ms)?),
        sessions: Some(Arc::new(StoredSessions::new(context.clone()))),
        proxy: proxy(config)?,
        clock: Arc::new(move || clock.now()),
        attempt_time: Duration::from_millis(u64::try_from(attempt_ms)?),
    })?)
}

/// Returns the operator's selectors, or the embedded ones.
pub fn selectors(config: &Config) -> Result<Selectors> {
    let Some(file) = set(&config.browser.selectors_file) else {
        return Ok(Selectors::embedded().clone());
    };
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Selectors::parse(&text).with_context(|| file.display().to_string())
}

/// Returns the proxy for real sites. Errors do not contain its address, which may include a password.
fn proxy(config: &Config) -> Result<Option<Url>> {
    let text = config.proxy_url.trim();
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(text.parse().context("proxy_url is not an address")?))
}

fn find_browser(config: &Config) -> Result<Option<BrowserConfig>> {
    if config.browser.mode == Browser::Off {
        return Ok(None);
    }
    let (binary, driver) = (set(&config.browser.binary), set(&config.browser.chromedriver));
    if !config.browser.webdriver_url.is_empty() {
        return Ok(Some(BrowserConfig::remote(
            &config.browser.webdriver_url,
            binary,
            config.browser.headless,
        )?));
    }
    let found = BrowserConfig::find(binary, driver, config.browser.headless)?;
    if found.is_none() && config.browser.mode == Browser::Required {
        bail!(
            "BROWSER=required, but Chromium or its driver was not found; set BROWSER_BINARY and CHROMEDRIVER"
        );
    }
    Ok(found)
}

pub fn set(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

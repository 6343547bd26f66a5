//! What reaches the site: the connector as the settings describe it, and the practice site in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use url::Url;
use vintedbot_connector::{BrowserConfig, Connector, Pacing};
use vintedbot_domain::Domain;
use vintedbot_domain::accounts::StoredSessions;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::settings::Settings;
use vintedbot_marketplace::DriverKind;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_practice::{Buyers, Practice, Running};

use super::neighbours;
use crate::config::{Browser, Config};

/// The same domain, told whether there is a window that a person can see.
pub fn with_window(domain: &Domain, driver: DriverKind) -> Domain {
    let settings = Settings {
        browser_window: driver == DriverKind::Browser { headless: false },
        ..(*domain.settings).clone()
    };
    Domain {
        settings: Arc::new(settings),
        ..domain.clone()
    }
}

/// The practice site inside this process, unless one elsewhere is named.
pub async fn start_practice(config: &Config) -> Result<Option<Running>> {
    if !config.practice_url.is_empty() {
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
    let site = Practice::bind(config.practice_listen, site).await;
    Ok(Some(site.with_context(|| {
        format!("practice_listen = {}", config.practice_listen)
    })?))
}

/// The practice site's buyers, whom every start finds in another humour.
fn buyers(config: &Config) -> Option<Buyers> {
    (config.practice_buyers_s > 0).then(|| Buyers {
        pace: Duration::from_secs(config.practice_buyers_s),
        seed: u64::from_le_bytes(SystemIds.secret()[..8].try_into().unwrap_or_default()),
    })
}

/// Where the practice site is.
pub fn practice_url(config: &Config, running: Option<&Running>) -> String {
    running.map_or_else(
        || config.practice_url.clone(),
        |site| format!("http://{}", site.local_addr()),
    )
}

/// The connector that the settings describe.
pub fn connect(config: &Config, practice_url: &str, domain: &Domain) -> Result<Connector> {
    let settings = &domain.settings;
    let clock = Arc::clone(&domain.clock);
    let attempt_ms = settings.attempt_timeout_ms + settings.click_window_ms + settings.request_timeout_ms;
    let pause = Duration::from_millis(config.pacing_ms);
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
        request_timeout: Duration::from_millis(u64::try_from(settings.request_timeout_ms)?),
        sessions: Some(Arc::new(StoredSessions::new(domain.clone()))),
        proxy: proxy(config)?,
        clock: Arc::new(move || clock.now()),
        attempt_time: Duration::from_millis(u64::try_from(attempt_ms)?),
    })?)
}

/// The selectors that come with the program, or the operator's over them.
pub fn selectors(config: &Config) -> Result<Selectors> {
    let Some(file) = set(&config.selectors_file) else {
        return Ok(Selectors::embedded().clone());
    };
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Selectors::parse(&text).with_context(|| file.display().to_string())
}

/// The proxy for real sites. What is wrong with it is said without its address, which may have a password in it.
fn proxy(config: &Config) -> Result<Option<Url>> {
    let text = config.proxy_url.trim();
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(text.parse().context("proxy_url is not an address")?))
}

fn find_browser(config: &Config) -> Result<Option<BrowserConfig>> {
    if config.browser == Browser::Off {
        return Ok(None);
    }
    let (binary, driver) = (set(&config.browser_binary), set(&config.chromedriver));
    if !config.webdriver_url.is_empty() {
        return Ok(Some(BrowserConfig::remote(
            &config.webdriver_url,
            binary,
            config.browser_headless,
        )?));
    }
    let found = BrowserConfig::find(binary, driver, config.browser_headless)?;
    if found.is_none() && config.browser == Browser::Required {
        bail!(
            "browser = required, and no Chromium with its driver was found; set BROWSER_BINARY and CHROMEDRIVER"
        );
    }
    Ok(found)
}

pub fn set(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

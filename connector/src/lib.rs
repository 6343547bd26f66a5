//! Access to the site: its JSON API through a web session, its listing form through a real browser.
//!
//! [`Connector`] is the product's only [`Marketplace`]. Its modules:
//!
//! - `web` reads from the site and writes to its inbox.
//! - `browser` writes through Chromium.
//! - `browserless` writes to the practice site if there is no browser.
//! - `reading` compares the site's values with the approved content.
//! - `process` ends what an attempt leaves behind.
//! - `driver_host` protects a driver from other users of the machine.
//! - `egress` is the only client for addresses that third parties supply.
//! - `redact` and `redactor` remove a session's values from everything that leaves this crate.
//!
//! Selectors, limits and the signs of a challenge are data of the marketplace crate. To support another way of writing,
//! implement `ListingFormDriver` and choose it in [`Connector::compose`](Marketplace::compose).

mod active;
mod browser;
mod browserless;
mod driver_host;
mod egress;
mod failpoints;
mod inbox;
mod pacing;
mod process;
mod reading;
mod redact;
mod redactor;
mod signs;
mod text;
mod web;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::task::TaskTracker;
use url::{Host, Url};
use vintedbot_marketplace::catalog::Catalog;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::markets::{Market, PRACTICE};
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_marketplace::{
    AccountContext, DriverKind, Ending, Error, ListingFormDriver, ListingFormIdentity, ListingFormRequest,
    Marketplace, Member, OwnItem, RemoteItem, Session, Sessions,
};

pub use browser::{BrowserConfig, Checked, CheckedPage, check_selectors, is_isolated};
pub use driver_host::run_as_host;
pub use egress::{EgressClient, Post, Received, Resolver, SystemResolver};
pub use pacing::{Pacing, Random};
pub use process::{is_running, this_process};

use active::Active;
use browser::{BrowserFormDriver, Equipment};
use browserless::Browserless;
use egress::Allowed;
use pacing::Pace;
use redact::RedactingFormDriver;
use web::{SessionCache, SiteClientConfig, WebSession};

/// Returns the time in UTC milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How long before its expiry an access token is renewed. This is longer than the interval between two session checks,
/// so that a token does not expire between them.
const RENEWED_BEFORE: Duration = Duration::from_secs(15 * 60);

/// The configuration of a [`Connector`].
#[derive(Clone)]
pub struct Config {
    /// The URL of the practice site, which is always on this machine. Absent: practice accounts have no session.
    pub practice_url: Option<Url>,
    /// The browser for writes. Absent: writes go to the practice site as plain requests.
    pub browser: Option<BrowserConfig>,
    pub selectors: Arc<Selectors>,
    /// Detects challenges.
    pub detector: Arc<Detector>,
    pub pacing: Pacing,
    pub random: Random,
    /// The time limit of one request to the site.
    pub request_timeout: Duration,
    /// The store of imported sessions. Absent: only the practice site can be used.
    pub sessions: Option<Arc<dyn Sessions>>,
    /// The proxy for connections to real sites. Never used for this machine.
    pub proxy: Option<Url>,
    pub clock: Clock,
    /// The time limit of an attempt with a browser. The session cannot be renewed while the browser is open, so its
    /// access token must last as long.
    pub attempt_time: Duration,
}

/// Why a [`Connector`] cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the practice site must have an http address on this machine, not {0}")]
    NotLoopback(Url),
    // Neither message contains the address, which may have a password in it.
    #[error("the proxy must be http://host:port, https://host:port or socks5://host:port")]
    ProxyUnknown,
    #[error("the browser cannot send a proxy's password: use a proxy without one, or set BROWSER=off")]
    ProxyPassword,
}

/// All sites as one [`Marketplace`].
pub struct Connector {
    config: Config,
    client_config: Arc<SiteClientConfig>,
    session_caches: Mutex<HashMap<(String, String), Arc<SessionCache>>>,
    active: Active,
}

impl Connector {
    /// Creates a connector. Sends nothing.
    ///
    /// # Errors
    /// The practice site's address is not on this machine, or the proxy cannot be used.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        if let Some(url) = &config.practice_url
            && !is_on_this_machine(url)
        {
            return Err(ConfigError::NotLoopback(url.clone()));
        }
        if let Some(proxy) = &config.proxy {
            check_proxy(proxy, config.browser.is_some())?;
        }
        let client_config = SiteClientConfig {
            timeout: config.request_timeout,
            proxy: config.proxy.clone(),
            detector: Arc::clone(&config.detector),
            sessions: config.sessions.clone(),
            renewals: TaskTracker::new(),
            clock: Arc::clone(&config.clock),
        };
        Ok(Self {
            config,
            client_config: Arc::new(client_config),
            session_caches: Mutex::default(),
            active: Active::default(),
        })
    }

    /// Waits for the session renewals in progress, so that each is stored before the process ends.
    pub async fn drained(&self) {
        self.client_config.renewals.close();
        self.client_config.renewals.wait().await;
    }

    /// Returns the account's session. Its cache lasts from one call to the next.
    fn session(&self, account_context: &AccountContext) -> Result<Arc<WebSession>, Error> {
        let base = self.base(account_context)?;
        let key = (
            account_context.account_id.clone(),
            format!("{}/{}", account_context.site, account_context.language.code()),
        );
        let mut session_caches = self.session_caches.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = Arc::clone(session_caches.entry(key).or_default());
        let client_config = Arc::clone(&self.client_config);
        Ok(Arc::new(WebSession::new(
            base,
            account_context.clone(),
            cache,
            client_config,
        )))
    }

    /// Returns the URL of the account's site.
    fn base(&self, account_context: &AccountContext) -> Result<Url, Error> {
        let no_session = || Error::NoSession(account_context.site.clone());
        if account_context.site == PRACTICE {
            return self.config.practice_url.clone().ok_or_else(no_session);
        }
        let host = Market::find(&account_context.site).and_then(Market::web_host);
        let url = host.and_then(|host| Url::parse(&format!("https://{host}")).ok());
        url.ok_or_else(no_session)
    }

    fn pace(&self) -> Pace {
        Pace {
            pacing: self.config.pacing,
            random: Arc::clone(&self.config.random),
        }
    }
}

/// Refuses a proxy that cannot be used. The browser cannot send a proxy's password, and no message may repeat it.
fn check_proxy(proxy: &Url, has_browser: bool) -> Result<(), ConfigError> {
    let is_known = matches!(proxy.scheme(), "http" | "https" | "socks5") && proxy.has_host();
    if !is_known {
        return Err(ConfigError::ProxyUnknown);
    }
    let has_password = !proxy.username().is_empty() || proxy.password().is_some();
    if has_password && has_browser {
        return Err(ConfigError::ProxyPassword);
    }
    Ok(())
}

#[async_trait]
impl Marketplace for Connector {
    fn driver(&self) -> DriverKind {
        match &self.config.browser {
            Some(browser) => DriverKind::Browser {
                headless: browser.headless,
            },
            None => DriverKind::Browserless,
        }
    }

    async fn member(&self, account_context: &AccountContext) -> Result<Member, Error> {
        let session = self.session(account_context)?;
        // The token has not expired yet. If it cannot be renewed now, the next check tries again.
        match session.lasting(RENEWED_BEFORE).await {
            Err(Error::SessionBusy | Error::Unavailable(_)) | Ok(()) => {}
            Err(error) => return session.redact_error(Err(error)).await,
        }
        session.redact_error(session.member().await).await
    }

    async fn catalog(&self, account_context: &AccountContext) -> Result<Catalog, Error> {
        let session = self.session(account_context)?;
        session.redact_error(session.catalog().await).await
    }

    async fn wardrobe(&self, account_context: &AccountContext) -> Result<Vec<RemoteItem>, Error> {
        let session = self.session(account_context)?;
        session.redact_error(session.wardrobe().await).await
    }

    async fn item(
        &self,
        account_context: &AccountContext,
        remote_id: &str,
    ) -> Result<Option<RemoteItem>, Error> {
        let session = self.session(account_context)?;
        session.redact_error(session.item(remote_id).await).await
    }

    async fn own_item(
        &self,
        account_context: &AccountContext,
        remote_id: &str,
        listed: Option<&RemoteItem>,
    ) -> Result<Option<OwnItem>, Error> {
        if listed.is_some() {
            self.pace().pause().await;
        }
        let session = self.session(account_context)?;
        session
            .redact_error(session.own_item(remote_id, listed).await)
            .await
    }

    async fn photo(
        &self,
        account_context: &AccountContext,
        url: &str,
        max_bytes: usize,
    ) -> Result<Bytes, Error> {
        let allowed = match &self.config.practice_url {
            Some(base) if account_context.site == PRACTICE => Allowed::Practice(base),
            _ if account_context.site == PRACTICE => {
                return Err(Error::NoSession(account_context.site.clone()));
            }
            _ => Allowed::Hosts(vintedbot_marketplace::hosts::has_photos),
        };
        egress::fetch(url, &allowed, self.config.request_timeout, max_bytes).await
    }

    async fn try_session(
        &self,
        account_context: &AccountContext,
        session: &Session,
    ) -> Result<Member, Error> {
        let base = self.base(account_context)?;
        let client_config = Arc::clone(&self.client_config);
        let candidate = WebSession::new(base, account_context.clone(), Arc::default(), client_config)
            .of_candidate(session.clone());
        let tried = candidate.signed_in().await;
        let tried = candidate.redact_error(tried).await?;
        Ok(tried.member.clone())
    }

    async fn forget(&self, account_id: &str) {
        let mut session_caches = self.session_caches.lock().unwrap_or_else(PoisonError::into_inner);
        session_caches.retain(|(known, _), _| known != account_id);
    }

    async fn compose(
        &self,
        account_context: &AccountContext,
        request: ListingFormRequest,
    ) -> Result<Box<dyn ListingFormDriver>, Error> {
        let session = self.session(account_context)?;
        let is_real = account_context.site != PRACTICE;
        if is_real && self.config.browser.is_none() {
            return Err(Error::Browser(
                "there is no browser, and writes to a real site need one".to_owned(),
            ));
        }
        // The session cannot be renewed while a browser is open.
        session
            .redact_error(session.lasting(self.config.attempt_time).await)
            .await?;
        let attempt = self.active.enter(&request.work_dir);
        let pace = self.pace();
        let form_driver: Box<dyn ListingFormDriver> = match &self.config.browser {
            Some(browser) => {
                let browser = BrowserConfig {
                    proxy: self.config.proxy.clone().filter(|_| is_real),
                    ..browser.clone()
                };
                let equipment = Equipment {
                    selectors: Arc::clone(&self.config.selectors),
                    detector: Arc::clone(&self.config.detector),
                    pace,
                };
                let started =
                    BrowserFormDriver::start(&browser, Arc::clone(&session), request, equipment, attempt)
                        .await;
                Box::new(session.redact_error(started).await?)
            }
            None => Box::new(Browserless::new(Arc::clone(&session), request, pace, attempt)),
        };
        Ok(Box::new(RedactingFormDriver::new(form_driver, session)))
    }

    /// An attempt with a browser has ended when its browser is seen to be gone. An attempt without one has ended when
    /// its process is gone, or is this process and has finished the attempt. Call this on the machine that ran the
    /// attempt. If its driver was remote, any machine can call it.
    async fn end(&self, identity: &ListingFormIdentity) -> Ending {
        if !browser::end_leftover(identity).await {
            return Ending::Unknown;
        }
        let had_browser = identity.session_id.is_some();
        let is_own = identity.worker == this_process();
        let is_finished = identity
            .profile_dir
            .as_ref()
            .is_some_and(|dir| !self.active.contains(dir));
        if had_browser || !is_running(&identity.worker) || (is_own && is_finished) {
            Ending::Ended
        } else {
            Ending::Unknown
        }
    }
}

fn is_on_this_machine(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_error_shows_no_password() {
        for (url, has_browser, expected) in [
            ("http://proxy.example:3128", true, true),
            ("https://proxy.example", true, true),
            ("socks5://127.0.0.1:1080", true, true),
            ("ftp://proxy.example", true, false),
            ("http://name:secret@proxy.example:3128", false, true),
            ("http://name:secret@proxy.example:3128", true, false),
        ] {
            let checked = check_proxy(&url.parse().expect("an address"), has_browser);
            assert_eq!(checked.is_ok(), expected, "{url}");
            assert!(!format!("{checked:?}").contains("secret"));
        }
    }

    #[test]
    fn the_practice_site_is_always_on_this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1:8090", true),
            ("http://[::1]:8090", true),
            ("http://localhost:8090/", true),
            ("https://127.0.0.1:8090", false),
            ("http://127.0.0.1.example.org", false),
            ("http://192.168.1.5:8090", false),
        ] {
            assert_eq!(
                is_on_this_machine(&url.parse().expect("an address")),
                expected,
                "{url}"
            );
        }
    }
}

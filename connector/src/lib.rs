//! How the site is reached: its JSON calls through a web session, its form through a real browser.
//!
//! [`Connector`] is the one [`Marketplace`] of the product. `web` reads, `browser` writes through Chromium,
//! `browserless` writes to the practice site where there is no browser, `reading` compares what the site holds with what
//! was approved, `process` ends what an attempt leaves behind, `driver_host` keeps a driver from other users of
//! the machine. Selectors, limits and the signs of a challenge are data
//! of the marketplace crate. `outside` is the one way to
//! addresses that somebody else wrote. `discreet` keeps a session's values out of everything that leaves here. To support another way of writing, implement `Composer` and choose it in
//! [`Connector::compose`](Marketplace::compose).

mod active;
mod browser;
mod browserless;
mod discreet;
mod driver_host;
mod failpoints;
mod inbox;
mod outside;
mod pacing;
mod process;
mod reading;
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
    Composer, ComposerIdentity, ComposerRequest, DriverKind, Ending, Error, Marketplace, Member, OwnItem,
    RemoteItem, Seat, Session, Sessions,
};

pub use browser::{BrowserConfig, Checked, CheckedPage, check_selectors, is_isolated};
pub use driver_host::run_as_host;
pub use outside::{Outside, Post, Received, Resolver, SystemResolver};
pub use pacing::{Pacing, Random};
pub use process::{is_running, this_process};

use active::Active;
use browser::{BrowserComposer, Equipment};
use browserless::Browserless;
use discreet::Discreet;
use outside::Allowed;
use pacing::Pace;
use web::{Memory, Reach, WebSession};

/// The time, in UTC milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A session whose access token ends within this time is renewed when it is looked at: longer than the time between two
/// looks, so that it does not end in between.
const RENEWED_BEFORE: Duration = Duration::from_secs(15 * 60);

/// How a [`Connector`] reaches its sites.
#[derive(Clone)]
pub struct Config {
    /// Where the practice site is; without one, its seats have no session. Always on this machine.
    pub practice_url: Option<Url>,
    /// The browser to write with; without one, writes go to the practice site as plain requests.
    pub browser: Option<BrowserConfig>,
    pub selectors: Arc<Selectors>,
    /// What tells a challenge.
    pub detector: Arc<Detector>,
    pub pacing: Pacing,
    pub random: Random,
    /// The longest that one request to the site may take.
    pub request_timeout: Duration,
    /// Where imported sessions are kept; without it, only the practice site can be entered.
    pub sessions: Option<Arc<dyn Sessions>>,
    /// The one way out to real sites, for those who are behind a proxy; never used for this machine.
    pub proxy: Option<Url>,
    pub clock: Clock,
    /// The longest that an attempt with a browser takes: nobody renews a session while it is open, so that its token has to
    /// last as long.
    pub attempt_time: Duration,
}

/// Why a [`Connector`] cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0} is not an http address on this machine, and the practice site never leaves it")]
    NotLoopback(Url),
    // Neither says the address, which may have a password in it.
    #[error("the proxy must be http://host:port, https://host:port or socks5://host:port")]
    ProxyUnknown,
    #[error("the browser cannot give a proxy its password; use a proxy without one, or set BROWSER=off")]
    ProxyPassword,
}

/// The sites as one marketplace.
pub struct Connector {
    config: Config,
    reach: Arc<Reach>,
    memories: Mutex<HashMap<(String, String), Arc<Memory>>>,
    active: Active,
}

impl Connector {
    /// A connector; nothing is reached yet.
    ///
    /// # Errors
    /// The practice site's address leads off this machine, or the proxy cannot be used.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        if let Some(url) = &config.practice_url
            && !is_on_this_machine(url)
        {
            return Err(ConfigError::NotLoopback(url.clone()));
        }
        if let Some(proxy) = &config.proxy {
            check_proxy(proxy, config.browser.is_some())?;
        }
        let reach = Reach {
            timeout: config.request_timeout,
            proxy: config.proxy.clone(),
            detector: Arc::clone(&config.detector),
            sessions: config.sessions.clone(),
            renewals: TaskTracker::new(),
            clock: Arc::clone(&config.clock),
        };
        Ok(Self {
            config,
            reach: Arc::new(reach),
            memories: Mutex::default(),
            active: Active::default(),
        })
    }

    /// Waits for the renewals that are under way: each is stored before the process ends.
    pub async fn drained(&self) {
        self.reach.renewals.close();
        self.reach.renewals.wait().await;
    }

    /// The seat's session; what is known of it is kept from one call to the next.
    fn session(&self, seat: &Seat) -> Result<Arc<WebSession>, Error> {
        let base = self.base(seat)?;
        let key = (
            seat.account_id.clone(),
            format!("{}/{}", seat.site, seat.language.code()),
        );
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = Arc::clone(memories.entry(key).or_default());
        let reach = Arc::clone(&self.reach);
        Ok(Arc::new(WebSession::new(base, seat.clone(), memory, reach)))
    }

    /// Where the seat's site is.
    fn base(&self, seat: &Seat) -> Result<Url, Error> {
        let no_session = || Error::NoSession(seat.site.clone());
        if seat.site == PRACTICE {
            return self.config.practice_url.clone().ok_or_else(no_session);
        }
        let host = Market::find(&seat.site).and_then(Market::web_host);
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

/// The browser cannot be told a proxy's password, and no message may repeat it.
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

    async fn member(&self, seat: &Seat) -> Result<Member, Error> {
        let session = self.session(seat)?;
        // It is not over yet: who cannot renew it now does so at the next look.
        match session.lasting(RENEWED_BEFORE).await {
            Err(Error::SessionBusy | Error::Unavailable(_)) | Ok(()) => {}
            Err(error) => return session.told(Err(error)).await,
        }
        session.told(session.member().await).await
    }

    async fn catalog(&self, seat: &Seat) -> Result<Catalog, Error> {
        let session = self.session(seat)?;
        session.told(session.catalog().await).await
    }

    async fn wardrobe(&self, seat: &Seat) -> Result<Vec<RemoteItem>, Error> {
        let session = self.session(seat)?;
        session.told(session.wardrobe().await).await
    }

    async fn item(&self, seat: &Seat, remote_id: &str) -> Result<Option<RemoteItem>, Error> {
        let session = self.session(seat)?;
        session.told(session.item(remote_id).await).await
    }

    async fn own_item(
        &self,
        seat: &Seat,
        remote_id: &str,
        listed: Option<&RemoteItem>,
    ) -> Result<Option<OwnItem>, Error> {
        if listed.is_some() {
            self.pace().pause().await;
        }
        let session = self.session(seat)?;
        session.told(session.own_item(remote_id, listed).await).await
    }

    async fn photo(&self, seat: &Seat, url: &str, max_bytes: usize) -> Result<Bytes, Error> {
        let allowed = match &self.config.practice_url {
            Some(base) if seat.site == PRACTICE => Allowed::Practice(base),
            _ if seat.site == PRACTICE => return Err(Error::NoSession(seat.site.clone())),
            _ => Allowed::Hosts(vintedbot_marketplace::hosts::has_photos),
        };
        outside::fetch(url, &allowed, self.config.request_timeout, max_bytes).await
    }

    async fn try_session(&self, seat: &Seat, session: &Session) -> Result<Member, Error> {
        let base = self.base(seat)?;
        let reach = Arc::clone(&self.reach);
        let candidate =
            WebSession::new(base, seat.clone(), Arc::default(), reach).of_candidate(session.clone());
        let tried = candidate.signed_in().await;
        let tried = candidate.told(tried).await?;
        Ok(tried.member.clone())
    }

    async fn forget(&self, account_id: &str) {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.retain(|(known, _), _| known != account_id);
    }

    async fn compose(&self, seat: &Seat, request: ComposerRequest) -> Result<Box<dyn Composer>, Error> {
        let session = self.session(seat)?;
        let is_real = seat.site != PRACTICE;
        if is_real && self.config.browser.is_none() {
            return Err(Error::Browser(
                "a real site is only ever written to with a browser, and there is none".to_owned(),
            ));
        }
        // Nobody renews it while a browser is open.
        session
            .told(session.lasting(self.config.attempt_time).await)
            .await?;
        let attempt = self.active.enter(&request.work_dir);
        let pace = self.pace();
        let composer: Box<dyn Composer> = match &self.config.browser {
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
                    BrowserComposer::start(&browser, Arc::clone(&session), request, equipment, attempt).await;
                Box::new(session.told(started).await?)
            }
            None => Box::new(Browserless::new(Arc::clone(&session), request, pace, attempt)),
        };
        Ok(Box::new(Discreet::new(composer, session)))
    }

    /// A past attempt has ended when its browser is seen gone. One without a browser has ended when its process is gone,
    /// or is this one and has finished with it. To be called on the machine that ran the attempt, unless its driver was
    /// elsewhere: then from anywhere.
    async fn end(&self, identity: &ComposerIdentity) -> Ending {
        if !browser::end_leftover(identity).await {
            return Ending::Unknown;
        }
        let had_browser = identity.session_id.is_some();
        let is_own = identity.owner == this_process();
        let is_finished = identity
            .profile_dir
            .as_ref()
            .is_some_and(|dir| !self.active.contains(dir));
        if had_browser || !is_running(&identity.owner) || (is_own && is_finished) {
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
    fn a_proxy_is_checked_without_a_word_of_its_password() {
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

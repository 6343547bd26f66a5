//! How the site is reached: its JSON calls through a web session, its form through a real browser.
//!
//! [`Connector`] is the one [`Marketplace`] of the product. `web` reads, `browser` writes through Chromium,
//! `browserless` writes to the practice site where there is no browser, `reading` compares what the site holds with what
//! was approved, `process` ends what an attempt leaves behind. Selectors, limits and the signs of a challenge are data
//! of the marketplace crate. To support another way of writing, implement `Composer` and choose it in
//! [`Connector::compose`](Marketplace::compose).

mod active;
mod browser;
mod browserless;
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
use url::{Host, Url};
use vintedbot_marketplace::catalog::Catalog;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_marketplace::{
    Composer, ComposerIdentity, ComposerRequest, DriverKind, Ending, Error, Language, Marketplace, Member,
    OwnItem, RemoteItem, Seat, Session,
};

pub use browser::{BrowserConfig, Checked, check_selectors};
pub use pacing::{Pacing, Random};
pub use process::{is_running, this_process};

use active::Active;
use browser::{BrowserComposer, Equipment};
use browserless::Browserless;
use pacing::Pace;
use web::WebSession;
use web::outside::{self, Allowed};

/// The name of the practice site among the sites.
const PRACTICE: &str = "practice";

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
}

/// Why a [`Connector`] cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0} is not an http address on this machine, and the practice site never leaves it")]
    NotLoopback(Url),
}

/// The sites as one marketplace.
pub struct Connector {
    config: Config,
    sessions: Mutex<HashMap<(String, Language), Arc<WebSession>>>,
    active: Active,
}

impl Connector {
    /// A connector; nothing is reached yet.
    ///
    /// # Errors
    /// The practice site's address leads off this machine.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        if let Some(url) = &config.practice_url
            && !is_on_this_machine(url)
        {
            return Err(ConfigError::NotLoopback(url.clone()));
        }
        Ok(Self {
            config,
            sessions: Mutex::default(),
            active: Active::default(),
        })
    }

    /// The seat's session, which is kept from one call to the next.
    fn session(&self, seat: &Seat) -> Result<Arc<WebSession>, Error> {
        let base = match &self.config.practice_url {
            Some(url) if seat.site == PRACTICE => url,
            _ => return Err(Error::NoSession(seat.site.clone())),
        };
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions
            .entry((seat.account_id.clone(), seat.language))
            .or_insert_with(|| {
                Arc::new(WebSession::new(
                    base.clone(),
                    seat.practice_login.clone(),
                    seat.language,
                    self.config.request_timeout,
                    Arc::clone(&self.config.detector),
                ))
            });
        Ok(Arc::clone(session))
    }
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
        self.session(seat)?.member().await
    }

    async fn catalog(&self, seat: &Seat) -> Result<Catalog, Error> {
        self.session(seat)?.catalog().await
    }

    async fn wardrobe(&self, seat: &Seat) -> Result<Vec<RemoteItem>, Error> {
        self.session(seat)?.wardrobe().await
    }

    async fn item(&self, seat: &Seat, remote_id: &str) -> Result<Option<RemoteItem>, Error> {
        self.session(seat)?.item(remote_id).await
    }

    async fn own_item(&self, seat: &Seat, remote_id: &str) -> Result<Option<OwnItem>, Error> {
        self.session(seat)?.own_item(remote_id).await
    }

    async fn photo(&self, seat: &Seat, url: &str, max_bytes: usize) -> Result<Bytes, Error> {
        let allowed = match &self.config.practice_url {
            Some(base) if seat.site == PRACTICE => Allowed::Practice(base),
            _ if seat.site == PRACTICE => return Err(Error::NoSession(seat.site.clone())),
            _ => Allowed::Hosts(vintedbot_marketplace::hosts::has_photos),
        };
        outside::fetch(url, &allowed, self.config.request_timeout, max_bytes).await
    }

    async fn try_session(&self, _: &Seat, _session: &Session) -> Result<Member, Error> {
        Err(Error::Unavailable("to come".to_owned()))
    }

    async fn forget(&self, _account_id: &str) {}

    async fn compose(&self, seat: &Seat, request: ComposerRequest) -> Result<Box<dyn Composer>, Error> {
        let session = self.session(seat)?;
        let attempt = self.active.enter(&request.work_dir);
        let pace = Pace {
            pacing: self.config.pacing,
            random: Arc::clone(&self.config.random),
        };
        Ok(match &self.config.browser {
            Some(browser) => {
                let equipment = Equipment {
                    selectors: Arc::clone(&self.config.selectors),
                    detector: Arc::clone(&self.config.detector),
                    pace,
                    harvest: None,
                };
                Box::new(BrowserComposer::start(browser, session, request, equipment, attempt).await?)
            }
            None => Box::new(Browserless::new(session, request, pace, attempt)),
        })
    }

    /// A past attempt has ended when its browser is seen gone. One without a browser has ended when its process is gone,
    /// or is this one and has finished with it. To be called on the machine that ran the attempt.
    async fn end(&self, identity: &ComposerIdentity) -> Ending {
        if !browser::end_leftover(identity).await {
            return Ending::Unknown;
        }
        let had_browser = identity.driver.is_some();
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

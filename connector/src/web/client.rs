//! The one place that makes an HTTP client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::cookie::Jar;
use reqwest::redirect::{Attempt, Policy};
use url::Url;
use vintedbot_marketplace::Error;

const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
const MOST_REDIRECTS: usize = 5;

/// A client for one session on one site: its cookies go to that site alone, and no redirect leads anywhere else.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded constructor that all others are to use"
)]
pub(crate) fn guarded(
    base: &Url,
    cookies: &BTreeMap<String, String>,
    timeout: Duration,
) -> Result<reqwest::Client, Error> {
    let jar = Jar::default();
    for (name, value) in cookies {
        // Without a domain a cookie belongs to this host alone.
        jar.add_cookie_str(&format!("{name}={value}; Path=/"), base);
    }
    reqwest::Client::builder()
        .cookie_provider(Arc::new(jar))
        .connect_timeout(CONNECTS_WITHIN)
        .timeout(timeout)
        .redirect(Policy::custom(stay))
        .no_proxy()
        .user_agent(concat!("vintedbot/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::Unavailable(error.to_string()))
}

fn stay(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let origin = attempt.previous().first().map(Url::origin);
    if origin == Some(attempt.url().origin()) && attempt.previous().len() <= MOST_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// A client for a program on this machine, such as the browser's driver: no proxy stands between, and nothing redirects.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded constructor that all others are to use"
)]
pub(crate) fn local(timeout: Duration) -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .timeout(timeout)
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| Error::Browser(error.to_string()))
}

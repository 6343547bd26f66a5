//! The one place that makes an HTTP client.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Proxy;
use reqwest::redirect::{Attempt, Policy};
use url::Url;
use vintedbot_marketplace::Error;

use super::jar::OwnJar;

const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
const MOST_REDIRECTS: usize = 5;

/// How this program calls itself where nobody's browser stands behind a request.
pub(crate) const OWN_NAME: &str = concat!("vintedbot/", env!("CARGO_PKG_VERSION"));

/// A client for one session on one site: its cookies go to that site alone, and no redirect leads anywhere else. A real site
/// is only ever spoken to over https.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded constructor that all others are to use"
)]
pub(crate) fn guarded(
    base: &Url,
    jar: &Arc<OwnJar>,
    user_agent: &str,
    proxy: Option<&Url>,
    timeout: Duration,
) -> Result<reqwest::Client, Error> {
    let builder = reqwest::Client::builder()
        .cookie_provider(Arc::clone(jar))
        .connect_timeout(CONNECTS_WITHIN)
        .timeout(timeout)
        .redirect(Policy::custom(stay))
        .https_only(base.scheme() == "https")
        // What the environment says about proxies is nobody's decision here.
        .no_proxy()
        .user_agent(user_agent);
    let builder = match proxy {
        Some(proxy) => builder.proxy(
            Proxy::all(proxy.as_str())
                .map_err(|_| Error::Unavailable("the address of the proxy cannot be used".to_owned()))?,
        ),
        None => builder,
    };
    builder
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

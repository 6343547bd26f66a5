//! The constructors of HTTP clients for sites and drivers. Only `egress` has another.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Proxy, StatusCode, retry};
use url::Url;
use vintedbot_marketplace::Error;

use super::jar::OwnJar;

const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
const MOST_REDIRECTS: usize = 5;

/// The user agent of requests that use no imported session.
pub(crate) const OWN_NAME: &str = concat!("vintedbot/", env!("CARGO_PKG_VERSION"));

/// Creates a client for one session on one site. Its cookies go to that site only, no redirect leads to another origin,
/// and no request is repeated automatically. A real site is reached over https only.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded constructor that all other code must use"
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
        // The sender of a request decides whether it is repeated.
        .retry(retry::never())
        .https_only(base.scheme() == "https")
        // Proxy settings in the environment are ignored.
        .no_proxy()
        .user_agent(user_agent);
    let builder = match proxy {
        Some(proxy) => builder.proxy(
            Proxy::all(proxy.as_str())
                .map_err(|_| Error::Unavailable("the proxy's address is invalid".to_owned()))?,
        ),
        None => builder,
    };
    builder
        .build()
        .map_err(|error| Error::Unavailable(error.to_string()))
}

fn stay(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let asked = attempt.previous().first();
    let origin = asked.map(Url::origin);
    // These two statuses repeat the same request with its body, and the call may write.
    let repeats = matches!(
        attempt.status(),
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    ) && asked.is_some_and(|url| url.path().starts_with("/api/"));
    if origin == Some(attempt.url().origin()) && attempt.previous().len() <= MOST_REDIRECTS && !repeats {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// Creates a client for a driver at a configured address, without proxy or redirects.
pub(crate) fn local(timeout: Duration) -> Result<reqwest::Client, Error> {
    built(plain(timeout))
}

/// Creates a client for a driver behind a socket file. The host in its URL does not matter.
pub(crate) fn at(socket: &Path, timeout: Duration) -> Result<reqwest::Client, Error> {
    built(plain(timeout).unix_socket(socket))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded constructor that all other code must use"
)]
fn plain(timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .timeout(timeout)
        .redirect(Policy::none())
        .no_proxy()
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, Error> {
    builder.build().map_err(|error| Error::Browser(error.to_string()))
}

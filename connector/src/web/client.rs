//! The one place that makes an HTTP client.

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

/// How this program calls itself where nobody's browser stands behind a request.
pub(crate) const OWN_NAME: &str = concat!("vintedbot/", env!("CARGO_PKG_VERSION"));

/// A client for one session on one site: its cookies go to that site alone, no redirect leads anywhere else, and nothing
/// is sent twice by itself. A real site is only ever spoken to over https.
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
        // Whether something is sent a second time is for whoever sends it to say.
        .retry(retry::never())
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
    let asked = attempt.previous().first();
    let origin = asked.map(Url::origin);
    // These two ask for the same request again, with all that it carries; a call may be one that writes.
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

/// A client for a driver where the settings say: no proxy stands between, and nothing redirects.
pub(crate) fn local(timeout: Duration) -> Result<reqwest::Client, Error> {
    built(plain(timeout))
}

/// A client for a driver of our own behind a socket file, whatever host its address names.
pub(crate) fn at(socket: &Path, timeout: Duration) -> Result<reqwest::Client, Error> {
    built(plain(timeout).unix_socket(socket))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded constructor that all others are to use"
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

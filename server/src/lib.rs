//! The server that clients call: gRPC, gRPC-web and plain HTTP on one port.
//!
//! - [`serve`] assembles it; `transport` defines the order of the layers that a call passes.
//! - One folder per service (`identity`, `accounts`, `catalog`, `media`, `listings`, `wardrobe`, `publishing`, `inbox`,
//!   `templates`, `events`, `webhooks`), one file per group of operations. A handler takes the authorized caller,
//!   converts the request (`convert`, collecting every violation), calls one domain function, and converts the result.
//! - `connections` limits the connections and calls of clients.
//! - `auth` checks the credential of a call, and the scopes and the role that the contract states for its method;
//!   `cookies` reads and sets the cookies of sessions, `client` finds the client's address.
//! - `errors` is the mapping from domain errors to the errors that a caller receives.
//! - `http_api` contains the plain HTTP routes: health, signed photos and uploads, the preview page.
//!
//! A new method needs its rpc with the options `scope` and `role` in the contract, a file here, and one line in its
//! service's `mod.rs`.

mod accounts;
mod auth;
mod calls;
mod catalog;
mod client;
mod connections;
mod convert;
mod cookies;
mod errors;
mod events;
mod http_api;
mod identity;
mod inbox;
mod listings;
mod media;
pub mod metrics;
mod publishing;
mod search;
mod signed;
mod state;
mod templates;
mod transport;
mod wardrobe;
mod webhooks;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use vintedbot_domain::webhooks::Targets;

pub use connections::Limits as ConnectionLimits;
pub use transport::serve;

/// The settings of the port. Times are wall-clock durations, sizes are bytes.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origins whose pages may call from a browser, such as `https://app.example`; `*` allows all. Calls of these pages
    /// are protected only by the token in a header. Empty: none.
    pub allowed_origins: Vec<String>,
    /// The base of signed URLs, such as `https://bot.example`. Absent: `http://` and the host of the request. If it
    /// begins with https, cookies are `Secure`.
    pub public_url: Option<String>,
    /// Proxies whose header `x-forwarded-for` names the client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// The maximum size of a gRPC message.
    pub max_message_bytes: usize,
    /// The maximum size of a message with photos.
    pub max_upload_bytes: usize,
    /// The maximum time until a call is answered, regardless of its deadline. For a stream, the time until it begins.
    pub request_timeout: Duration,
    /// The folder in which incoming photos are spooled. It is emptied at start. Absent: a folder in the system's
    /// temporary folder.
    pub spool_dir: Option<PathBuf>,
    /// The maximum time without data of a photo stream or a `PUT`.
    pub upload_idle_timeout: Duration,
    /// The maximum duration of a photo stream or a `PUT`.
    pub upload_timeout: Duration,
    /// The maximum time for which the client of a download may take no data.
    pub download_idle_timeout: Duration,
    /// The time that running calls get after the shutdown token, before their connections are dropped.
    pub drain_timeout: Duration,
    /// The limits on connections.
    pub connections: ConnectionLimits,
    /// Checks webhook addresses. Absent: no endpoint can be created.
    pub webhook_targets: Option<Arc<dyn Targets>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            public_url: None,
            trusted_proxies: Vec::new(),
            max_message_bytes: 4 * 1024 * 1024,
            max_upload_bytes: 32 * 1024 * 1024,
            request_timeout: Duration::from_secs(60),
            spool_dir: None,
            upload_idle_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_secs(15 * 60),
            download_idle_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(8),
            connections: ConnectionLimits::default(),
            webhook_targets: None,
        }
    }
}

/// The error that prevents the port from being served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is not an origin; use entries such as https://app.example, or *, in ALLOWED_ORIGINS")]
    Origin(String),
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    #[error("transport: {0}")]
    Transport(#[from] tonic::transport::Error),
    #[error("spool folder {}: {error}", path.display())]
    Spool { path: PathBuf, error: std::io::Error },
    #[error("listener: {0}")]
    Listener(#[from] std::io::Error),
}

//! What clients call: gRPC, gRPC-web and plain HTTP on one port.
//!
//! - [`serve`] puts it together; `transport` says in which order a call passes through what.
//! - One folder per service (`identity`, `accounts`, `catalog`, `media`, `listings`, `publishing`, `inbox`, `templates`,
//!   `events`, `webhooks`), one file per group of operations. A handler takes the authenticated caller, converts the request (`convert`, collecting every
//!   violation), calls one domain function, and converts the answer back.
//! - `connections` limits what clients may hold open.
//! - `errors` is the one mapping from domain errors to what a caller is told.
//! - `http` holds what is not gRPC: health, signed photos and uploads, the preview page.
//!
//! A new method: its rpc in the contract, its file here, one line in its service's `mod.rs`, and one in the table of
//! scopes in `tests/authentication.rs`, which fails for a method that it does not know.

mod accounts;
mod auth;
mod calls;
mod catalog;
mod connections;
mod convert;
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

use vintedbot_domain::webhooks::Targets;

pub use connections::Limits as ConnectionLimits;
pub use transport::serve;

/// How the port behaves. Times are wall-clock durations, sizes are bytes.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origins of pages that may call from a browser, such as `https://app.example`; `*` allows every one, which is safe
    /// as far as a token in a header is, and no further. Empty: none.
    pub allowed_origins: Vec<String>,
    /// What signed addresses begin with, such as `https://bot.example`. Absent: `http://` and what the caller asked for.
    pub public_url: Option<String>,
    /// The largest gRPC message that is taken.
    pub max_message_bytes: usize,
    /// The same for messages that hold photos.
    pub max_upload_bytes: usize,
    /// The longest that a call may take to answer, whatever its deadline; streams only until they begin.
    pub request_timeout: Duration,
    /// Where photos wait until they are whole; emptied at the start. Absent: a folder among the temporary files.
    pub spool_dir: Option<PathBuf>,
    /// How long a stream of photos or a `PUT` may bring nothing before it is given up.
    pub upload_idle_timeout: Duration,
    /// How long one may take until all of it is here.
    pub upload_timeout: Duration,
    /// How long the client of a file may take nothing before the file is closed.
    pub download_idle_timeout: Duration,
    /// How long calls may go on after the shutdown token before their connections are left behind.
    pub drain_timeout: Duration,
    /// How many connections may be open, and how long they may stay silent.
    pub connections: ConnectionLimits,
    /// Says where webhooks may lead. Absent: no endpoint can be made.
    pub webhook_targets: Option<Arc<dyn Targets>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            public_url: None,
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

/// Why the port cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is no origin; an entry of ALLOWED_ORIGINS looks like https://app.example, or is *")]
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

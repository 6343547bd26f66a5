//! The practice site: a stand-in for the marketplace, used for rehearsals.
//!
//! It is built only from public knowledge of the site (as seen 2026-11) and shares no constant with the code that
//! drives it. It does not deduplicate: each request takes effect, also a repeated one. Its admin API can make it accept
//! a request and then fail, and hide, delay, duplicate or alter the result. Every accepted write leaves one record,
//! which is written before the answer is sent.
//!
//! - `api` holds the JSON calls, one file per group; `pages` the HTML; `assets` the pages' script.
//! - `appearance` describes the look and behaviour of the pages for one member.
//! - `inbox` holds the conversations between members; `buyers` simulates buyers.
//! - `script` decides which misbehaviour applies to a request; `admin` is the API under `/_practice/`.
//! - `ontology` reads the categories, brands, sizes and colours from `data/`.
//!
//! To add a call, write its handler in the matching file of `api` and route it there. If rules should apply to it, name
//! its operation in `script::Operation`.

mod admin;
mod api;
mod appearance;
mod bot_cookies;
mod buyers;
mod clock;
mod inbox;
mod items;
mod listener;
mod metadata;
mod ontology;
mod pages;
mod script;
mod session;
mod site;
mod store;
mod validate;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::listener::{CuttableListener, Peer};
use crate::site::Site;

/// The time that running requests have to finish after the site begins to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// The configuration of a practice site.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that gets one JSON line per accepted write. Existing lines are kept, and their numbering continues.
    pub records: Option<PathBuf>,
    /// The file in which members, sessions, items and photos survive a restart. Photo bytes are in a folder beside it.
    /// Absent means memory only.
    pub state: Option<PathBuf>,
    /// The time until wardrobe and member page show a change, in milliseconds.
    pub visible_delay_ms: i64,
    /// The simulated buyers; absent means that only the admin API controls buyers.
    pub buyers: Option<Buyers>,
}

/// Simulated buyers, who react to all items for sale.
#[derive(Clone, Copy, Debug)]
pub struct Buyers {
    /// The time between two actions of buyers.
    pub pace: Duration,
    /// The seed of their random choices.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            records: None,
            state: None,
            visible_delay_ms: 1_500,
            buyers: None,
        }
    }
}

/// An error at the start or stop of a practice site.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {addr}")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("cannot use the file {path}")]
    File { path: PathBuf, source: io::Error },
    #[error("the file {path} was not written by a practice site")]
    Parse {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("the site's server ended with an error")]
    Serve(#[source] io::Error),
}

/// The practice site; see [`Practice::bind`].
pub struct Practice;

impl Practice {
    /// Starts a site on `addr` (port 0 picks a free one) and returns once it accepts connections.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be bound, or if the records or state file cannot be read or written.
    pub async fn bind(addr: SocketAddr, config: Config) -> Result<Running, Error> {
        let listen = |source| Error::Listen { addr, source };
        let listener = CuttableListener(TcpListener::bind(addr).await.map_err(listen)?);
        let local_addr = listener.local_addr().map_err(listen)?;
        let stop = CancellationToken::new();
        let buyers = config.buyers;
        let site = Arc::new(Site::open(local_addr, config)?);
        if let Some(buyers) = buyers {
            tokio::spawn(buyers::live(Arc::clone(&site), buyers, stop.clone()));
        }
        let service = site::router(site).into_make_service_with_connect_info::<Peer>();
        let server = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(server.into_future());
        Ok(Running {
            local_addr,
            stop: stop.drop_guard(),
            task,
        })
    }
}

/// A running site; dropping it stops it.
#[derive(Debug)]
pub struct Running {
    local_addr: SocketAddr,
    stop: DropGuard,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Returns the address on which the site listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops accepting connections and gives running requests two seconds to finish.
    ///
    /// # Errors
    ///
    /// Fails if the server had ended with an error before.
    pub async fn stop(mut self) -> Result<(), Error> {
        drop(self.stop);
        match tokio::time::timeout(STOP_TIMEOUT, &mut self.task).await {
            Ok(Ok(served)) => served.map_err(Error::Serve),
            Ok(Err(panicked)) => Err(Error::Serve(io::Error::other(panicked))),
            Err(_elapsed) => {
                self.task.abort();
                Ok(())
            }
        }
    }
}

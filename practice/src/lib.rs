//! The practice site: a stand-in for the marketplace, to rehearse on.
//!
//! It is built only from what is publicly known of the site (as seen 2026-11), shares no constant with the code that
//! drives it, and is a sceptic: it repeats no request's effect less often than it was asked to, and can be told
//! through its admin API to accept and then fail, to hide, delay, double or alter. Every thing it accepts leaves one
//! record, written before the answer leaves.
//!
//! - `api` holds the JSON calls, one file per group; `pages` the HTML; `assets` the pages' script.
//! - `appearance` says how the pages look and behave for one member.
//! - `inbox` holds what is said between members; `buyers` those who say it by themselves.
//! - `script` decides what misbehaviour befalls a request; `admin` is the API under `/_practice/`.
//! - `ontology` reads the categories, brands, sizes and colours from `data/`.
//!
//! To add a call: write its handler in the fitting file of `api`, route it there, and name its operation in
//! `script::Operation` if a rule should be able to befall it.

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

/// How long requests under way may take to finish once the site is told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// How a practice site is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// File that gets one JSON line for every thing accepted; lines already there are kept and counted on from.
    pub records: Option<PathBuf>,
    /// File in which members, sessions, items and photos survive a restart (photo bytes in a folder beside it);
    /// absent means memory only.
    pub state: Option<PathBuf>,
    /// How long a change of what is listed takes to show in wardrobe and member page, in milliseconds.
    pub visible_delay_ms: i64,
    /// Whether buyers act by themselves; absent means that only the admin API moves them.
    pub buyers: Option<Buyers>,
}

/// Buyers who act by themselves on whatever is for sale.
#[derive(Clone, Copy, Debug)]
pub struct Buyers {
    /// How long it is from one thing that a buyer does to the next.
    pub pace: Duration,
    /// Where their chances begin.
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

/// Why a practice site could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {addr}")]
    Listen { addr: SocketAddr, source: io::Error },
    #[error("cannot use the file {path}")]
    File { path: PathBuf, source: io::Error },
    #[error("the file {path} is not what this site wrote")]
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
    /// When the address cannot be listened on, or when the records or state file cannot be read or written.
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

/// A site that is being served; dropping it stops it.
#[derive(Debug)]
pub struct Running {
    local_addr: SocketAddr,
    stop: DropGuard,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    /// The address that it listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops accepting, gives requests under way two seconds, then ends.
    ///
    /// # Errors
    ///
    /// When the server had ended with an error of its own.
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

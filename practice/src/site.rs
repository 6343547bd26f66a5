//! The shared state of the site's handlers, and the site's routes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::{HeaderMap, Method};
use axum::middleware::from_fn_with_state;

use crate::api::Refusal;
use crate::ontology::Locale;
use crate::store::{Member, State};
use crate::{Config, Error, admin, api, pages, script, session};

#[derive(Debug)]
pub struct Site {
    state: Mutex<State>,
    requests: Mutex<BTreeMap<String, u64>>,
    /// The base address of photos in pages and JSON.
    pub base_url: String,
}

/// The signed-in member of a call, and the language of the answer.
#[derive(Clone, Debug)]
pub struct Acting {
    pub member: Member,
    pub locale: Locale,
}

impl Site {
    pub fn open(local_addr: SocketAddr, config: Config) -> Result<Self, Error> {
        let mut shown = local_addr;
        if shown.ip().is_unspecified() {
            shown.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        Ok(Self {
            state: Mutex::new(State::open(config)?),
            requests: Mutex::default(),
            base_url: format!("http://{shown}"),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that does not go to the admin API.
    pub fn count(&self, method: &Method, path: &str) {
        let parts = path.split('/').map(|part| {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { "{id}" } else { part }
        });
        let name = format!("{method} {}", parts.collect::<Vec<_>>().join("/"));
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(name).or_default() += 1;
    }

    /// Returns the number of requests since the start, by method and path, without the numbers in the path.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.clone()
    }

    /// Returns the caller of a reading JSON call.
    pub fn reader(&self, headers: &HeaderMap) -> Result<Acting, Refusal> {
        let state = self.lock();
        let caller = session::caller(&state, headers).ok_or(Refusal::InvalidToken)?;
        let member = state
            .members
            .get(&caller.member_id)
            .cloned()
            .ok_or(Refusal::InvalidToken)?;
        let locale = session::api_locale(headers, Some(&member));
        Ok(Acting { member, locale })
    }

    /// Returns the caller of a writing JSON call, which requires the CSRF constant or a bearer token.
    pub fn writer(&self, headers: &HeaderMap) -> Result<Acting, Refusal> {
        let acting = self.reader(headers)?;
        let bearer = session::caller(&self.lock(), headers).is_some_and(|caller| caller.bearer);
        if bearer || session::has_csrf(headers) {
            Ok(acting)
        } else {
            Err(Refusal::AccessDenied)
        }
    }
}

/// Returns all routes of the site.
pub fn router(site: Arc<Site>) -> Router {
    Router::new()
        .merge(api::routes())
        .merge(pages::routes())
        .merge(admin::routes())
        .layer(from_fn_with_state(Arc::clone(&site), script::stage))
        .with_state(site)
}

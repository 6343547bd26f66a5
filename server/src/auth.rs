//! Who calls: the bearer token of every call but health and reflection, turned into the domain's caller.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tonic::Status;
use vintedbot_domain::clock::{Millis, rfc3339};
use vintedbot_domain::identity::{self, Caller};
use vintedbot_domain::{Error, Reason};

use crate::calls::Call;
use crate::connections::{Activity, hold};
use crate::errors::Problem;
use crate::state::ServerState;

/// What may be called without a token.
const OPEN: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// When a call that was one too many may be tried again: most calls take less.
const RETRY_MS: Millis = 1_000;

/// Puts the [`Caller`] into the request, or refuses the call.
pub async fn authenticate(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if OPEN.iter().any(|open| path.starts_with(open)) {
        return next.run(request).await;
    }
    let caller = identity::authenticate(&state.domain, bearer(request.headers())).await;
    match caller {
        Ok(caller) => {
            let activity = request.extensions().get::<Activity>();
            let Some(call) = state.connections.authenticated(&caller.owner_id, activity) else {
                return Status::from(too_many_calls(&state)).into_http();
            };
            if let Some(known) = request.extensions_mut().get_mut::<Call>() {
                known.holder = caller.link_holder();
            }
            request.extensions_mut().insert(caller);
            hold(next.run(request).await, call)
        }
        Err(error) => Status::from(Problem::from(error)).into_http(),
    }
}

fn too_many_calls(state: &ServerState) -> Problem {
    let limit = state.connections.limits().calls_per_owner;
    let message = format!("{limit} calls of this owner run already; streams count until they end");
    Error::rejected(Reason::RateLimited, message)
        .with("limit", "calls_per_owner")
        .with("available_time", rfc3339(state.domain.clock.now() + RETRY_MS))
        .retry_after(RETRY_MS)
        .into()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The caller that [`authenticate`] found.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Problem> {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(|| Error::rejected(Reason::TokenMissing, "the call was not authenticated").into())
}

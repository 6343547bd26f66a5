//! Authentication: converts the bearer token of a call into the domain's caller. Health and reflection need no token.

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

/// Services that need no token.
const OPEN: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// The wait before a refused call may be retried: most calls take less.
const RETRY_MS: Millis = 1_000;

/// Adds the [`Caller`] to the request, or refuses the call.
pub async fn authenticate(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if OPEN.iter().any(|open| path.starts_with(open)) {
        return next.run(request).await;
    }
    let caller = identity::authenticate(&state.context, bearer(request.headers())).await;
    match caller {
        Ok(caller) => {
            let activity = request.extensions().get::<Activity>();
            let Some(call) = state.connections.authenticated(&caller.workspace_id, activity) else {
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
    let limit = state.connections.limits().calls_per_workspace;
    let message = format!("{limit} calls of this workspace are running; streams count until they end");
    Error::rejected(Reason::RateLimited, message)
        .with("limit", "calls_per_workspace")
        .with("available_time", rfc3339(state.context.clock.now() + RETRY_MS))
        .retry_after(RETRY_MS)
        .into()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Returns the caller that [`authenticate`] added.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Problem> {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(|| Error::rejected(Reason::TokenMissing, "the call was not authenticated").into())
}

//! Who calls: the bearer token of every call but health and reflection, turned into the domain's caller.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tonic::Status;
use vintedbot_domain::identity::{self, Caller};
use vintedbot_domain::{Error, Reason};

use crate::errors::Problem;
use crate::state::ServerState;

/// What may be called without a token.
const OPEN: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// Puts the [`Caller`] into the request, or refuses the call.
pub async fn authenticate(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if OPEN.iter().any(|open| path.starts_with(open)) {
        return next.run(request).await;
    }
    let caller = identity::authenticate(&state.domain, bearer(request.headers())).await;
    match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => Status::from(Problem::from(error)).into_http(),
    }
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

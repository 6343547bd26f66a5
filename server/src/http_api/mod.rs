//! The plain HTTP routes: health, and the signed URLs that a browser opens without a token.
//!
//! A signed path is a capability. It is never logged, and shared caches never store its content.

mod console;
mod health;
mod media;
mod preview;
mod problem;
mod upload;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{get, put};
use http::StatusCode;

use crate::state::ServerState;

/// The plain HTTP routes.
pub fn routes(state: ServerState) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/media/{signed}", get(media::get))
        .route("/media/upload/{signed}", put(upload::put))
        .route("/preview/{signed}", get(preview::get))
        .with_state(state)
}

/// The response to a path that is neither a route nor a call: a file of the console, or an error.
pub fn fallback(request: &Request) -> Response {
    console::respond(request).unwrap_or_else(not_found)
}

fn not_found() -> Response {
    problem::json(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        "the page does not exist",
        None,
    )
}

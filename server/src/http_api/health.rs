//! `/health` reports that the process runs. `/ready` reports that it can serve: the database answers and no shutdown
//! has begun.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::state::ServerState;

/// The time after which an unresponsive database counts as unavailable.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Serialize)]
pub struct Health {
    status: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
pub struct Readiness {
    status: &'static str,
    database: &'static str,
}

/// Pages of every origin can read the response. From it, the SDK distinguishes a server that does not allow the page's
/// origin from an unreachable server.
pub async fn health() -> ([(HeaderName, HeaderValue); 1], Json<Health>) {
    let health = Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    };
    let every_origin = (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    ([every_origin], Json(health))
}

pub async fn ready(State(state): State<ServerState>) -> (StatusCode, Json<Readiness>) {
    let answer = tokio::time::timeout(DATABASE_TIMEOUT, state.context.store.reader().ping()).await;
    let (code, status, database) = match answer {
        Ok(Ok(())) if state.shutdown.is_cancelled() => {
            (StatusCode::SERVICE_UNAVAILABLE, "shutting down", "ok")
        }
        Ok(Ok(())) => (StatusCode::OK, "ready", "ok"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready: the database returned an error");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready", "error")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready", "no answer"),
    };
    (code, Json(Readiness { status, database }))
}

//! `/health` reports that the process runs. `/ready` reports that it can serve: the database answers and no shutdown
//! has begun.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
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

pub async fn health() -> Json<Health> {
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
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

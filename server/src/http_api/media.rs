//! `GET /media/{signed}`: a photo, a screenshot or a page's text.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue};
use vintedbot_domain::{failpoints, media};

use super::problem;
use crate::media::gate::Slot;
use crate::state::ServerState;

/// Pages of other origins may show what they were given the address of.
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The longest that one file may take to be sent: at 64 kbit/s the largest photo takes half of it.
const LONGEST: Duration = Duration::from_secs(20 * 60);

pub async fn get(State(state): State<ServerState>, Path(signed): Path<String>) -> Response {
    let slot = match state.gate.download(&signed) {
        Ok(slot) => slot,
        Err(problem) => return problem::refuse(&problem),
    };
    let file = match media::open_signed(&state.domain, &signed).await {
        Ok(file) => file,
        Err(error) => return problem::refuse(&error.into()),
    };
    let Ok(content_type) = HeaderValue::from_str(&file.content_type) else {
        return super::not_found();
    };
    // What stands under a key never changes, but the right to see it ends.
    let seconds = (file.expire_time - state.domain.clock.now()).max(0) / 1000;
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_LENGTH, HeaderValue::from(file.size_bytes)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; sandbox"),
        ),
        (CONTENT_DISPOSITION, HeaderValue::from_static("inline")),
        (
            CROSS_ORIGIN_RESOURCE_POLICY,
            HeaderValue::from_static("cross-origin"),
        ),
        (CACHE_CONTROL, cache_control(seconds)),
    ];
    let idle = state.config.download_idle_timeout;
    (headers, Body::from_stream(sent(file.content, slot, idle))).into_response()
}

/// Pieces of a file, which is closed as soon as they are not taken for so long: a body that nobody reads would hold it.
fn sent<T: Send + 'static>(
    mut content: impl Stream<Item = T> + Send + Unpin + 'static,
    slot: Slot,
    idle: Duration,
) -> impl Stream<Item = T> + Send {
    let (pieces, taken) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let _slot = slot;
        let sending = async {
            while let Some(piece) = content.next().await {
                let wait = if failpoints::disables("unread") {
                    LONGEST
                } else {
                    idle
                };
                // The connection ends early, since fewer bytes come than were announced.
                if !matches!(tokio::time::timeout(wait, pieces.send(piece)).await, Ok(Ok(()))) {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(LONGEST, sending).await;
    });
    futures::stream::unfold(taken, |mut taken| async move {
        taken.recv().await.map(|piece| (piece, taken))
    })
}

fn cache_control(seconds: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("private, max-age={seconds}, immutable")).expect("ASCII")
}

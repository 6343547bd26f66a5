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
use crate::media::admission::Slot;
use crate::state::ServerState;

/// Allows pages of other origins to display the file.
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The maximum duration of a download: twice the time that the largest photo takes at 64 kbit/s.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(20 * 60);

pub async fn get(State(state): State<ServerState>, Path(signed): Path<String>) -> Response {
    let slot = match state.admission.download(&signed) {
        Ok(slot) => slot,
        Err(problem) => return problem::refuse(&problem),
    };
    let file = match media::open_signed(&state.context, &signed).await {
        Ok(file) => file,
        Err(error) => return problem::refuse(&error.into()),
    };
    let Ok(content_type) = HeaderValue::from_str(&file.content_type) else {
        return super::not_found();
    };
    // The content under a key never changes, but the right to read it expires.
    let seconds = (file.expire_time - state.context.clock.now()).max(0) / 1000;
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

/// Streams the pieces of a file. The file is closed if the client takes no piece for `idle`; otherwise an unread body
/// would keep it open.
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
                    DOWNLOAD_TIMEOUT
                } else {
                    idle
                };
                // The connection then ends early, because fewer bytes follow than announced.
                if !matches!(tokio::time::timeout(wait, pieces.send(piece)).await, Ok(Ok(()))) {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(DOWNLOAD_TIMEOUT, sending).await;
    });
    futures::stream::unfold(taken, |mut taken| async move {
        taken.recv().await.map(|piece| (piece, taken))
    })
}

fn cache_control(seconds: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("private, max-age={seconds}, immutable")).expect("ASCII")
}

//! `GET /media/{signed}`: a photo, a screenshot or a page's text.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue};
use vintedbot_domain::media;

use super::problem;
use crate::state::ServerState;

/// Pages of other origins may show what they were given the address of.
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub async fn get(State(state): State<ServerState>, Path(signed): Path<String>) -> Response {
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
    (headers, Body::from_stream(file.content)).into_response()
}

fn cache_control(seconds: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("private, max-age={seconds}, immutable")).expect("ASCII")
}

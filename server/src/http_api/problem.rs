//! Errors as JSON: `code`, `message`, `metadata`, and `reason` with the full name of an `ErrorReason`.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use tonic::Code;
use vintedbot_proto::v1::ErrorReason;

use crate::errors::Problem;

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    metadata: std::collections::BTreeMap<&'a String, &'a String>,
}

pub fn json(status: StatusCode, code: &str, message: &str, reason: Option<&str>) -> Response {
    let body = Body {
        code,
        message,
        reason,
        metadata: Default::default(),
    };
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Converts an error to a response with its HTTP status.
pub fn refuse(problem: &Problem) -> Response {
    let (status, code) = status(problem);
    let reason = Some(problem.reason().as_str_name());
    let body = Body {
        code,
        message: problem.message(),
        reason,
        metadata: problem.metadata().iter().collect(),
    };
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn status(problem: &Problem) -> (StatusCode, &'static str) {
    match problem.reason() {
        ErrorReason::UploadUrlExpired => return (StatusCode::GONE, "FAILED_PRECONDITION"),
        ErrorReason::UploadUrlInvalid => return (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
        ErrorReason::PhotoTooLarge => return (StatusCode::PAYLOAD_TOO_LARGE, "INVALID_ARGUMENT"),
        ErrorReason::StorageFull => return (StatusCode::INSUFFICIENT_STORAGE, "RESOURCE_EXHAUSTED"),
        _ => {}
    }
    match problem.code() {
        Code::InvalidArgument => (StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"),
        Code::OutOfRange => (StatusCode::BAD_REQUEST, "OUT_OF_RANGE"),
        Code::FailedPrecondition => (StatusCode::BAD_REQUEST, "FAILED_PRECONDITION"),
        Code::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
        Code::PermissionDenied => (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
        Code::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND"),
        Code::AlreadyExists => (StatusCode::CONFLICT, "ALREADY_EXISTS"),
        Code::Aborted => (StatusCode::CONFLICT, "ABORTED"),
        Code::ResourceExhausted => (StatusCode::TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED"),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
        Code::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "DEADLINE_EXCEEDED"),
        Code::Unimplemented => (StatusCode::NOT_IMPLEMENTED, "UNIMPLEMENTED"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
    }
}

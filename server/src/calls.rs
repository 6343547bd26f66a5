//! Per-call data and limits: a request id, the base URL by which the caller reached the server, a deadline, and one log
//! line per response.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::Instrument as _;
use vintedbot_domain::identity::LinkHolder;
use vintedbot_domain::trace;

use crate::errors::{self, Problem};
use crate::metrics;
use crate::state::ServerState;

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer incoming request ids are replaced.
const MAX_REQUEST_ID: usize = 64;

/// The data of one call, stored in its request's extensions.
#[derive(Clone, Debug)]
pub struct Call {
    pub request_id: Arc<str>,
    /// The scheme and authority, without a trailing slash. Signed URLs begin with it.
    pub base_url: Arc<str>,
    /// The holder of the signed URLs in the response. Those of a call without a token never work.
    pub holder: LinkHolder,
}

/// The time until which the caller waits.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Instant);

/// Records each call's deadline at its arrival, so that it is not later than the transport's own. The transport's
/// response at its deadline has no error details.
#[derive(Clone, Debug)]
pub struct StampDeadline<S>(pub S);

impl<S, B> tower::Service<http::Request<B>> for StampDeadline<S>
where
    S: tower::Service<http::Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        if let Some(timeout) = grpc_timeout(request.headers()) {
            request
                .extensions_mut()
                .insert(Deadline(Instant::now() + timeout));
        }
        self.0.call(request)
    }
}

/// Parses `grpc-timeout`: at most eight digits and a unit.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// Returns whether a request uses gRPC or gRPC-web.
pub fn is_grpc(request: &Request) -> bool {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("application/grpc"))
}

/// Adds a [`Call`] and a span to a request, and its request id to the response.
pub async fn identify(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    let request_id: Arc<str> = incoming_id(request.headers())
        .unwrap_or_else(|| state.context.ids.id())
        .into();
    let base_url = base_url(&state, &request);
    request.extensions_mut().insert(Call {
        request_id: Arc::clone(&request_id),
        base_url,
        holder: LinkHolder::default(),
    });
    let span = tracing::info_span!("call", request_id = &*request_id, method = tracing::field::Empty);
    if is_grpc(&request) {
        span.record("method", metrics::method(request.uri().path()));
    }
    let traceparent = request.headers().get("traceparent");
    if let Some(traceparent) = traceparent.and_then(|value| value.to_str().ok()) {
        trace::adopt(&span, traceparent);
    }
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

fn incoming_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(X_REQUEST_ID)?.to_str().ok()?;
    let sane = !text.is_empty()
        && text.len() <= MAX_REQUEST_ID
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    sane.then(|| text.to_owned())
}

fn base_url(state: &ServerState, request: &Request) -> Arc<str> {
    if let Some(url) = &state.config.public_url {
        return url.trim_end_matches('/').into();
    }
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    let authority = request
        .uri()
        .authority()
        .map(http::uri::Authority::as_str)
        .or(host)
        .unwrap_or("localhost");
    format!("http://{authority}").into()
}

/// Returns the [`Call`] of a request.
pub fn call<T>(request: &tonic::Request<T>) -> Call {
    let unidentified = || Call {
        request_id: "".into(),
        base_url: "".into(),
        holder: LinkHolder::default(),
    };
    request
        .extensions()
        .get::<Call>()
        .cloned()
        .unwrap_or_else(unidentified)
}

/// Enforces the deadline of a gRPC call, completes the status of an error, and logs the call.
pub async fn account(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.uri().path().to_owned();
    let call = request.extensions().get::<Call>().cloned();
    let deadline = request.extensions().get::<Deadline>().map(|deadline| deadline.0);
    let own = (!is_upload_stream(&method)).then(|| started + state.config.request_timeout);
    let response = match [deadline, own].into_iter().flatten().min() {
        Some(end) => tokio::time::timeout_at(end, next.run(request))
            .await
            .unwrap_or_else(|_| Status::from(Problem::deadline_exceeded()).into_http()),
        None => next.run(request).await,
    };
    let refused = errors::refused(response.headers());
    let code = refused.as_ref().map_or(Code::Ok, Status::code);
    let label = metrics::method(&method);
    let name = code_name(code);
    ::metrics::counter!("vintedbot_rpcs_total", "method" => label, "code" => name).increment(1);
    ::metrics::histogram!("vintedbot_rpc_duration_seconds", "method" => label)
        .record(started.elapsed().as_secs_f64());
    tracing::info!(
        method,
        ?code,
        duration_ms = started.elapsed().as_secs_f64() * 1000.0,
        "call answered"
    );
    match refused {
        None => response,
        Some(status) => {
            let request_id = call.as_ref().map_or("", |call| &call.request_id);
            errors::complete(status, request_id, state.message_limit(&method)).into_http()
        }
    }
}

/// The gRPC name of a code.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Returns whether the method is the photo stream, which has its own idle limit instead of the request timeout.
fn is_upload_stream(method: &str) -> bool {
    method.ends_with("/UploadPhotos")
}

/// Logs a plain HTTP request by its route, since its path may be signed.
pub async fn log_http(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let response = next.run(request).await;
    let route = route.unwrap_or_default();
    let status = response.status();
    ::metrics::counter!("vintedbot_http_requests_total", "route" => route.clone(), "status" => status.as_str().to_owned())
        .increment(1);
    tracing::info!(
        %method,
        route,
        status = status.as_u16(),
        duration_ms = started.elapsed().as_secs_f64() * 1000.0,
        "request answered"
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", HeaderValue::from_str(text).expect("ASCII"));
        grpc_timeout(&headers)
    }

    #[test]
    fn grpc_timeout_is_parsed_in_every_unit() {
        assert_eq!(timeout("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(timeout("3M"), Some(Duration::from_secs(180)));
        assert_eq!(timeout("4S"), Some(Duration::from_secs(4)));
        assert_eq!(timeout("5m"), Some(Duration::from_millis(5)));
        assert_eq!(timeout("6u"), Some(Duration::from_micros(6)));
        assert_eq!(timeout("7n"), Some(Duration::from_nanos(7)));
        for malformed in ["", "S", "1", "-1S", "123456789S", "1 S", "1é"] {
            let mut headers = HeaderMap::new();
            headers.insert(
                "grpc-timeout",
                HeaderValue::from_bytes(malformed.as_bytes()).expect("no control bytes"),
            );
            assert_eq!(grpc_timeout(&headers), None, "{malformed:?}");
        }
    }

    #[test]
    fn request_id_that_could_forge_a_log_line_is_replaced() {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_static("a-1_b.2"));
        assert_eq!(incoming_id(&headers).as_deref(), Some("a-1_b.2"));
        headers.insert(X_REQUEST_ID, HeaderValue::from_static("a request_id=b"));
        assert_eq!(incoming_id(&headers), None);
    }
}

//! The mapping from failures to the errors that a caller receives.
//!
//! A [`Problem`] is made from a domain error, or by a conversion that collects violations. It leaves as a gRPC status
//! with `google.rpc.ErrorInfo`, or as JSON on the plain HTTP paths. A new reason needs a value in the contract's
//! `ErrorReason`, a variant in the domain's `Reason`, and a line in `domain_errors::code`; a test compares the three.
//! `bounds` limits the size of its texts.

mod bounds;
mod domain_errors;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

pub use domain_errors::reason;
use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use vintedbot_domain as domain;
use vintedbot_domain::Fault;
use vintedbot_proto::v1::ErrorReason;
use vintedbot_proto::v1::violation::Code as ViolationCode;

use crate::convert;

/// The maximum violations in one response. They travel in a header, which clients limit to 8 KiB.
pub const VIOLATIONS_MAX: usize = 24;
/// `ErrorInfo.domain` of every error.
const DOMAIN: &str = "vintedbot";
/// The default wait before a retry.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// The error of a call. Boxed, because most calls succeed.
#[derive(Debug)]
pub struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    reason: ErrorReason,
    message: String,
    metadata: HashMap<String, String>,
    violations: Vec<domain::Violation>,
    retry_after: Option<Duration>,
}

impl Problem {
    pub fn new(code: Code, reason: ErrorReason, message: impl AsRef<str>) -> Self {
        Self(Box::new(Inner {
            code,
            reason,
            message: bounds::message(message.as_ref()),
            metadata: HashMap::new(),
            violations: Vec::new(),
            retry_after: None,
        }))
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.set_metadata([(key.to_owned(), value.into())]);
        self
    }

    /// Adds metadata, within its limit.
    fn set_metadata(&mut self, details: impl IntoIterator<Item = (String, String)>) {
        self.0.metadata.extend(details);
        bounds::metadata(&mut self.0.metadata);
    }

    /// The request itself is invalid; reports every violation.
    pub fn invalid(violations: Vec<domain::Violation>) -> Self {
        domain::Error::Invalid(violations).into()
    }

    /// The server is shutting down. The same call will work after the restart.
    pub fn shutting_down() -> Self {
        Self::unavailable("the server is shutting down")
    }

    fn unavailable(message: &str) -> Self {
        let mut problem = Self::new(Code::Unavailable, ErrorReason::Unavailable, message);
        problem.0.retry_after = Some(RETRY_SOON);
        problem
    }

    pub fn deadline_exceeded() -> Self {
        Self::new(
            Code::DeadlineExceeded,
            ErrorReason::DeadlineExceeded,
            "the call's deadline has passed; repeat it with the same request_id to get its result",
        )
    }

    /// An internal error. It is logged only here.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %chain(error), "internal error");
        Self::new(
            Code::Internal,
            ErrorReason::Internal,
            "internal error; the server's log contains it with the request id",
        )
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn reason(&self) -> ErrorReason {
        self.0.reason
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.0.metadata
    }

    /// Returns the wait after which the same call may succeed.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let inner = *problem.0;
        let mut details = ErrorDetails::new();
        let violations = bounds::violations(inner.violations, &inner.message, &inner.metadata);
        details.set_error_info(inner.reason.as_str_name(), DOMAIN, inner.metadata);
        if !violations.is_empty() {
            details.set_bad_request(
                violations
                    .into_iter()
                    .take(VIOLATIONS_MAX)
                    .map(field_violation)
                    .collect::<Vec<_>>(),
            );
        }
        if inner.retry_after.is_some() {
            details.set_retry_info(inner.retry_after);
        }
        Self::with_error_details(inner.code, inner.message, details)
    }
}

fn field_violation(violation: domain::Violation) -> FieldViolation {
    let code = match violation.fault {
        Fault::Malformed => ViolationCode::Malformed,
        Fault::Unknown => ViolationCode::Unknown,
        Fault::Ambiguous => ViolationCode::Ambiguous,
        Fault::Limit(kind) => convert::listing::code(kind),
    };
    FieldViolation {
        reason: code.as_str_name().to_owned(),
        ..FieldViolation::new(violation.field, violation.description)
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Completes the status of an error: adds `ErrorInfo` if the gRPC library made the status, and the request id.
pub fn complete(status: Status, request_id: &str, max_message_bytes: usize) -> Status {
    let status = if status.details().is_empty() {
        explain(&status, max_message_bytes).into()
    } else {
        status
    };
    let mut details = status.get_error_details();
    details.set_request_info(request_id, "");
    if status.code() == Code::Internal
        && let Some(info) = details.error_info().cloned()
    {
        let mut metadata = info.metadata;
        metadata.insert("request_id".to_owned(), request_id.to_owned());
        details.set_error_info(info.reason, info.domain, metadata);
    }
    let metadata = status.metadata().clone();
    Status::with_error_details_and_metadata(status.code(), status.message(), details, metadata)
}

/// Converts a status of the gRPC library to an error of the contract.
pub fn explain(status: &Status, max_message_bytes: usize) -> Problem {
    let message = status.message();
    match status.code() {
        // tonic 0.14 returns OUT_OF_RANGE for a message above its limit, and RESOURCE_EXHAUSTED if it exceeds the
        // limit only after decompression.
        Code::OutOfRange | Code::ResourceExhausted => Problem::new(
            Code::ResourceExhausted,
            ErrorReason::MessageTooLarge,
            format!("the message is larger than {max_message_bytes} bytes"),
        )
        .with("max_bytes", max_message_bytes.to_string()),
        Code::DeadlineExceeded => Problem::deadline_exceeded(),
        Code::Unavailable => Problem::shutting_down(),
        Code::Unimplemented => {
            let text = if message.is_empty() {
                "the method does not exist"
            } else {
                message
            };
            Problem::new(Code::Unimplemented, ErrorReason::Unimplemented, text)
        }
        // Our own internal errors have details, so this one is a decoding error.
        _ => Problem::new(
            Code::InvalidArgument,
            ErrorReason::ValidationFailed,
            format!("the request cannot be read: {message}"),
        ),
    }
}

/// Returns the status in a response's headers, if it is an error.
pub fn refused(headers: &HeaderMap) -> Option<Status> {
    Status::from_header_map(headers).filter(|status| status.code() != Code::Ok)
}

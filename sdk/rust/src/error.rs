//! The errors of calls.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;
use vintedbot_proto::v1::{ErrorReason, Violation, violation};

/// The result of the methods of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason for which a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused the call.
    #[error("{message}{}", details_text(.violations, .reason_name))]
    Api {
        /// The gRPC code.
        code: Code,
        /// The error reason. `Unspecified` if this crate does not know it; see `reason_name`.
        reason: ErrorReason,
        /// The error reason as sent, such as `ERROR_REASON_NOT_FOUND`.
        reason_name: String,
        /// An English description.
        message: String,
        /// Details of the reason. The documentation of each reason names the keys.
        metadata: Box<BTreeMap<String, String>>,
        /// All wrong fields. Empty if the error concerns no field.
        violations: Vec<Violation>,
        /// The wait after which a retry may succeed. Absent if the server gave none.
        retry_after: Option<Duration>,
        /// The header `x-request-id` of the call, which is in the server's log. Empty if the answer had none.
        request_id: Box<str>,
    },
    /// The connection was lost, the deadline passed, or a proxy answered instead of the server. It is unknown whether
    /// the call took effect.
    #[error("no answer from the server: {}", .0.message())]
    Line(#[source] Box<Status>),
    /// No server answers at the address.
    #[error("the server cannot be reached")]
    Connect(#[source] tonic::transport::Error),
    /// The address is not valid.
    #[error("{address:?} is not a server address such as http://127.0.0.1:50051")]
    Address {
        /// The given address.
        address: String,
        /// The cause.
        source: tonic::transport::Error,
    },
    /// The API token or access token contains characters that cannot be sent.
    #[error("the token contains characters that cannot be sent")]
    Token,
    /// The tokens of the session could not be refreshed, and the call had no effect. If the reason is
    /// `RefreshTokenInvalid` or `RefreshTokenReused`, the session has ended: sign in again.
    #[error("cannot refresh the session: {0}")]
    Refresh(#[source] Arc<Error>),
    /// A file with an API token or a photo cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The server's response lacks a required part.
    #[error("the server's response contains no {0}")]
    Incomplete(&'static str),
}

fn details_text(violations: &[Violation], reason_name: &str) -> String {
    let fields = violations
        .iter()
        .map(|v| format!("; {}: {}", v.field, v.description));
    fields.chain([format!(" ({reason_name})")]).collect()
}

impl Error {
    /// Returns the server's reason. `Unspecified` if the reason is absent or unknown to this crate.
    #[must_use]
    pub fn reason(&self) -> ErrorReason {
        match self {
            Self::Api { reason, .. } => *reason,
            Self::Refresh(cause) => cause.reason(),
            _ => ErrorReason::Unspecified,
        }
    }

    /// Returns the gRPC code. Absent if no call was made.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Api { code, .. } => Some(*code),
            Self::Line(status) => Some(status.code()),
            Self::Connect(_) => Some(Code::Unavailable),
            Self::Refresh(cause) => cause.code(),
            _ => None,
        }
    }

    /// Returns the wait after which a retry may succeed, if the server gave one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api { retry_after, .. } => *retry_after,
            Self::Refresh(cause) => cause.retry_after(),
            _ => None,
        }
    }

    /// Returns the header `x-request-id` of the call, which is in the server's log.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Api { request_id, .. } => (!request_id.is_empty()).then_some(request_id),
            Self::Refresh(cause) => cause.request_id(),
            _ => None,
        }
    }

    /// Returns whether the cursor has expired. If so, watch again with `snapshot` set and no cursor.
    #[must_use]
    pub fn is_cursor_expired(&self) -> bool {
        self.reason() == ErrorReason::CursorExpired
    }

    /// The error of a call that exceeded its timeout.
    pub(crate) fn timed_out() -> Self {
        Self::Line(Box::new(Status::deadline_exceeded(
            "the call exceeded its timeout",
        )))
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let Some(info) = details.error_info() else {
            return without_reason(status);
        };
        let violations = details
            .bad_request()
            .map_or(&[][..], |request| &request.field_violations);
        Self::Api {
            code: status.code(),
            reason: ErrorReason::from_str_name(&info.reason).unwrap_or_default(),
            reason_name: info.reason.clone(),
            message: status.message().to_owned(),
            metadata: Box::new(info.metadata.clone().into_iter().collect()),
            violations: violations
                .iter()
                .map(|found| Violation {
                    field: found.field.clone(),
                    description: found.description.clone(),
                    code: violation::Code::from_str_name(&found.reason)
                        .unwrap_or_default()
                        .into(),
                })
                .collect(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            request_id: request_id(&status),
        }
    }
}

fn request_id(status: &Status) -> Box<str> {
    let id = status.metadata().get("x-request-id");
    id.and_then(|id| id.to_str().ok()).unwrap_or_default().into()
}

/// Converts a status without `ErrorInfo`. It does not come from our server, which always sends a reason.
fn without_reason(status: Status) -> Error {
    if has_timed_out(&status) {
        return Error::timed_out();
    }
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::Internal => {
            Error::Line(Box::new(status))
        }
        code => Error::Api {
            code,
            reason: ErrorReason::Unspecified,
            reason_name: String::new(),
            message: status.message().to_owned(),
            metadata: Box::default(),
            violations: Vec::new(),
            retry_after: None,
            request_id: request_id(&status),
        },
    }
}

/// The transport reports "cancelled" when it aborts a call at its deadline.
fn has_timed_out(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(cause) = source {
        if cause.is::<TimeoutExpired>() {
            return true;
        }
        source = cause.source();
    }
    false
}

//! What can go wrong with a call, taken apart.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;
use vintedbot_proto::v1::{ErrorReason, Violation, violation};

/// What methods of this crate answer with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused the call.
    #[error("{message}{}", told(.violations, .reason_name))]
    Api {
        /// The gRPC code.
        code: Code,
        /// Why. `Unspecified`: something newer than this crate; see `reason_name`.
        reason: ErrorReason,
        /// Why, as it was sent: `ERROR_REASON_NOT_FOUND`.
        reason_name: String,
        /// What happened, in English.
        message: String,
        /// What belongs to the reason; each reason's documentation names its keys.
        metadata: BTreeMap<String, String>,
        /// All fields at fault. Empty: no field is.
        violations: Vec<Violation>,
        /// After how long trying again may help. Absent: the server did not say.
        retry_after: Option<Duration>,
    },
    /// The line was cut, the deadline passed, or something between here and the server answered in its place. Whether the
    /// call took effect is not known.
    #[error("no answer from the server: {}", .0.message())]
    Line(#[source] Box<Status>),
    /// There is nobody at the address.
    #[error("the server cannot be reached")]
    Connect(#[source] tonic::transport::Error),
    /// What was given as address is none.
    #[error("{address:?} is no address of a server; one looks like http://127.0.0.1:50051")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// The API token holds characters that no token has.
    #[error("the API token holds characters that cannot be sent")]
    Token,
    /// A file with a token or a photo cannot be read.
    #[error("cannot read {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The server's answer lacks what the contract promises.
    #[error("the server's answer holds no {0}")]
    Incomplete(&'static str),
}

fn told(violations: &[Violation], reason_name: &str) -> String {
    let fields = violations
        .iter()
        .map(|v| format!("; {}: {}", v.field, v.description));
    fields.chain([format!(" ({reason_name})")]).collect()
}

impl Error {
    /// The server's reason; `Unspecified` where it gave none that this crate knows.
    #[must_use]
    pub fn reason(&self) -> ErrorReason {
        match self {
            Self::Api { reason, .. } => *reason,
            _ => ErrorReason::Unspecified,
        }
    }

    /// The gRPC code; absent where no call was made.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Api { code, .. } => Some(*code),
            Self::Line(status) => Some(status.code()),
            Self::Connect(_) => Some(Code::Unavailable),
            _ => None,
        }
    }

    /// After how long trying again may help, where the server said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the place in the event log is gone. Watch again with `snapshot` set and no cursor.
    #[must_use]
    pub fn is_cursor_expired(&self) -> bool {
        self.reason() == ErrorReason::CursorExpired
    }

    /// The error of a call that took longer than it may.
    pub(crate) fn timed_out() -> Self {
        Self::Line(Box::new(Status::deadline_exceeded(
            "it took longer than the time set for a call",
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
            metadata: info.metadata.clone().into_iter().collect(),
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
        }
    }
}

/// A status that our server did not make: ours always say their reason.
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
            metadata: BTreeMap::new(),
            violations: Vec::new(),
            retry_after: None,
        },
    }
}

/// The transport says "cancelled" when it gives a call up at its deadline.
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

//! The one mapping from what went wrong to what a caller is told.
//!
//! A [`Problem`] is made from a domain error (or by a conversion that collects violations) and leaves as a gRPC status
//! with `google.rpc.ErrorInfo`, or as JSON on the plain HTTP paths. A new reason: its value in the contract's
//! `ErrorReason`, its variant in the domain's `Reason`, and its line in [`code`]; a test holds the three together.

use std::collections::HashMap;
use std::time::Duration;

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use vintedbot_domain::media::files;
use vintedbot_domain::{self as domain, Reason};
use vintedbot_marketplace::catalog::ResolveError;
use vintedbot_proto::v1::ErrorReason;

/// `ErrorInfo.domain` of every error.
const DOMAIN: &str = "vintedbot";
/// What a caller waits before trying again, where the server cannot know better.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// Why a call is refused. Boxed, since most calls are not.
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
    pub fn new(code: Code, reason: ErrorReason, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            reason,
            message: message.into(),
            metadata: HashMap::new(),
            violations: Vec::new(),
            retry_after: None,
        }))
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.metadata.insert(key.to_owned(), value.into());
        self
    }

    /// The request itself is wrong; every violation at once.
    pub fn invalid(violations: Vec<domain::Violation>) -> Self {
        domain::Error::Invalid(violations).into()
    }

    /// The server is going down, and the same call will work on its successor.
    pub fn shutting_down() -> Self {
        let mut problem = Self::new(
            Code::Unavailable,
            ErrorReason::Unavailable,
            "the server is shutting down",
        );
        problem.0.retry_after = Some(RETRY_SOON);
        problem
    }

    pub fn deadline_exceeded() -> Self {
        Self::new(
            Code::DeadlineExceeded,
            ErrorReason::DeadlineExceeded,
            "the call's deadline has passed; ask again with the same request_id to learn what became of it",
        )
    }

    /// Something that cannot be anybody's fault but ours. Logged here, and nowhere else.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %chain(error), "internal error");
        Self::new(
            Code::Internal,
            ErrorReason::Internal,
            "an internal error; the server's log has it under the request id",
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

    /// What the caller has to wait before the same call may succeed.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let inner = *problem.0;
        let mut details = ErrorDetails::new();
        details.set_error_info(inner.reason.as_str_name(), DOMAIN, inner.metadata);
        if !inner.violations.is_empty() {
            details.set_bad_request(
                inner
                    .violations
                    .into_iter()
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
    FieldViolation::new(violation.field, violation.description)
}

impl From<domain::Error> for Problem {
    fn from(error: domain::Error) -> Self {
        match error {
            domain::Error::Invalid(violations) => {
                let message = match violations.as_slice() {
                    [only] => format!("{}: {}", only.field, only.description),
                    all => format!("{} fields are wrong", all.len()),
                };
                let mut problem = Self::new(Code::InvalidArgument, ErrorReason::ValidationFailed, message);
                problem.0.violations = violations;
                problem
            }
            domain::Error::Incomplete(violations) => {
                let message = format!(
                    "the listing cannot be published yet: {} things are missing or wrong",
                    violations.len()
                );
                let mut problem =
                    Self::new(Code::FailedPrecondition, ErrorReason::ListingIncomplete, message);
                problem.0.violations = violations;
                problem
            }
            domain::Error::NotFound { resource, id } => Self::new(
                Code::NotFound,
                ErrorReason::NotFound,
                format!("there is no {resource} {id}"),
            )
            .with("resource_type", resource)
            .with("resource_id", id),
            domain::Error::Rejected(rejection) => {
                let mut problem = Self::new(
                    code(rejection.reason),
                    reason(rejection.reason),
                    rejection.message,
                );
                problem.0.metadata.extend(rejection.metadata);
                problem.0.retry_after = rejection.retry_after_ms.map(milliseconds);
                problem
            }
            domain::Error::Name(error) => name(&error),
            domain::Error::Files(files::Error::StorageFull) => storage_full(),
            domain::Error::Database(error) if is_full(&error.to_string()) => storage_full(),
            error @ (domain::Error::Photo(_)
            | domain::Error::Files(_)
            | domain::Error::Database(_)
            | domain::Error::Internal(_)) => Self::internal(&error),
        }
    }
}

fn storage_full() -> Problem {
    Problem::new(
        code(Reason::StorageFull),
        reason(Reason::StorageFull),
        "the server's disk is full; nothing of this call was stored",
    )
}

/// What SQLite (SQLITE_FULL) and PostgreSQL (53100) say of a full disk.
fn is_full(error: &str) -> bool {
    error.contains("database or disk is full")
        || error.contains("53100")
        || error.contains("No space left on device")
}

fn name(error: &ResolveError) -> Problem {
    let (reason, field, given, candidates) = match error {
        ResolveError::Unknown {
            field,
            given,
            suggestions,
        } => (Reason::NameUnknown, field, given, suggestions),
        ResolveError::Ambiguous {
            field,
            given,
            candidates,
        } => (Reason::NameAmbiguous, field, given, candidates),
    };
    let candidates: Vec<_> = candidates
        .iter()
        .map(|c| format!("{} {}", c.id, c.name))
        .collect();
    Problem::new(code(reason), self::reason(reason), error.to_string())
        .with("field", field.name())
        .with("name", given)
        .with("candidates", candidates.join("\n"))
}

/// The contract's value of a domain reason.
pub fn reason(reason: Reason) -> ErrorReason {
    ErrorReason::from_str_name(&format!("ERROR_REASON_{}", reason.name()))
        .expect("a test holds the domain's reasons against the contract's")
}

/// The gRPC code of each reason, as documented in the contract.
fn code(reason: Reason) -> Code {
    match reason {
        Reason::TokenMissing | Reason::TokenInvalid | Reason::TokenExpired => Code::Unauthenticated,
        Reason::ScopeMissing | Reason::ScopeNotGrantable | Reason::ConfirmationInvalid | Reason::UploadUrlInvalid => {
            Code::PermissionDenied
        }
        Reason::NotFound => Code::NotFound,
        Reason::RequestIdReused => Code::AlreadyExists,
        Reason::ResourceChanged => Code::Aborted,
        Reason::RateLimited | Reason::StorageFull => Code::ResourceExhausted,
        Reason::CursorExpired => Code::OutOfRange,
        Reason::CatalogNotReady | Reason::SiteUnavailable => Code::Unavailable,
        Reason::ValidationFailed
        | Reason::PageTokenInvalid
        | Reason::CursorInvalid
        | Reason::NameAmbiguous
        | Reason::NameUnknown
        | Reason::PhotoNotAnImage
        | Reason::PhotoTruncated
        | Reason::PhotoTooLarge
        | Reason::PhotoTooManyPixels
        | Reason::PhotoFormatUnsupported
        | Reason::TooManyPhotos
        | Reason::ConfirmationRequired => Code::InvalidArgument,
        Reason::AccountPaused
        | Reason::AcknowledgementRequired
        | Reason::AlreadyPublished
        | Reason::ConfirmationExpired
        | Reason::ConfirmationStale
        | Reason::ConfirmationUsed
        | Reason::JobState
        | Reason::ListingIncomplete
        | Reason::ModeNotAllowed
        | Reason::PublishJobOpen
        | Reason::RemoteItemTaken
        | Reason::ResourceInUse
        | Reason::SessionRequired
        | Reason::TooLate
        | Reason::UploadUrlExpired
        // These stand on jobs and accounts; where one does refuse a call, the job is what forbids it.
        | Reason::AttemptsExhausted
        | Reason::BrowserUnavailable
        | Reason::CancelledByPerson
        | Reason::ChallengeAccountVerification
        | Reason::ChallengeBlocked
        | Reason::ChallengeBotCheck
        | Reason::ChallengeCaptcha
        | Reason::ChallengeCloudflare
        | Reason::ChallengeLoginLost
        | Reason::ChallengeRateLimit
        | Reason::ChallengeRestriction
        | Reason::ChallengeSecondFactor
        | Reason::ChallengeSessionRefresh
        | Reason::DraftLost
        | Reason::FieldNotFound
        | Reason::ModeChanged
        | Reason::OutcomeUnknown
        | Reason::PossibleDuplicate
        | Reason::ReadBackMismatch
        | Reason::SiteChanged
        | Reason::SiteRefused => Code::FailedPrecondition,
    }
}

fn milliseconds(value: i64) -> Duration {
    Duration::from_millis(value.max(0).unsigned_abs())
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

/// Gives a status on its way out what every error has: `ErrorInfo` where gRPC's own code made it without, and the request
/// id.
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

/// What a status of the gRPC library means in our terms.
pub fn explain(status: &Status, max_message_bytes: usize) -> Problem {
    let message = status.message();
    match status.code() {
        // tonic 0.14 answers OUT_OF_RANGE to a message above its limit, and RESOURCE_EXHAUSTED to one that grows above it
        // when decompressed.
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
                "there is no such method"
            } else {
                message
            };
            Problem::new(Code::Unimplemented, ErrorReason::Unimplemented, text)
        }
        // Our own internal errors have details; this one comes from decoding what was sent.
        _ => Problem::new(
            Code::InvalidArgument,
            ErrorReason::ValidationFailed,
            format!("the request cannot be read: {message}"),
        ),
    }
}

/// The status that a response carries in its headers, where it is an error.
pub fn refused(headers: &HeaderMap) -> Option<Status> {
    Status::from_header_map(headers).filter(|status| status.code() != Code::Ok)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::{FileDescriptorSet, SourceCodeInfo};

    use super::*;

    /// The names of all of the domain's reasons, as its own parser lists them.
    fn domain_reasons() -> Vec<Reason> {
        let error = serde_json::from_str::<Reason>("\"?\"")
            .expect_err("no reason is called that")
            .to_string();
        let names = error.split('`').skip(3).step_by(2);
        names
            .map(|name| Reason::from_name(name).expect("a name from the list"))
            .collect()
    }

    /// The contract's comment on each reason.
    fn documented() -> HashMap<String, String> {
        let files =
            FileDescriptorSet::decode(vintedbot_proto::FILE_DESCRIPTOR_SET).expect("a descriptor set");
        let file = files
            .file
            .iter()
            .find(|file| file.name().ends_with("error_reason.proto"))
            .expect("the file");
        let values = file.enum_type[0].value.iter();
        let comments = file
            .source_code_info
            .clone()
            .unwrap_or_else(SourceCodeInfo::default);
        values
            .enumerate()
            .map(|(at, value)| {
                // Field 5 of a file is its enums, field 2 of an enum its values.
                let path = [5, 0, 2, i32::try_from(at).expect("few values")];
                let comment = comments.location.iter().find(|location| location.path == path);
                let text = comment.map(|comment| comment.leading_comments().trim().to_owned());
                (value.name().to_owned(), text.unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn every_reason_of_the_domain_is_in_the_contract_with_the_code_that_is_documented_there() {
        let documented = documented();
        let reasons = domain_reasons();
        assert!(reasons.len() > 40, "{reasons:?}");
        for domain_reason in reasons {
            let name = reason(domain_reason).as_str_name();
            let text = &documented[name];
            let word: String = text
                .chars()
                .take_while(|c| c.is_ascii_uppercase() || *c == '_')
                .collect();
            let expected = match word.as_str() {
                "UNAUTHENTICATED" => Code::Unauthenticated,
                "PERMISSION_DENIED" => Code::PermissionDenied,
                "INVALID_ARGUMENT" => Code::InvalidArgument,
                "NOT_FOUND" => Code::NotFound,
                "ALREADY_EXISTS" => Code::AlreadyExists,
                "ABORTED" => Code::Aborted,
                "FAILED_PRECONDITION" => Code::FailedPrecondition,
                "RESOURCE_EXHAUSTED" => Code::ResourceExhausted,
                "OUT_OF_RANGE" => Code::OutOfRange,
                "UNAVAILABLE" => Code::Unavailable,
                // Reasons of jobs and accounts, and of upload addresses, have no code of their own.
                _ => continue,
            };
            assert_eq!(code(domain_reason), expected, "{name}: {text}");
        }
    }

    #[test]
    fn an_internal_error_tells_nothing_but_its_request_id() {
        let error = domain::Error::Internal("secret detail".to_owned());
        let status = complete(Problem::from(error).into(), "id-1", 0);
        let details = status.get_error_details();
        let info = details.error_info().expect("ErrorInfo");
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(info.reason, "ERROR_REASON_INTERNAL");
        assert_eq!(info.metadata["request_id"], "id-1");
        assert_eq!(details.request_info().expect("RequestInfo").request_id, "id-1");
        assert!(!format!("{status:?}").contains("secret detail"));
    }

    #[test]
    fn a_wait_leaves_as_retry_info_and_every_violation_as_a_field() {
        let limited = domain::Error::rejected(Reason::RateLimited, "too many").retry_after(1500);
        let details = Status::from(Problem::from(limited)).get_error_details();
        assert_eq!(
            details.retry_info().and_then(|info| info.retry_delay),
            Some(Duration::from_millis(1500))
        );

        let invalid = domain::Error::Invalid(vec![
            domain::Violation::new("listing.title", "too long"),
            domain::Violation::new("listing.price", "too low"),
        ]);
        let status = Status::from(Problem::from(invalid));
        let fields: Vec<_> = status
            .get_details_bad_request()
            .expect("BadRequest")
            .field_violations
            .into_iter()
            .map(|violation| violation.field)
            .collect();
        assert_eq!(
            (status.code(), fields),
            (
                Code::InvalidArgument,
                vec!["listing.title".into(), "listing.price".into()]
            )
        );
    }

    #[test]
    fn a_status_of_the_library_gets_the_reason_that_it_stands_for() {
        let reason_of = |status: Status| {
            let status = complete(status, "id", 7);
            let info = status.get_details_error_info().expect("ErrorInfo");
            (
                status.code(),
                info.reason,
                info.metadata.get("max_bytes").cloned(),
            )
        };
        let large = reason_of(Status::out_of_range("decoded message length too large"));
        assert_eq!(
            large,
            (
                Code::ResourceExhausted,
                "ERROR_REASON_MESSAGE_TOO_LARGE".into(),
                Some("7".into())
            )
        );
        let unreadable = reason_of(Status::internal("failed to decode Protobuf message"));
        assert_eq!(
            unreadable,
            (
                Code::InvalidArgument,
                "ERROR_REASON_VALIDATION_FAILED".into(),
                None
            )
        );
        let unknown = reason_of(Status::unimplemented(""));
        assert_eq!(
            unknown,
            (Code::Unimplemented, "ERROR_REASON_UNIMPLEMENTED".into(), None)
        );
    }
}

//! Mapping from the domain's errors to the errors that a caller receives.

use std::time::Duration;

use tonic::Code;
use vintedbot_domain::media::files;
use vintedbot_domain::{self as domain, Reason};
use vintedbot_marketplace::catalog::ResolveError;
use vintedbot_proto::v1::ErrorReason;

use super::{Problem, VIOLATIONS_MAX};

impl From<domain::Error> for Problem {
    fn from(error: domain::Error) -> Self {
        match error {
            domain::Error::Invalid(violations) => {
                let message = match violations.as_slice() {
                    [only] => format!("{}: {}", only.field, only.description),
                    many if many.len() > VIOLATIONS_MAX => {
                        format!("more than {VIOLATIONS_MAX} fields are wrong")
                    }
                    all => format!("{} fields are wrong", all.len()),
                };
                let mut problem = Self::new(Code::InvalidArgument, ErrorReason::ValidationFailed, message);
                problem.0.violations = violations;
                problem
            }
            domain::Error::Incomplete(violations) => {
                let message = format!(
                    "the listing cannot be published yet: {} fields are missing or wrong",
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
                problem.set_metadata(rejection.metadata);
                problem.0.retry_after = rejection.retry_after_ms.map(milliseconds);
                problem
            }
            domain::Error::Name(error) => name(&error),
            domain::Error::Files(files::Error::StorageFull) => storage_full(),
            domain::Error::Files(error @ files::Error::Unreachable(_)) => {
                tracing::warn!(%error, "the media store cannot be used");
                Self::unavailable("the server's media store cannot be reached; this call stored nothing")
            }
            domain::Error::Files(files::Error::Going { .. }) => {
                Self::unavailable("a photo with the same content is being removed; retry the call")
            }
            domain::Error::Database(error) if is_full(&error.to_string()) => storage_full(),
            domain::Error::Database(error) if is_unreachable(&error.to_string()) => {
                tracing::warn!(%error, "the database cannot be reached");
                Self::unavailable("the server's database cannot be reached")
            }
            domain::Error::Contended(what) => {
                tracing::warn!(what, "a transaction failed after all retries");
                Self::unavailable("concurrent calls changed the same data; retry the call")
            }
            error @ (domain::Error::Photo(_)
            | domain::Error::Files(_)
            | domain::Error::Database(_)
            | domain::Error::Setup(_)
            | domain::Error::Internal(_)) => Self::internal(&error),
        }
    }
}

fn storage_full() -> Problem {
    Problem::new(
        code(Reason::StorageFull),
        reason(Reason::StorageFull),
        "the server's disk is full; this call stored nothing",
    )
}

/// Matches the errors of SQLite (SQLITE_FULL) and PostgreSQL (53100) for a full disk.
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

/// Matches sea-orm's errors for a connection that cannot be acquired or that broke.
fn is_unreachable(error: &str) -> bool {
    error.starts_with("Failed to acquire connection from pool") || error.starts_with("Connection Error")
}

/// Returns the contract's value of a domain reason.
pub fn reason(reason: Reason) -> ErrorReason {
    ErrorReason::from_str_name(&format!("ERROR_REASON_{}", reason.name()))
        .expect("a test compares the domain's reasons with the contract's")
}

/// Returns the gRPC code of a reason, as documented in the contract.
pub(super) fn code(reason: Reason) -> Code {
    match reason {
        Reason::CredentialsInvalid
        | Reason::RefreshTokenInvalid
        | Reason::RefreshTokenReused
        | Reason::SecondFactorInvalid
        | Reason::SecondFactorRequired
        | Reason::TokenExpired
        | Reason::TokenInvalid
        | Reason::TokenMissing => Code::Unauthenticated,
        Reason::ConfirmationInvalid
        | Reason::CsrfHeaderMissing
        | Reason::InsufficientRole
        | Reason::InsufficientScope
        | Reason::PersonRequired
        | Reason::RegistrationClosed
        | Reason::ScopeNotGrantable
        | Reason::UploadUrlInvalid => Code::PermissionDenied,
        Reason::NotFound => Code::NotFound,
        Reason::EmailTaken | Reason::NameTaken | Reason::RequestIdReused => Code::AlreadyExists,
        Reason::ResourceChanged | Reason::DraftConflict => Code::Aborted,
        Reason::MessageTooLarge | Reason::RateLimited | Reason::StorageFull => Code::ResourceExhausted,
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
        | Reason::SessionCookiesMissing
        | Reason::SessionWrongMarket
        | Reason::TooManyPhotos
        | Reason::WebhookAddressRefused
        | Reason::ConfirmationRequired => Code::InvalidArgument,
        Reason::AccountPaused
        | Reason::AcknowledgementRequired
        | Reason::AlreadyPublished
        | Reason::ConfirmationExpired
        | Reason::ConfirmationStale
        | Reason::ConfirmationUsed
        | Reason::InvitationInvalid
        | Reason::ManualTakeover
        | Reason::JobStateInvalid
        | Reason::LastOwner
        | Reason::LinkInvalid
        | Reason::ListingIncomplete
        | Reason::ModeNotAllowed
        | Reason::NotPublished
        | Reason::PublishJobOpen
        | Reason::RemoteChanged
        | Reason::RemoteItemAlreadyLinked
        | Reason::ReplyNotAllowed
        | Reason::ReplyOpen
        | Reason::ReplyStateInvalid
        | Reason::ResourceInUse
        | Reason::SecondFactorEnabled
        | Reason::SessionInvalid
        | Reason::SessionMemberMismatch
        | Reason::SessionRequired
        | Reason::ThreadRemovalOpen
        | Reason::NotCancellable
        | Reason::TooManyWebhookEndpoints
        | Reason::UploadUrlExpired
        | Reason::WebhookEndpointDisabled
        // These reasons belong to jobs and accounts. If one refuses a call, the job's state is the cause.
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
        | Reason::PageUnusable
        | Reason::PossibleDuplicate
        | Reason::ReadBackMismatch
        | Reason::ReplyDiffers
        | Reason::ScheduleMissed
        | Reason::SessionLostInRefresh
        | Reason::SiteResponseUnexpected
        | Reason::SiteRefused
        | Reason::WindowClosed => Code::FailedPrecondition,
    }
}

fn milliseconds(value: i64) -> Duration {
    Duration::from_millis(value.max(0).unsigned_abs())
}

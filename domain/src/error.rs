//! The one error of the domain's boundary, and the reasons that callers can act on.

use std::collections::BTreeMap;

use vintedbot_marketplace::catalog::ResolveError;
use vintedbot_marketplace::limits::ViolationKind;

use crate::media::pipeline;

/// Why something was refused. The names are those of the contract's `ErrorReason`, without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    AccountPaused,
    AcknowledgementRequired,
    AlreadyPublished,
    CatalogNotReady,
    ConfirmationExpired,
    ConfirmationInvalid,
    ConfirmationRequired,
    ConfirmationStale,
    ConfirmationUsed,
    CursorExpired,
    CursorInvalid,
    DraftConflict,
    HandedOver,
    JobState,
    ListingIncomplete,
    MessageTooLarge,
    ModeNotAllowed,
    NameAmbiguous,
    NameTaken,
    NameUnknown,
    NotFound,
    NotPublished,
    PageTokenInvalid,
    PhotoFormatUnsupported,
    PhotoNotAnImage,
    PhotoTooLarge,
    PhotoTooManyPixels,
    PhotoTruncated,
    PublishJobOpen,
    RateLimited,
    RequestIdReused,
    ResourceChanged,
    ResourceInUse,
    ScopeMissing,
    SessionCookiesMissing,
    SessionInvalid,
    SessionOtherMember,
    SessionRequired,
    SessionWrongMarket,
    RemoteChanged,
    RemoteItemTaken,
    ReplyNotAllowed,
    ReplyOpen,
    ReplyState,
    ScopeNotGrantable,
    StorageFull,
    ThreadRemovalOpen,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TooLate,
    TooManyPhotos,
    TooManyWebhookEndpoints,
    UploadUrlExpired,
    UploadUrlInvalid,
    ValidationFailed,
    WebhookAddressRefused,
    WebhookEndpointDisabled,
    // Why a publish job stopped. They stand in a job's `reason`, not in the answer to a call.
    AttemptsExhausted,
    BrowserUnavailable,
    CancelledByPerson,
    ChallengeAccountVerification,
    ChallengeBlocked,
    ChallengeBotCheck,
    ChallengeCaptcha,
    ChallengeCloudflare,
    ChallengeLoginLost,
    ChallengeRateLimit,
    ChallengeRestriction,
    ChallengeSecondFactor,
    ChallengeSessionRefresh,
    DraftLost,
    FieldNotFound,
    ModeChanged,
    OutcomeUnknown,
    PageUnusable,
    PossibleDuplicate,
    ReadBackMismatch,
    ReplyDiffers,
    ScheduleMissed,
    SessionLostInRefresh,
    SiteChanged,
    SiteRefused,
    SiteUnavailable,
    WindowClosed,
}

impl Reason {
    /// The name as it stands in the database and, prefixed with `ERROR_REASON_`, in the contract.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
    }
}

/// One field that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field's path in the request, such as `listing.title`.
    pub field: String,
    pub description: String,
    pub fault: Fault,
}

/// What kind of mistake a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The form is wrong.
    Malformed,
    /// The id or name stands for nothing.
    Unknown,
    /// The name fits several things.
    Ambiguous,
    /// A rule of the site.
    Limit(ViolationKind),
}

/// Whether a name can be shown and stored anywhere: PostgreSQL refuses NUL, and a person cannot see the others.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

impl Violation {
    /// A field whose form is wrong.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::of(Fault::Malformed, field, description)
    }

    pub fn of(fault: Fault, field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
            fault,
        }
    }
}

/// A refusal that follows from a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub reason: Reason,
    pub message: String,
    /// Details by name, documented with the reason in the contract.
    pub metadata: BTreeMap<String, String>,
    /// When the same call may succeed.
    pub retry_after_ms: Option<i64>,
}

/// Everything that a domain function can answer with instead of its result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong; every violation at once.
    #[error("invalid: {}", .0.iter().map(|v| format!("{}: {}", v.field, v.description)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Violation>),
    /// A listing is not yet what the site asks for; every violation at once.
    #[error("incomplete: {}", .0.iter().map(|v| format!("{}: {}", v.field, v.description)).collect::<Vec<_>>().join("; "))]
    Incomplete(Vec<Violation>),
    /// There is no such thing, or it is not the caller's.
    #[error("{resource} {id} not found")]
    NotFound { resource: &'static str, id: String },
    /// A rule says no.
    #[error("{}", .0.message)]
    Rejected(Box<Rejection>),
    /// A photo cannot be used.
    #[error(transparent)]
    Photo(#[from] pipeline::Error),
    /// A name of the site's ontology means nothing, or too much.
    #[error(transparent)]
    Name(#[from] ResolveError),
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// The file store failed.
    #[error("files: {0}")]
    Files(#[from] crate::media::files::Error),
    /// Another transaction did the same at the same moment. The store runs this one again; it reaches a caller only where
    /// that did not help.
    #[error("contended: {0}")]
    Contended(&'static str),
    /// The operator has to put something right: a setting, a folder, another process.
    #[error("{0}")]
    Setup(String),
    /// What is stored cannot be understood; nobody's request is at fault.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// A refusal with a reason and a sentence for a person.
    pub fn rejected(reason: Reason, message: impl Into<String>) -> Self {
        Self::Rejected(Box::new(Rejection {
            reason,
            message: message.into(),
            metadata: BTreeMap::new(),
            retry_after_ms: None,
        }))
    }

    /// Adds a detail to a refusal; any other error is left as it is.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        if let Self::Rejected(rejection) = &mut self {
            rejection.metadata.insert(key.to_owned(), value.into());
        }
        self
    }

    /// Says when a refused call may succeed; any other error is left as it is.
    #[must_use]
    pub fn retry_after(mut self, milliseconds: i64) -> Self {
        if let Self::Rejected(rejection) = &mut self {
            rejection.retry_after_ms = Some(milliseconds.max(0));
        }
        self
    }

    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(field, description)])
    }

    pub fn not_found(resource: &'static str, id: impl Into<String>) -> Self {
        Self::NotFound {
            resource,
            id: id.into(),
        }
    }

    /// The reason of a refusal, where there is one.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Rejected(rejection) => Some(rejection.reason),
            Self::Invalid(_) => Some(Reason::ValidationFailed),
            Self::Incomplete(_) => Some(Reason::ListingIncomplete),
            Self::NotFound { .. } => Some(Reason::NotFound),
            _ => None,
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!("stored JSON: {error}"))
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

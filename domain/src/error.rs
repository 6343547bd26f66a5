//! The error type of the domain's boundary, and the reasons that callers can act on.

use std::collections::BTreeMap;

use vintedbot_marketplace::catalog::ResolveError;
use vintedbot_marketplace::limits::ViolationKind;

use crate::media::pipeline;

/// The reason of a refusal. The names are those of the contract's `ErrorReason`, without its prefix.
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
    ManualTakeover,
    JobStateInvalid,
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
    InsufficientScope,
    SessionCookiesMissing,
    SessionInvalid,
    SessionMemberMismatch,
    SessionRequired,
    SessionWrongMarket,
    RemoteChanged,
    RemoteItemAlreadyLinked,
    ReplyNotAllowed,
    ReplyOpen,
    ReplyStateInvalid,
    ScopeNotGrantable,
    StorageFull,
    ThreadRemovalOpen,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    NotCancellable,
    TooManyPhotos,
    TooManyWebhookEndpoints,
    UploadUrlExpired,
    UploadUrlInvalid,
    ValidationFailed,
    WebhookAddressRefused,
    WebhookEndpointDisabled,
    PersonRequired,
    InsufficientRole,
    CsrfHeaderMissing,
    CredentialsInvalid,
    SecondFactorRequired,
    SecondFactorInvalid,
    SecondFactorEnabled,
    RefreshTokenInvalid,
    RefreshTokenReused,
    RegistrationClosed,
    LinkInvalid,
    InvitationInvalid,
    EmailTaken,
    LastOwner,
    // Reasons why a publish job stopped. They are stored in a job's `reason` and not returned as an error of a call.
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
    SiteResponseUnexpected,
    SiteRefused,
    SiteUnavailable,
    WindowClosed,
}

impl Reason {
    /// Returns the name as stored in the database. The contract prefixes it with `ERROR_REASON_`.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }

    /// Finds a reason by its name. `None`: this version does not know the name.
    pub fn from_name(name: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
    }
}

/// One invalid field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field's path in the request, such as `listing.title`.
    pub field: String,
    pub description: String,
    pub fault: Fault,
}

/// The kind of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The format is wrong.
    Malformed,
    /// The id or name does not exist.
    Unknown,
    /// The name matches several entries.
    Ambiguous,
    /// A limit of the site is violated.
    Limit(ViolationKind),
}

/// Checks that a name contains no control characters. PostgreSQL refuses NUL, and people cannot see the others.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

impl Violation {
    /// Creates a violation of kind [`Fault::Malformed`].
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::of(Fault::Malformed, field, description)
    }

    /// Creates a violation of the given kind.
    pub fn of(fault: Fault, field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
            fault,
        }
    }
}

/// A refusal by a business rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub reason: Reason,
    pub message: String,
    /// Details by name, documented with the reason in the contract.
    pub metadata: BTreeMap<String, String>,
    /// The time in milliseconds after which the same call may succeed. Absent: not known.
    pub retry_after_ms: Option<i64>,
}

/// The error of every domain function.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is invalid. Contains all violations.
    #[error("invalid: {}", .0.iter().map(|v| format!("{}: {}", v.field, v.description)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Violation>),
    /// A listing does not yet satisfy the site's requirements. Contains all violations.
    #[error("incomplete: {}", .0.iter().map(|v| format!("{}: {}", v.field, v.description)).collect::<Vec<_>>().join("; "))]
    Incomplete(Vec<Violation>),
    /// The resource does not exist, or belongs to another workspace.
    #[error("{resource} {id} not found")]
    NotFound { resource: &'static str, id: String },
    /// A business rule refused the call.
    #[error("{}", .0.message)]
    Rejected(Box<Rejection>),
    /// A photo cannot be used.
    #[error(transparent)]
    Photo(#[from] pipeline::Error),
    /// A name is unknown or ambiguous in the site's catalogue.
    #[error(transparent)]
    Name(#[from] ResolveError),
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// The file store failed.
    #[error("files: {0}")]
    Files(#[from] crate::media::files::Error),
    /// A concurrent transaction made the same change. The store retries the transaction; a caller sees this error only
    /// if the retries fail too.
    #[error("contended: {0}")]
    Contended(&'static str),
    /// The operator has to fix the setup, such as a setting, a folder or another process.
    #[error("{0}")]
    Setup(String),
    /// Stored data is invalid or an invariant is broken. The request is not at fault.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// Creates a refusal with a reason and a message for people.
    pub fn rejected(reason: Reason, message: impl Into<String>) -> Self {
        Self::Rejected(Box::new(Rejection {
            reason,
            message: message.into(),
            metadata: BTreeMap::new(),
            retry_after_ms: None,
        }))
    }

    /// Adds a detail to a refusal. Other errors stay unchanged.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        if let Self::Rejected(rejection) = &mut self {
            rejection.metadata.insert(key.to_owned(), value.into());
        }
        self
    }

    /// Sets the time after which a refused call may succeed. Negative values count as 0. Other errors stay unchanged.
    #[must_use]
    pub fn retry_after(mut self, milliseconds: i64) -> Self {
        if let Self::Rejected(rejection) = &mut self {
            rejection.retry_after_ms = Some(milliseconds.max(0));
        }
        self
    }

    /// Creates an `Invalid` error with one malformed field.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(field, description)])
    }

    /// Creates a `NotFound` error.
    pub fn not_found(resource: &'static str, id: impl Into<String>) -> Self {
        Self::NotFound {
            resource,
            id: id.into(),
        }
    }

    /// Returns the reason that callers can act on. `None` for failures such as `Database`.
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

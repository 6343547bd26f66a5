//! What can go wrong on the way to the site.

use crate::challenge::Verdict;
use crate::{Evidence, LostSession, Stopped};

/// Why the site could not be read, or the form not be filled. None of these has written anything.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The site asks for a person. Nobody goes on from here.
    #[error("challenge: {}", .verdict.message)]
    Challenge {
        verdict: Verdict,
        evidence: Box<Evidence>,
    },
    /// The site refused what was entered, in its own words, field by field.
    #[error("the site refused: {}", describe(.violations))]
    Refused {
        violations: Vec<(String, String)>,
        evidence: Box<Evidence>,
    },
    /// No selector matched: the site's markup has changed.
    #[error("field {field} was not found on the page")]
    FieldNotFound { field: String, evidence: Box<Evidence> },
    /// A field did not keep what was entered.
    #[error("field {field} reads {seen:?} where {approved:?} was approved")]
    Mismatch {
        field: String,
        approved: String,
        seen: String,
        evidence: Box<Evidence>,
    },
    /// The draft that was to be published is not a draft any more, or not there.
    #[error("item {remote_id} is not a draft")]
    NotADraft { remote_id: String },
    /// There is no such item of the member's on the site.
    #[error("there is no item {remote_id}")]
    NotFound { remote_id: String },
    /// The site sent something that is no usable page: an endless redirect, a page that never finishes, a file.
    #[error("unusable page: {what}")]
    Unusable { what: String, evidence: Box<Evidence> },
    /// No connection, a time-out, a server error: trying later may help.
    #[error("the site cannot be reached: {0}")]
    Unavailable(String),
    /// An answer that means nothing to us: missing fields, another content type.
    #[error("the site answered in an unknown shape: {0}")]
    Shape(String),
    /// No browser or driver, or it broke.
    #[error("browser: {0}")]
    Browser(String),
    /// The account has no session on this site, so that nothing can be asked of it.
    #[error("account has no session on {0}")]
    NoSession(String),
    /// The site does not take the account's session any more, which is written down already.
    #[error("the session has ended: {0}")]
    SessionInvalid(LostSession),
    /// The account's session is being renewed, or its browser is open, elsewhere.
    #[error("the account's session is in use elsewhere")]
    SessionBusy,
    /// What holds the sessions failed.
    #[error("sessions: {0}")]
    Sessions(String),
    /// The photos that the form is to have cannot be read where they are kept.
    #[error("{0}")]
    Photos(String),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

fn describe(violations: &[(String, String)]) -> String {
    violations
        .iter()
        .map(|(field, text)| format!("{field}: {text}"))
        .collect::<Vec<_>>()
        .join("; ")
}

/// How a writing call failed: what may be done next depends on nothing else.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The click or the request was provably not made.
    #[error("not sent: {0}")]
    NotSent(#[source] Error),
    /// The site answered with a refusal of what was entered (a validation error), or of something that it needs first: it did
    /// nothing.
    #[error("refused: {0}")]
    Refused(#[source] Error),
    /// It was made, and what became of it is not known.
    #[error("outcome unknown: {0}")]
    Unknown(#[source] Error),
}

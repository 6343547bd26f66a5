//! Errors on the way to the site.

use crate::challenge::Verdict;
use crate::{Evidence, LostSession, Stopped};

/// Why the site could not be read, or the form could not be filled. None of these errors has written anything.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The site asks for a person. The job must not continue.
    #[error("challenge: {}", .verdict.message)]
    Challenge {
        verdict: Verdict,
        evidence: Box<Evidence>,
    },
    /// The site refused the entered values, in its own words, field by field. The field is empty if the site does not
    /// say which one it means.
    #[error("the site refused: {}", describe(.violations))]
    Refused {
        violations: Vec<(String, String)>,
        evidence: Box<Evidence>,
    },
    /// No selector matched: the site's markup has changed.
    #[error("field {field} was not found on the page")]
    FieldNotFound { field: String, evidence: Box<Evidence> },
    /// A field does not hold the entered value.
    #[error("field {field} shows {seen:?}, but {approved:?} was approved")]
    Mismatch {
        field: String,
        approved: String,
        seen: String,
        evidence: Box<Evidence>,
    },
    /// The draft to publish is no longer a draft, or does not exist.
    #[error("item {remote_id} is not a draft")]
    NotADraft { remote_id: String },
    /// The member has no such item on the site.
    #[error("there is no item {remote_id}")]
    NotFound { remote_id: String },
    /// The site sent something that is not a usable page: an endless redirect, a page that never finishes, a file.
    #[error("unusable page: {what}")]
    Unusable { what: String, evidence: Box<Evidence> },
    /// No connection, a timeout, or a server error. A later attempt may succeed.
    #[error("the site cannot be reached: {0}")]
    Unavailable(String),
    /// An answer that cannot be interpreted: missing fields, another content type.
    #[error("unexpected answer of the site: {0}")]
    Shape(String),
    /// There is no browser or driver, or it failed.
    #[error("browser: {0}")]
    Browser(String),
    /// The account has no session on this site, so no request can be sent.
    #[error("account has no session on {0}")]
    NoSession(String),
    /// The site no longer accepts the account's session, which is already stored as invalid.
    #[error("the session has ended: {0}")]
    SessionInvalid(LostSession),
    /// The account's session is being renewed, or its browser is open, elsewhere.
    #[error("the account's session is in use elsewhere")]
    SessionBusy,
    /// The session store failed.
    #[error("sessions: {0}")]
    Sessions(String),
    /// The photos for the form cannot be read from their storage.
    #[error("{0}")]
    Photos(String),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

fn describe(violations: &[(String, String)]) -> String {
    violations
        .iter()
        .map(|(field, text)| match field.as_str() {
            "" => text.clone(),
            field => format!("{field}: {text}"),
        })
        .collect::<Vec<_>>()
        .join("; ")
}

/// How a writing call failed, which alone determines what may be done next.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The click or the request was provably not made.
    #[error("not sent: {0}")]
    NotSent(#[source] Error),
    /// The site refused the entered values (a validation error), or something that it requires first. It did nothing.
    #[error("refused: {0}")]
    Refused(#[source] Error),
    /// The click or the request was made, and its outcome is not known.
    #[error("outcome unknown: {0}")]
    Unknown(#[source] Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_names_each_field_that_is_known() {
        let violation = |field: &str, text: &str| (field.to_owned(), text.to_owned());
        let refused = Error::Refused {
            violations: vec![
                violation("brand", "Choose a brand"),
                violation("", "Check the form"),
            ],
            evidence: Box::default(),
        };
        assert_eq!(
            refused.to_string(),
            "the site refused: brand: Choose a brand; Check the form"
        );
    }
}

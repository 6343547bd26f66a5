//! Limits on texts that are stored here. The site applies its own limits to what it receives.

use crate::clock::Millis;
use crate::{Violation, is_plain};

/// The maximum length of a note, draft or template, in characters; a reply has the same limit.
pub(super) const TEXT_MAX: usize = 4_000;
/// The maximum length of a label, in characters.
pub(super) const LABEL_MAX: usize = 50;
/// The maximum number of labels on a thread.
pub const LABELS_MAX: usize = 20;
/// The maximum length of a template name, in characters.
pub(super) const NAME_MAX: usize = 100;
/// The maximum number of threads that one call changes, and of accounts in a list filter.
pub const BULK_MAX: usize = 200;
/// The maximum duration of a snooze.
pub(super) const SNOOZE_MAX: Millis = 366 * 24 * 3_600_000;

/// Returns the violation of a multi-line text, if any.
pub(super) fn check_text(field: &str, text: &str) -> Option<Violation> {
    // PostgreSQL rejects NUL; the other control characters do not occur in typed text.
    let is_forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().count() > TEXT_MAX {
        Some(Violation::new(
            field,
            format!("must have at most {TEXT_MAX} characters"),
        ))
    } else if text.chars().any(is_forbidden) {
        Some(Violation::new(
            field,
            "must not contain control characters other than line breaks and tabs",
        ))
    } else {
        None
    }
}

/// Returns the violation of a name or label, if any. Surrounding white space is a violation.
pub(super) fn check_name(field: &str, name: &str, max: usize) -> Option<Violation> {
    let is_good = (1..=max).contains(&name.chars().count()) && is_plain(name) && name.trim() == name;
    (!is_good).then(|| {
        let text =
            format!("must have 1 to {max} characters, without control characters or surrounding spaces");
        Violation::new(field, text)
    })
}

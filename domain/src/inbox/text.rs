//! How long what is written here may be. The site's own limits are another matter: it judges what is sent to it.

use crate::clock::Millis;
use crate::{Violation, is_plain};

/// The longest note, draft or template, in characters: what a reply may have at most.
pub(super) const TEXT_MAX: usize = 4_000;
/// The longest label, in characters.
pub(super) const LABEL_MAX: usize = 50;
/// Labels on one thread.
pub const LABELS_MAX: usize = 20;
/// The longest name of a template, in characters.
pub(super) const NAME_MAX: usize = 100;
/// Threads that one call changes, and accounts that a list is filtered by.
pub const BULK_MAX: usize = 200;
/// For how long a thread may be put away.
pub(super) const SNOOZE_MAX: Millis = 366 * 24 * 3_600_000;

/// What is wrong with a text of several lines.
pub(super) fn check_text(field: &str, text: &str) -> Option<Violation> {
    // PostgreSQL refuses NUL, and nobody types the others.
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().count() > TEXT_MAX {
        Some(Violation::new(
            field,
            format!("must have at most {TEXT_MAX} characters"),
        ))
    } else if text.chars().any(is_odd) {
        Some(Violation::new(
            field,
            "must have no control character but line breaks and tabs",
        ))
    } else {
        None
    }
}

/// What is wrong with a name or label, which is to have no space around it.
pub(super) fn check_name(field: &str, name: &str, max: usize) -> Option<Violation> {
    let is_good = (1..=max).contains(&name.chars().count()) && is_plain(name) && name.trim() == name;
    (!is_good).then(|| {
        let text = format!("must have 1 to {max} characters, none of them a control character");
        Violation::new(field, text)
    })
}

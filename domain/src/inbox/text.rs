//! Limits on texts that are stored here. The site applies its own limits to what it receives.

use vintedbot_marketplace::text;

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
/// The maximum size of a name or label, in bytes. PostgreSQL limits the size of an indexed value.
const NAME_BYTES_MAX: usize = 2_000;
/// The maximum number of threads that one call changes, and of accounts in a list filter.
pub const BULK_MAX: usize = 200;
/// The maximum duration of a snooze.
pub(super) const SNOOZE_MAX: Millis = 366 * 24 * 3_600_000;

/// Returns the violation of a normalized multi-line text, if any.
pub(super) fn check_text(field: &str, text: &str) -> Option<Violation> {
    if text::length(text) > TEXT_MAX {
        let description = format!("must have at most {TEXT_MAX} characters");
        return Some(Violation::new(field, description));
    }
    // PostgreSQL rejects NUL; the other control characters do not occur in typed text.
    let forbidden = text.chars().find(|c| c.is_control() && *c != '\n')?;
    let description = format!(
        "must not contain control characters other than line breaks and tabs; it contains U+{:04X}",
        u32::from(forbidden)
    );
    Some(Violation::new(field, description))
}

/// Returns the violation of a normalized name or label, if any. Surrounding white space is a violation.
pub(super) fn check_name(field: &str, name: &str, max: usize) -> Option<Violation> {
    let is_short = (1..=max).contains(&text::length(name)) && name.len() <= NAME_BYTES_MAX;
    let is_good = is_short && is_plain(name) && name.trim() == name;
    (!is_good).then(|| {
        let text =
            format!("must have 1 to {max} characters, without control characters or surrounding spaces");
        Violation::new(field, text)
    })
}

//! How much text an error carries. Errors travel in HTTP headers, and clients refuse headers above a size: 8 KiB in most.

use std::collections::HashMap;

use vintedbot_domain::Violation;

/// Characters of a quoted text that are repeated. Everything that a caller sent stands in quotes.
const QUOTED_MAX: usize = 100;
/// Bytes of a message as it travels in `grpc-message`, and of one violation's text.
const MESSAGE_MAX: usize = 1_000;
const VIOLATION_MAX: usize = 400;
/// Bytes of all metadata, keys included.
const METADATA_MAX: usize = 3_000;
/// Bytes of a message and its details as they travel, details as base64. What is left of 8 KiB is for other headers.
const ANSWER_MAX: usize = 7_400;
/// What details take beside metadata and violations: reason, domain, request id, wait, and their type names.
const ENVELOPE: usize = 400;
/// What a violation takes beside its texts: its reason, and the lengths.
const VIOLATION_OVERHEAD: usize = 60;
const CUT: char = '…';

/// A message that fits.
pub fn message(text: &str) -> String {
    cut(&shorten_quoted(text), MESSAGE_MAX)
}

/// Metadata that fits. Where it does not, the longest values are cut.
pub fn metadata(metadata: &mut HashMap<String, String>) {
    let keys: usize = metadata.keys().map(String::len).sum();
    let mut values: Vec<_> = metadata.values_mut().collect();
    values.sort_by_key(|value| value.len());
    let (mut left, mut others) = (METADATA_MAX.saturating_sub(keys), values.len());
    for value in values {
        let short = cut(value, left / others);
        left = left.saturating_sub(travels_as(&short));
        others -= 1;
        *value = short;
    }
}

/// The violations that fit beside message and metadata, each shortened.
pub fn violations(
    violations: Vec<Violation>,
    message: &str,
    metadata: &HashMap<String, String>,
) -> Vec<Violation> {
    let metadata: usize = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    let details = ANSWER_MAX.saturating_sub(travels_as(message)) / 4 * 3;
    // The details hold the message once more.
    let mut left = details.saturating_sub(message.len() + metadata + ENVELOPE);
    let shortened = violations.into_iter().map(|violation| Violation {
        field: cut(&violation.field, VIOLATION_MAX),
        description: cut(&shorten_quoted(&violation.description), VIOLATION_MAX),
        ..violation
    });
    let fitting = shortened.take_while(|violation| {
        let size = violation.field.len() + violation.description.len() + VIOLATION_OVERHEAD;
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    });
    fitting.collect()
}

/// Cuts what stands in double quotes, as `{:?}` writes it.
fn shorten_quoted(text: &str) -> String {
    let mut short = String::with_capacity(text.len().min(MESSAGE_MAX));
    let (mut quoted, mut escaped) = (None, false);
    for c in text.chars() {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped && quoted.is_some();
        match &mut quoted {
            None => {
                quoted = ends.then_some(0);
                short.push(c);
            }
            Some(_) if ends => {
                quoted = None;
                short.push(c);
            }
            Some(count) => {
                *count += 1;
                match *count {
                    ..=QUOTED_MAX => short.push(c),
                    n if n == QUOTED_MAX + 1 => short.push(CUT),
                    _ => {}
                }
            }
        }
    }
    short
}

/// The beginning of a text that takes at most `max` bytes where it travels.
fn cut(text: &str, max: usize) -> String {
    if travels_as(text) <= max {
        return text.to_owned();
    }
    let mut left = max.saturating_sub(length_of(CUT));
    let fits = |c: &char| {
        let length = length_of(*c);
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push(CUT);
    short
}

/// Bytes of a text in a header, where everything but printable ASCII is percent-encoded.
fn travels_as(text: &str) -> usize {
    text.chars().map(length_of).sum()
}

fn length_of(c: char) -> usize {
    match c {
        '%' => 3,
        ' '..='~' => 1,
        other => 3 * other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_shortened_and_our_words_stay() {
        let sent = "x\"\\".repeat(5_000);
        let told = message(&format!("there is no scope {sent:?}; see ApiToken.scopes"));
        assert!(told.starts_with("there is no scope \"x"), "{told}");
        assert!(told.ends_with("…\"; see ApiToken.scopes"), "{told}");
        assert!(told.chars().count() < 150, "{told}");
        assert_eq!(message("\"short\" stays"), "\"short\" stays");
    }

    #[test]
    fn cut_text_never_exceeds_its_bytes_as_it_travels() {
        for text in ["plain ", "é", "…", "\n", "😀", "%"] {
            let short = cut(&text.repeat(2_000), 1_000);
            assert!(travels_as(&short) <= 1_000, "{text:?}");
            assert!(travels_as(&short) > 980, "{text:?}");
        }
    }
}

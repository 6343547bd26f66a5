//! Limits on the size of an error. Errors travel in HTTP headers, and most clients limit headers to 8 KiB.

use std::collections::HashMap;

use vintedbot_domain::Violation;

/// The maximum characters of a quoted text. Everything that a caller sent is quoted.
const QUOTED_MAX: usize = 100;
/// The maximum bytes of a message in `grpc-message`, and of one violation's text.
const MESSAGE_MAX: usize = 1_000;
const VIOLATION_MAX: usize = 400;
/// The maximum bytes of all metadata, including keys.
const METADATA_MAX: usize = 3_000;
/// The maximum bytes of an encoded message and its details in base64. The rest of 8 KiB is for other headers.
const ANSWER_MAX: usize = 7_400;
/// Bytes of the details without metadata and violations: reason, domain, request id, wait, and their type names.
const ENVELOPE: usize = 400;
/// Bytes of a violation without its texts: its reason, and the lengths.
const VIOLATION_OVERHEAD: usize = 60;
const CUT: char = '…';

/// Shortens a message to its limit.
pub fn message(text: &str) -> String {
    cut(&shorten_quoted(text), MESSAGE_MAX)
}

/// Shortens the longest metadata values until the metadata is within its limit.
pub fn metadata(metadata: &mut HashMap<String, String>) {
    let keys: usize = metadata.keys().map(String::len).sum();
    let mut values: Vec<_> = metadata.values_mut().collect();
    values.sort_by_key(|value| value.len());
    let (mut left, mut others) = (METADATA_MAX.saturating_sub(keys), values.len());
    for value in values {
        let short = cut(value, left / others);
        left = left.saturating_sub(encoded_length(&short));
        others -= 1;
        *value = short;
    }
}

/// Returns the violations that fit in addition to message and metadata, each shortened.
pub fn violations(
    violations: Vec<Violation>,
    message: &str,
    metadata: &HashMap<String, String>,
) -> Vec<Violation> {
    let metadata: usize = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    let details = ANSWER_MAX.saturating_sub(encoded_length(message)) / 4 * 3;
    // The details repeat the message.
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

/// Shortens texts in double quotes, as written by `{:?}`.
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

/// Returns the beginning of a text that takes at most `max` encoded bytes.
fn cut(text: &str, max: usize) -> String {
    if encoded_length(text) <= max {
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

/// Returns the bytes of a text in a header. All characters except printable ASCII are percent-encoded.
fn encoded_length(text: &str) -> usize {
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
    fn quoted_text_is_shortened_and_the_rest_stays() {
        let sent = "x\"\\".repeat(5_000);
        let short = message(&format!("there is no scope {sent:?}; see ApiToken.scopes"));
        assert!(short.starts_with("there is no scope \"x"), "{short}");
        assert!(short.ends_with("…\"; see ApiToken.scopes"), "{short}");
        assert!(short.chars().count() < 150, "{short}");
        assert_eq!(message("\"short\" stays"), "\"short\" stays");
    }

    #[test]
    fn cut_text_never_exceeds_its_encoded_bytes() {
        for text in ["plain ", "é", "…", "\n", "😀", "%"] {
            let short = cut(&text.repeat(2_000), 1_000);
            assert!(encoded_length(&short) <= 1_000, "{text:?}");
            assert!(encoded_length(&short) > 980, "{text:?}");
        }
    }
}

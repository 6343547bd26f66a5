//! E-mail addresses.

use vintedbot_marketplace::text;

use crate::{Violation, is_plain};

/// The maximum length of an address, in bytes (RFC 5321, 4.5.3.1.3, without the angle brackets).
const MAX: usize = 254;

/// Normalizes an address to lower case. Providers of mailboxes treat the part before the @ without regard to case too.
pub(super) fn normalize(address: &str) -> String {
    text::normalize_name(address).trim().to_lowercase()
}

/// Checks a normalized address. Only the mail itself shows whether the address exists.
pub(super) fn check(field: &str, address: &str) -> Option<Violation> {
    let is_address = address.len() <= MAX
        && is_plain(address)
        && !address
            .chars()
            .any(|c| c.is_whitespace() || "<>(),;:\\\"[]".contains(c))
        && address.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty()
                && !host.contains('@')
                && host.contains('.')
                && host
                    .split('.')
                    .all(|label| !label.is_empty() && !label.starts_with('-'))
        });
    (!is_address).then(|| {
        Violation::new(
            field,
            format!("must be an e-mail address such as anna@example.com, at most {MAX} characters"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_normalized_and_checked() {
        assert_eq!(normalize(" Anna@Example.COM "), "anna@example.com");
        assert_eq!(check("email", "anna+bot@mail.example.com"), None);
        for wrong in [
            "",
            "anna",
            "@example.com",
            "anna@",
            "anna@example",
            "a@b@example.com",
            "an na@example.com",
            "anna@example..com",
            "anna@example.com\r\nBcc: x@example.com",
            "Anna <anna@example.com>",
        ] {
            assert!(check("email", wrong).is_some(), "{wrong:?}");
        }
        assert!(check("email", &format!("{}@example.com", "a".repeat(250))).is_some());
    }
}

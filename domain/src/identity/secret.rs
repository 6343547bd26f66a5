//! The secret of an API token, redacted in logs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::ids::Ids;
use crate::keys::sha256_hex;

/// The prefix of every secret, by which people and scanners recognise a leaked one.
const PREFIX: &str = "vb_";
/// The length of the random part, in characters.
const RANDOM: usize = 43;
/// The length of the checksum, in characters. It tells a mistyped secret from an unknown one without a lookup, and lets
/// scanners drop texts that only look like a secret.
const CHECKSUM: usize = 6;

/// The secret of an API token. `Debug` does not print it, and it is zeroized when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub(super) fn generate(ids: &dyn Ids) -> Self {
        let bytes = Zeroizing::new(ids.secret());
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(*bytes, &mut text);
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self(text)
    }

    /// Returns the plaintext, to be shown once to the caller.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> String {
        sha256_hex(self.0.as_bytes())
    }

    /// Returns whether a bearer token is the secret of an API token, from its beginning.
    pub(super) fn has_prefix(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Returns the hash of a secret. `None`: the text is not a secret. Secrets from 0.1 have no checksum.
    pub(super) fn hash_of(text: &str) -> Option<String> {
        let random = text.strip_prefix(PREFIX)?;
        let is_whole = match random.len().checked_sub(RANDOM) {
            Some(0) => true,
            Some(CHECKSUM) => {
                let (body, sum) = text.split_at_checked(text.len() - CHECKSUM)?;
                checksum(body) == sum
            }
            _ => false,
        };
        is_whole.then(|| sha256_hex(text.as_bytes()))
    }
}

/// Returns a new random token for a single use, such as a mailed token.
pub(super) fn random_token(ids: &dyn Ids, prefix: &str) -> Zeroizing<String> {
    let random = Zeroizing::new(ids.secret());
    Zeroizing::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(*random)))
}

fn checksum(text: &str) -> String {
    let hash = Sha256::digest(text);
    let mut sum = URL_SAFE_NO_PAD.encode(hash);
    sum.truncate(CHECKSUM);
    sum
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SystemIds;

    #[test]
    fn mistyped_secret_is_recognised_by_its_checksum() {
        let secret = Secret::generate(&SystemIds);
        let text = secret.expose();
        assert_eq!(Secret::hash_of(text), Some(secret.hash()));
        let without = &text[..text.len() - CHECKSUM];
        assert!(Secret::hash_of(without).is_some(), "the form of before");
        let mistyped = format!(
            "{}{}{}",
            &text[..9],
            if &text[9..10] == "a" { "b" } else { "a" },
            &text[10..]
        );
        for wrong in [
            &mistyped,
            &text[..text.len() - 1],
            "vb_",
            "",
            &text[3..],
            "vb_ééééééééééééééééééééééééé",
        ] {
            assert_eq!(Secret::hash_of(wrong), None, "{wrong}");
        }
    }
}

//! The secret of an API token, redacted in logs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::ids::Ids;
use crate::keys::sha256_hex;

/// The prefix of every secret, by which people and scanners recognise a leaked one.
const PREFIX: &str = "vb_";

/// The secret of an API token. `Debug` does not print it, and it is zeroized when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub(super) fn generate(ids: &dyn Ids) -> Self {
        let bytes = Zeroizing::new(ids.secret());
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(*bytes, &mut text);
        Self(text)
    }

    /// Returns the plaintext, to be shown once to the caller.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> String {
        sha256_hex(self.0.as_bytes())
    }

    /// Returns the hash of a secret. `None`: the text does not have the prefix of a secret.
    pub(super) fn hash_of(text: &str) -> Option<String> {
        text.starts_with(PREFIX).then(|| sha256_hex(text.as_bytes()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

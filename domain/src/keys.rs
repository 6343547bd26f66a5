//! The instance's master key, and what is derived from it.
//!
//! Signed texts look like `<key id>.<payload>.<tag>`: an HMAC-SHA-256 under a key of the purpose's own, so that one made
//! for one purpose means nothing for another. Nothing here encrypts; a payload can be read by whoever holds it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::ids::Ids;
use crate::{Error, Result};

/// What a signed text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Confirmation,
    Cursor,
    Media,
    PageToken,
    Preview,
    Upload,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Confirmation => b"vintedbot confirmation",
            Self::Cursor => b"vintedbot cursor",
            Self::Media => b"vintedbot media",
            Self::PageToken => b"vintedbot page token",
            Self::Preview => b"vintedbot preview",
            Self::Upload => b"vintedbot upload",
        }
    }
}

/// Signs and verifies. Its Debug output tells the key's id alone.
pub struct Keys {
    id: String,
    master: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Keys {
    pub fn new(master: [u8; 32]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"vintedbot key id");
        digest.update(master);
        let id = hex(&digest.finalize()[..4]);
        Self {
            id,
            master: Zeroizing::new(master),
        }
    }

    /// From `ENCRYPTION_KEY`: 32 bytes as 64 hex digits or as base64.
    pub fn from_setting(text: &str) -> Result<Self> {
        let text = text.trim();
        let bytes = if text.len() == 64 { unhex(text) } else { None };
        let bytes = bytes
            .or_else(|| base64::engine::general_purpose::STANDARD.decode(text).ok())
            .or_else(|| URL_SAFE_NO_PAD.decode(text).ok());
        let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        key.map(Self::new).ok_or_else(|| {
            Error::Internal("ENCRYPTION_KEY must be 32 bytes, as 64 hex digits or as base64".to_owned())
        })
    }

    /// From a file that only its owner can read, made where it is missing.
    pub fn from_file(path: &Path, ids: &dyn Ids) -> Result<Self> {
        let describe =
            |error: std::io::Error| Error::Internal(format!("key file {}: {error}", path.display()));
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(mut file) => {
                let text = Zeroizing::new(hex(&ids.secret()));
                file.write_all(text.as_bytes()).map_err(describe)?;
                file.sync_all().map_err(describe)?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(describe(error)),
        }
        let mut text = Zeroizing::new(String::new());
        OpenOptions::new()
            .read(true)
            .open(path)
            .map_err(describe)?
            .read_to_string(&mut text)
            .map_err(describe)?;
        Self::from_setting(&text)
    }

    /// Signs a payload for a purpose.
    pub fn sign(&self, purpose: Purpose, payload: &str) -> String {
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let tag = URL_SAFE_NO_PAD.encode(self.mac(purpose, &payload).finalize().into_bytes());
        format!("{}.{payload}.{tag}", self.id)
    }

    /// The payload of a text that was signed by us for this purpose; compared in constant time.
    pub fn verify(&self, purpose: Purpose, signed: &str) -> Option<String> {
        let mut parts = signed.splitn(3, '.');
        let (id, payload, tag) = (parts.next()?, parts.next()?, parts.next()?);
        if id != self.id {
            return None;
        }
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        self.mac(purpose, payload).verify_slice(&tag).ok()?;
        String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    fn mac(&self, purpose: Purpose, payload: &str) -> Hmac<Sha256> {
        let mut key = Zeroizing::new([0u8; 32]);
        Hkdf::<Sha256>::new(None, &*self.master)
            .expand(purpose.label(), &mut *key)
            .expect("32 bytes are a valid length for HKDF-SHA-256");
        let mut mac = Hmac::<Sha256>::new_from_slice(&*key).expect("HMAC takes a key of any length");
        mac.update(payload.as_bytes());
        mac
    }
}

/// SHA-256 of bytes, in hex.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes.as_ref()))
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_purpose_and_key_alone() {
        let keys = Keys::new([7; 32]);
        let signed = keys.sign(Purpose::Cursor, "owner|1");
        assert_eq!(keys.verify(Purpose::Cursor, &signed).as_deref(), Some("owner|1"));
        assert_eq!(keys.verify(Purpose::Media, &signed), None);
        assert_eq!(Keys::new([8; 32]).verify(Purpose::Cursor, &signed), None);
        assert_eq!(keys.verify(Purpose::Cursor, &signed.replace('.', "")), None);
    }

    #[test]
    fn the_key_never_shows_in_debug_output() {
        assert!(!format!("{:?}", Keys::new([7; 32])).contains("7, 7"));
    }
}

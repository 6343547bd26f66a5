//! The master key of the instance, old keys that still verify and open, and the keys derived from them.
//!
//! A signed text has the form `<key id>.<payload>.<tag>`. The tag is an HMAC-SHA-256 under a key derived for the
//! purpose, so a text signed for one purpose is invalid for any other. The payload is not secret: its holder can read
//! it. Secrets are sealed (`seal`).
//!
//! To rotate the key, start with the new key as `ENCRYPTION_KEY` and the previous one in `ENCRYPTION_KEYS_OLD`. New
//! texts use the new key, old texts stay valid, and sealed records use the new key from their next write on.

mod seal;

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
use crate::{Error, Result, private};

pub use seal::{Opened, Record, Sealed};

/// The purpose of a signed text. Each purpose has its own derived key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Confirmation,
    Cursor,
    Media,
    PageToken,
    Preview,
    RefreshToken,
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
            Self::RefreshToken => b"vintedbot refresh token",
            Self::Upload => b"vintedbot upload",
        }
    }
}

/// Signs and verifies, seals and opens. The Debug output contains only the key ids.
pub struct Keys {
    /// The key that signs and seals.
    current: Master,
    /// Keys that only verify and open.
    older: Vec<Master>,
}

struct Master {
    id: String,
    bytes: Zeroizing<[u8; 32]>,
}

impl Master {
    fn new(bytes: [u8; 32]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"vintedbot key id");
        digest.update(bytes);
        let id = hex(&digest.finalize()[..4]);
        Self {
            id,
            bytes: Zeroizing::new(bytes),
        }
    }

    /// Derives the key for a purpose (HKDF-SHA-256).
    fn derive(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0u8; 32]);
        Hkdf::<Sha256>::new(None, &*self.bytes)
            .expand(label, &mut *key)
            .expect("32 bytes are a valid length for HKDF-SHA-256");
        key
    }

    fn mac(&self, purpose: Purpose, payload: &str) -> Hmac<Sha256> {
        let key = self.derive(purpose.label());
        let mut mac = Hmac::<Sha256>::new_from_slice(&*key).expect("HMAC takes a key of any length");
        mac.update(payload.as_bytes());
        mac
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let older: Vec<_> = self.older.iter().map(|key| &key.id).collect();
        f.debug_struct("Keys")
            .field("id", &self.current.id)
            .field("older", &older)
            .finish_non_exhaustive()
    }
}

impl Keys {
    pub fn new(master: [u8; 32]) -> Self {
        Self {
            current: Master::new(master),
            older: Vec::new(),
        }
    }

    /// Adds the old keys of `ENCRYPTION_KEYS_OLD`: separated by commas, each in the form of `ENCRYPTION_KEY`.
    ///
    /// # Errors
    /// A key does not have 32 bytes.
    pub fn with_older(mut self, setting: &str) -> Result<Self> {
        for text in setting.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let master = master_from(text, "each of ENCRYPTION_KEYS_OLD")?;
            if master.id != self.current.id {
                self.older.push(master);
            }
        }
        Ok(self)
    }

    /// Returns the id of the current key. The id reveals nothing about the key.
    pub fn id(&self) -> &str {
        &self.current.id
    }

    /// Whether the id is that of the current key or of an old one.
    pub fn knows(&self, id: &str) -> bool {
        self.by_id(id).is_some()
    }

    fn by_id(&self, id: &str) -> Option<&Master> {
        std::iter::once(&self.current)
            .chain(&self.older)
            .find(|key| key.id == id)
    }

    /// Derives the seed of a signing key from the key with this id. `None`: the id is unknown.
    pub(crate) fn signing_seed(&self, id: &str, label: &str) -> Option<Zeroizing<[u8; 32]>> {
        self.by_id(id).map(|key| key.derive(label.as_bytes()))
    }

    /// Reads the key from `ENCRYPTION_KEY`: 32 bytes as 64 hex digits or as base64.
    ///
    /// # Errors
    /// The text is not such a key.
    pub fn from_setting(text: &str) -> Result<Self> {
        Ok(Self {
            current: master_from(text, "ENCRYPTION_KEY")?,
            older: Vec::new(),
        })
    }

    /// Reads the key from a file that only its owner can read. Creates the file with a random key if it is missing.
    ///
    /// # Errors
    /// The file cannot be created, restricted or read, or does not contain a key.
    pub fn from_file(path: &Path, ids: &dyn Ids) -> Result<Self> {
        let describe = |error: std::io::Error| Error::Setup(format!("key file {}: {error}", path.display()));
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
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                private::existing_file(path).map_err(describe)?;
            }
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
        let tag = URL_SAFE_NO_PAD.encode(self.current.mac(purpose, &payload).finalize().into_bytes());
        format!("{}.{payload}.{tag}", self.current.id)
    }

    /// Returns the payload of a text that one of these keys signed for this purpose, else `None`. The tag is compared
    /// in constant time.
    pub fn verify(&self, purpose: Purpose, signed: &str) -> Option<String> {
        let mut parts = signed.splitn(3, '.');
        let (id, payload, tag) = (parts.next()?, parts.next()?, parts.next()?);
        let key = self.by_id(id)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        key.mac(purpose, payload).verify_slice(&tag).ok()?;
        String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

fn master_from(text: &str, what: &str) -> Result<Master> {
    let text = text.trim();
    let bytes = if text.len() == 64 { unhex(text) } else { None };
    let bytes = bytes
        .or_else(|| base64::engine::general_purpose::STANDARD.decode(text).ok())
        .or_else(|| URL_SAFE_NO_PAD.decode(text).ok())
        .map(Zeroizing::new);
    let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    key.map(Master::new)
        .ok_or_else(|| Error::Setup(format!("{what} must be 32 bytes, as 64 hex digits or as base64")))
}

/// Returns the SHA-256 hash of bytes as 64 lower-case hex digits.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes.as_ref()))
}

/// Encodes bytes as lower-case hex digits.
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
    fn signature_is_valid_only_for_its_purpose_and_key() {
        let keys = Keys::new([7; 32]);
        let signed = keys.sign(Purpose::Cursor, "workspace|1");
        assert_eq!(
            keys.verify(Purpose::Cursor, &signed).as_deref(),
            Some("workspace|1")
        );
        assert_eq!(keys.verify(Purpose::Media, &signed), None);
        assert_eq!(Keys::new([8; 32]).verify(Purpose::Cursor, &signed), None);
        assert_eq!(keys.verify(Purpose::Cursor, &signed.replace('.', "")), None);
    }

    #[test]
    fn older_keys_signature_is_valid_while_configured() {
        let signed = Keys::new([7; 32]).sign(Purpose::Cursor, "workspace|1");
        let keys = Keys::new([8; 32])
            .with_older(&format!("{}, ", hex(&[7; 32])))
            .expect("a key");
        assert_eq!(
            keys.verify(Purpose::Cursor, &signed).as_deref(),
            Some("workspace|1")
        );
        assert!(
            keys.sign(Purpose::Cursor, "x")
                .starts_with(&Keys::new([8; 32]).current.id)
        );
        assert!(Keys::new([8; 32]).with_older("short").is_err());
    }

    #[test]
    fn key_never_appears_in_debug_output() {
        assert!(!format!("{:?}", Keys::new([7; 32])).contains("7, 7"));
    }
}

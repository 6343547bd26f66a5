//! Sealing: AES-256-GCM under a key derived for the purpose.
//!
//! A sealed text has the form `<key id>.<nonce>.<ciphertext>`. It opens only for the workspace, purpose and record that
//! it was sealed for, so a sealed value copied to another row does not open.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{Keys, Master};
use crate::ids::Ids;
use crate::{Error, Result};

/// The length of a nonce, in bytes.
const NONCE: usize = 12;

/// The kind of data that is sealed. Each kind has its own derived key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    Session,
    WebhookSecrets,
    WebhookQuery,
    SecondFactor,
}

impl Sealed {
    fn label(self) -> &'static str {
        match self {
            Self::Session => "vintedbot sealed session",
            Self::WebhookSecrets => "vintedbot sealed webhook secrets",
            Self::WebhookQuery => "vintedbot sealed webhook query",
            Self::SecondFactor => "vintedbot sealed second factor",
        }
    }
}

/// The record that a sealed text belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub purpose: Sealed,
    pub workspace_id: &'a str,
    /// The id of the record. If the table has a compound key: its parts, separated by a character that none of them
    /// contains.
    pub id: &'a str,
}

impl Record<'_> {
    /// Returns the associated data: each part with its length, so that two records never have the same.
    fn associated(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for part in [self.purpose.label(), self.workspace_id, self.id] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

/// An opened text. It is zeroized when dropped, and its Debug output contains nothing of it.
pub struct Opened {
    bytes: Zeroizing<Vec<u8>>,
    /// Whether an old key sealed the text. The next write seals it with the current key.
    pub is_old: bool,
}

impl Opened {
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened")
    }
}

impl Keys {
    /// Seals a text for one record, with a random nonce.
    pub fn seal(&self, record: &Record<'_>, text: &[u8], ids: &dyn Ids) -> Result<String> {
        let random = Zeroizing::new(ids.secret());
        let nonce = &random[..NONCE];
        let sealed = cipher(&self.current, record.purpose)
            .encrypt(
                &nonce.try_into().map_err(|_| failed())?,
                Payload {
                    msg: text,
                    aad: &record.associated(),
                },
            )
            .map_err(|_| failed())?;
        Ok(format!(
            "{}.{}.{}",
            self.current.id,
            URL_SAFE_NO_PAD.encode(nonce),
            URL_SAFE_NO_PAD.encode(sealed)
        ))
    }

    /// Opens a text that was sealed for this record.
    ///
    /// # Errors
    /// The text was sealed for another record or with an unknown key, or it was altered.
    pub fn open(&self, record: &Record<'_>, sealed: &str) -> Result<Opened> {
        let mut parts = sealed.splitn(3, '.');
        let (Some(id), Some(nonce), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::Internal("a sealed text is malformed".to_owned()));
        };
        let key = self.by_id(id).ok_or_else(|| {
            Error::Internal(format!(
                "a text is sealed with key {id}, which is neither ENCRYPTION_KEY nor in ENCRYPTION_KEYS_OLD"
            ))
        })?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| failed());
        let (nonce, text) = (decode(nonce)?, decode(text)?);
        let bytes = cipher(key, record.purpose)
            .decrypt(
                &nonce.as_slice().try_into().map_err(|_| failed())?,
                Payload {
                    msg: &text,
                    aad: &record.associated(),
                },
            )
            .map_err(|_| failed())?;
        Ok(Opened {
            bytes: Zeroizing::new(bytes),
            is_old: id != self.current.id,
        })
    }
}

fn cipher(key: &Master, purpose: Sealed) -> Aes256Gcm {
    let derived = key.derive(purpose.label().as_bytes());
    Aes256Gcm::new_from_slice(&*derived).expect("32 bytes are the length of its key")
}

fn failed() -> Error {
    Error::Internal("a sealed text does not open: it was altered or belongs to another record".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;
    use crate::ids::SystemIds;

    const RECORD: Record<'static> = Record {
        purpose: Sealed::Session,
        workspace_id: "workspace",
        id: "account",
    };

    #[test]
    fn sealed_value_opens_only_for_its_record() {
        let keys = Keys::new([7; 32]);
        let sealed = keys.seal(&RECORD, b"a secret", &SystemIds).expect("sealed");
        assert!(!sealed.contains("secret"));
        assert_eq!(keys.open(&RECORD, &sealed).expect("opens").expose(), b"a secret");
        let other_records = [
            Record {
                workspace_id: "other",
                ..RECORD
            },
            Record {
                id: "other",
                ..RECORD
            },
            // The same concatenation, divided at another place.
            Record {
                workspace_id: "workspac",
                id: "eaccount",
                ..RECORD
            },
        ];
        for other in other_records {
            assert!(keys.open(&other, &sealed).is_err(), "{other:?}");
        }
        assert!(Keys::new([8; 32]).open(&RECORD, &sealed).is_err());
    }

    #[test]
    fn altered_sealed_value_does_not_open() {
        let keys = Keys::new([7; 32]);
        let sealed = keys.seal(&RECORD, b"a secret", &SystemIds).expect("sealed");
        for at in 0..sealed.len() {
            let mut altered = sealed.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("ASCII");
            assert!(
                keys.open(&RECORD, &altered)
                    .is_err_and(|error| !error.to_string().contains("secret")),
                "{at}: {altered}"
            );
        }
        assert!(keys.open(&RECORD, "").is_err());
        assert!(keys.open(&RECORD, &format!("{}.A.A", keys.current.id)).is_err());
    }

    #[test]
    fn same_text_is_never_sealed_to_equal_bytes() {
        let keys = Keys::new([7; 32]);
        let sealed = |_| keys.seal(&RECORD, b"a secret", &SystemIds).expect("sealed");
        let all: std::collections::HashSet<_> = (0..100).map(sealed).collect();
        assert_eq!(all.len(), 100);
    }

    #[test]
    fn older_key_opens_its_values_and_reports_rotation() {
        let sealed = Keys::new([7; 32])
            .seal(&RECORD, b"a secret", &SystemIds)
            .expect("sealed");
        let keys = Keys::new([8; 32]).with_older(&hex(&[7; 32])).expect("a key");
        let opened = keys.open(&RECORD, &sealed).expect("opens");
        assert!(opened.is_old);
        let resealed = keys
            .seal(&RECORD, opened.expose(), &SystemIds)
            .expect("sealed again");
        assert!(!Keys::new([8; 32]).open(&RECORD, &resealed).expect("opens").is_old);
        assert_eq!(format!("{opened:?}"), "Opened");
    }
}

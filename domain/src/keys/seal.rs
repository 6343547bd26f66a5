//! Sealing: AES-256-GCM under a key of the purpose's own. The texts look like `<key id>.<nonce>.<ciphertext>`, and open
//! only for the owner, purpose and record that they were sealed for, so that a row copied onto another means nothing.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{Keys, Master};
use crate::ids::Ids;
use crate::{Error, Result};

/// The length of a nonce in bytes.
const NONCE: usize = 12;

/// What is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    Session,
    WebhookSecrets,
    WebhookQuery,
}

impl Sealed {
    fn label(self) -> &'static str {
        match self {
            Self::Session => "vintedbot sealed session",
            Self::WebhookSecrets => "vintedbot sealed webhook secrets",
            Self::WebhookQuery => "vintedbot sealed webhook query",
        }
    }
}

/// What a sealed text belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub purpose: Sealed,
    pub owner_id: &'a str,
    /// The record's id; where a table has no single one, its parts, separated by a character that none of them has.
    pub id: &'a str,
}

impl Record<'_> {
    /// What the seal authenticates besides the text: each part with its length, so that no two records read the same.
    fn associated(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for part in [self.purpose.label(), self.owner_id, self.id] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

/// An opened text: wiped when it is dropped, and silent about itself.
pub struct Opened {
    bytes: Zeroizing<Vec<u8>>,
    /// Whether a key of before closed it; it is to be sealed anew when it is next written.
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
    /// Seals a text for one record, with a nonce that was never used before.
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

    /// Opens what was sealed for that record.
    ///
    /// # Errors
    /// It was sealed for another record, with a key that is not here, or is not as it was.
    pub fn open(&self, record: &Record<'_>, sealed: &str) -> Result<Opened> {
        let mut parts = sealed.splitn(3, '.');
        let (Some(id), Some(nonce), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::Internal("a sealed text is malformed".to_owned()));
        };
        let key = self.by_id(id).ok_or_else(|| {
            Error::Internal(format!(
                "it was sealed with key {id}, which is neither ENCRYPTION_KEY nor among ENCRYPTION_KEYS_OLD"
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
    Error::Internal("a sealed text does not open: it was altered, or is of another record".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;
    use crate::ids::SystemIds;

    const RECORD: Record<'static> = Record {
        purpose: Sealed::Session,
        owner_id: "owner",
        id: "account",
    };

    #[test]
    fn it_opens_for_its_own_record_alone() {
        let keys = Keys::new([7; 32]);
        let sealed = keys.seal(&RECORD, b"a secret", &SystemIds).expect("sealed");
        assert!(!sealed.contains("secret"));
        assert_eq!(keys.open(&RECORD, &sealed).expect("opens").expose(), b"a secret");
        let of_others = [
            Record {
                owner_id: "other",
                ..RECORD
            },
            Record {
                id: "other",
                ..RECORD
            },
            // The parts are not simply written one after the other.
            Record {
                owner_id: "owne",
                id: "raccount",
                ..RECORD
            },
        ];
        for other in of_others {
            assert!(keys.open(&other, &sealed).is_err(), "{other:?}");
        }
        assert!(Keys::new([8; 32]).open(&RECORD, &sealed).is_err());
    }

    #[test]
    fn it_does_not_open_after_any_change() {
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
    fn the_same_text_is_never_sealed_the_same_way_twice() {
        let keys = Keys::new([7; 32]);
        let sealed = |_| keys.seal(&RECORD, b"a secret", &SystemIds).expect("sealed");
        let all: std::collections::HashSet<_> = (0..100).map(sealed).collect();
        assert_eq!(all.len(), 100);
    }

    #[test]
    fn a_key_of_before_opens_what_it_closed_and_says_that_it_is_old() {
        let sealed = Keys::new([7; 32])
            .seal(&RECORD, b"a secret", &SystemIds)
            .expect("sealed");
        let keys = Keys::new([8; 32]).with_older(&hex(&[7; 32])).expect("a key");
        let opened = keys.open(&RECORD, &sealed).expect("opens");
        assert!(opened.is_old);
        let anew = keys
            .seal(&RECORD, opened.expose(), &SystemIds)
            .expect("sealed anew");
        assert!(!Keys::new([8; 32]).open(&RECORD, &anew).expect("opens").is_old);
        assert_eq!(format!("{opened:?}"), "Opened");
    }
}

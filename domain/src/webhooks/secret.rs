//! The secrets that requests are signed with: `whsec_` and 24 to 64 bytes as base64, as Standard Webhooks has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::clock::Millis;
use crate::keys::{Record, Sealed};
use crate::{Domain, Error, Result, Violation};

const PREFIX: &str = "whsec_";
/// How many bytes a secret has, as Standard Webhooks asks for.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;
/// Secrets that sign at once: each makes the header of signatures longer.
const KEPT: usize = 4;

/// A secret, kept away from logs and wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub(super) fn generate(domain: &Domain) -> Self {
        let bytes = Zeroizing::new(domain.ids.secret());
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(PREFIX);
        STANDARD.encode_string(*bytes, &mut text);
        Self(text)
    }

    /// A caller's own.
    pub(super) fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let bytes = text
            .strip_prefix(PREFIX)
            .and_then(|text| STANDARD.decode(text).ok())
            .map(Zeroizing::new);
        match bytes {
            Some(bytes) if LENGTH.contains(&bytes.len()) => Ok(Self(Zeroizing::new(text.to_owned()))),
            Some(bytes) => Err(Violation::new(
                field,
                format!("has {} bytes; 24 to 64 are needed", bytes.len()),
            )),
            None => Err(Violation::new(
                field,
                "must be whsec_ and 24 to 64 bytes as base64",
            )),
        }
    }

    /// The secret itself, to be handed to its owner or signed with.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The secrets of an endpoint, newest first.
#[derive(Serialize, Deserialize)]
pub(super) struct Secrets(Vec<Kept>);

#[derive(Serialize, Deserialize)]
struct Kept {
    secret: String,
    /// Absent: the present one.
    expire_time: Option<Millis>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl Secrets {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(vec![Kept {
            secret: secret.expose().to_owned(),
            expire_time: None,
        }])
    }

    pub(super) fn open(domain: &Domain, owner_id: &str, endpoint_id: &str, sealed: &str) -> Result<Self> {
        let opened = domain.keys.open(&record(owner_id, endpoint_id), sealed)?;
        serde_json::from_slice(opened.expose())
            .map_err(|_| Error::Internal("sealed secrets are no JSON".to_owned()))
    }

    pub(super) fn seal(&self, domain: &Domain, owner_id: &str, endpoint_id: &str) -> Result<String> {
        let text = Zeroizing::new(serde_json::to_vec(self)?);
        domain
            .keys
            .seal(&record(owner_id, endpoint_id), &text, &*domain.ids)
    }

    /// Puts a new one before the others, of which the present one lasts until `expire_time`.
    ///
    /// # Errors
    /// So many sign already that one of them would have to end before its time.
    pub(super) fn rotate(&mut self, secret: &Secret, now: Millis, expire_time: Millis) -> Result<()> {
        if let Some(present) = self.0.first_mut() {
            present.expire_time = Some(expire_time);
        }
        self.0
            .retain(|kept| kept.expire_time.is_some_and(|until| until > now));
        if self.0.len() >= KEPT {
            return Err(Error::invalid(
                "old_secret_expire_time",
                format!(
                    "{KEPT} secrets sign already; wait until one of them ends, or end the present one at once with a time that \
                     has passed"
                ),
            ));
        }
        self.0.insert(
            0,
            Kept {
                secret: secret.expose().to_owned(),
                expire_time: None,
            },
        );
        Ok(())
    }

    /// When the last of the earlier ones ceases to sign.
    pub(super) fn old_expire_time(&self) -> Option<Millis> {
        self.0.iter().filter_map(|kept| kept.expire_time).max()
    }

    /// Those that sign now, the present one first.
    pub(super) fn signing(&self, now: Millis) -> Vec<Secret> {
        self.0
            .iter()
            .filter(|kept| kept.expire_time.is_none_or(|until| until > now))
            .map(|kept| Secret(Zeroizing::new(kept.secret.clone())))
            .collect()
    }
}

fn record<'a>(owner_id: &'a str, endpoint_id: &'a str) -> Record<'a> {
    Record {
        purpose: Sealed::WebhookSecrets,
        owner_id,
        id: endpoint_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_24_to_64_bytes() {
        let of = |length: usize| format!("whsec_{}", STANDARD.encode(vec![7u8; length]));
        for (text, fits) in [
            (of(24), true),
            (of(64), true),
            (of(23), false),
            (of(65), false),
            (of(2), false),
            ("whsec_".to_owned(), false),
            ("whsec_!!!".to_owned(), false),
            (of(32).replace("whsec_", ""), false),
        ] {
            let parsed = Secret::parse("secret", &text);
            assert_eq!(parsed.is_ok(), fits, "{text}");
            assert!(!format!("{parsed:?}").contains("BwcH"));
        }
    }

    #[test]
    fn an_old_secret_signs_too_until_its_time() {
        let secret = |digit: u8| Secret(Zeroizing::new(format!("whsec_{}", STANDARD.encode([digit; 24]))));
        let mut secrets = Secrets::new(&secret(1));
        secrets.rotate(&secret(2), 0, 100).unwrap();
        secrets.rotate(&secret(3), 50, 150).unwrap();
        assert_eq!(secrets.signing(60), [secret(3), secret(2), secret(1)]);
        assert_eq!(secrets.signing(120), [secret(3), secret(2)]);
        assert_eq!(secrets.signing(150), [secret(3)]);
        assert_eq!(secrets.old_expire_time(), Some(150));
    }
}

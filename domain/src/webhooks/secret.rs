//! The secrets that sign requests: `whsec_` and 24 to 64 bytes as base64, as Standard Webhooks specifies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::clock::Millis;
use crate::keys::{Record, Sealed};
use crate::{Context, Error, Result, Violation};

const PREFIX: &str = "whsec_";
/// The length of a secret in bytes, as Standard Webhooks specifies.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;
/// The maximum number of secrets that sign at the same time. Each makes the signature header longer.
const MAX_SECRETS: usize = 4;

/// A secret. Its Debug output does not contain it, and it is zeroized when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub(super) fn generate(context: &Context) -> Self {
        let bytes = Zeroizing::new(context.ids.secret());
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(PREFIX);
        STANDARD.encode_string(*bytes, &mut text);
        Self(text)
    }

    /// Parses a secret from a caller.
    pub(super) fn parse(field: &str, text: &str) -> Result<Self, Violation> {
        let bytes = text
            .strip_prefix(PREFIX)
            .and_then(|text| STANDARD.decode(text).ok())
            .map(Zeroizing::new);
        match bytes {
            Some(bytes) if LENGTH.contains(&bytes.len()) => Ok(Self(Zeroizing::new(text.to_owned()))),
            Some(bytes) => Err(Violation::new(
                field,
                format!("has {} bytes, but must have 24 to 64", bytes.len()),
            )),
            None => Err(Violation::new(
                field,
                "must be whsec_ and 24 to 64 bytes as base64",
            )),
        }
    }

    /// Returns the secret in plain text.
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
pub(super) struct Secrets(Vec<StoredSecret>);

#[derive(Serialize, Deserialize)]
struct StoredSecret {
    secret: String,
    /// The expiry. `None`: this is the current secret.
    expire_time: Option<Millis>,
}

impl Drop for StoredSecret {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl Secrets {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(vec![StoredSecret {
            secret: secret.expose().to_owned(),
            expire_time: None,
        }])
    }

    pub(super) fn open(
        context: &Context,
        workspace_id: &str,
        endpoint_id: &str,
        sealed: &str,
    ) -> Result<Self> {
        let opened = context.keys.open(&record(workspace_id, endpoint_id), sealed)?;
        serde_json::from_slice(opened.expose())
            .map_err(|_| Error::Internal("sealed secrets are not valid JSON".to_owned()))
    }

    pub(super) fn seal(&self, context: &Context, workspace_id: &str, endpoint_id: &str) -> Result<String> {
        let text = Zeroizing::new(serde_json::to_vec(self)?);
        context
            .keys
            .seal(&record(workspace_id, endpoint_id), &text, &*context.ids)
    }

    /// Makes `secret` the current secret. The previous one signs until `expire_time`.
    ///
    /// # Errors
    /// A violation if the maximum number of secrets signs already.
    pub(super) fn rotate(&mut self, secret: &Secret, now: Millis, expire_time: Millis) -> Result<()> {
        if let Some(current) = self.0.first_mut() {
            current.expire_time = Some(expire_time);
        }
        self.0
            .retain(|stored| stored.expire_time.is_some_and(|until| until > now));
        if self.0.len() >= MAX_SECRETS {
            return Err(Error::invalid(
                "old_secret_expire_time",
                format!(
                    "{MAX_SECRETS} secrets sign already; wait until one of them expires, or set a time in the past to \
                     expire the current secret at once"
                ),
            ));
        }
        self.0.insert(
            0,
            StoredSecret {
                secret: secret.expose().to_owned(),
                expire_time: None,
            },
        );
        Ok(())
    }

    /// Returns the time at which the last of the earlier secrets expires.
    pub(super) fn old_expire_time(&self) -> Option<Millis> {
        self.0.iter().filter_map(|stored| stored.expire_time).max()
    }

    /// Returns the secrets that sign now, the current one first.
    pub(super) fn signing(&self, now: Millis) -> Vec<Secret> {
        self.0
            .iter()
            .filter(|stored| stored.expire_time.is_none_or(|until| until > now))
            .map(|stored| Secret(Zeroizing::new(stored.secret.clone())))
            .collect()
    }
}

fn record<'a>(workspace_id: &'a str, endpoint_id: &'a str) -> Record<'a> {
    Record {
        purpose: Sealed::WebhookSecrets,
        workspace_id,
        id: endpoint_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_has_24_to_64_bytes() {
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
    fn old_secret_also_signs_until_it_expires() {
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

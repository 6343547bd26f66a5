//! Access tokens: signed JWTs (RFC 7519, EdDSA with Ed25519) that name a session and live for 15 minutes.
//!
//! The signing keys are derived from the instance's key, one for each period of 30 days. They rotate with the period
//! and are not stored. The id of a key (`kid`) is `<key id>.<period>`. A token proves only that this instance issued
//! it. [`super::authenticate`] reads the session, so that a revocation applies at once.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::clock::Millis;
use crate::keys::Keys;
use crate::{Error, Reason, Result};

/// The lifetime of an access token.
pub(super) const LIFETIME: Millis = 15 * 60_000;
/// How long a key signs.
const PERIOD: Millis = 30 * 24 * 3_600_000;
const AUDIENCE: &str = "vintedbot";
/// The maximum number of tokens that are remembered as verified, about 150 bytes each.
const VERIFIED_MAX: usize = 10_000;
/// The maximum length of a token, in bytes. Ours have about 400.
const LENGTH_MAX: usize = 2_048;
/// A PKCS #8 structure up to the 32 bytes of an Ed25519 seed (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The claims of a token. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    /// The person.
    pub sub: String,
    /// The session.
    pub sid: String,
    iat: i64,
    exp: i64,
}

/// Issues and verifies the access tokens of an instance.
#[derive(Debug)]
pub(super) struct AccessTokens {
    issuer: String,
    /// The claims of verified tokens, by the token's SHA-256. Saves the verification of the signature at each call.
    verified: Mutex<HashMap<[u8; 32], Claims>>,
}

impl AccessTokens {
    pub fn new(instance_id: &str) -> Self {
        Self {
            issuer: format!("vintedbot:{instance_id}"),
            verified: Mutex::default(),
        }
    }

    /// Issues the token of a session. The same session and time give the same token. Returns it with its expiry.
    pub fn issue(
        &self,
        keys: &Keys,
        user_id: &str,
        session_id: &str,
        time: Millis,
    ) -> Result<(Zeroizing<String>, Millis)> {
        let (iat, exp) = (time / 1_000, (time + LIFETIME) / 1_000);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: user_id.to_owned(),
            sid: session_id.to_owned(),
            iat,
            exp,
        };
        let period = period_of(iat);
        let seed = keys
            .signing_seed(keys.id(), &label(period))
            .ok_or_else(|| Error::Internal("the current key is unknown".to_owned()))?;
        let mut pkcs8 = Zeroizing::new(PKCS8_PREFIX.to_vec());
        pkcs8.extend_from_slice(&*seed);
        let header = Header {
            kid: Some(format!("{}.{period}", keys.id())),
            ..Header::new(Algorithm::EdDSA)
        };
        let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(&pkcs8))
            .map_err(|error| Error::Internal(format!("an access token could not be signed: {error}")))?;
        Ok((Zeroizing::new(token), exp * 1_000))
    }

    /// Returns the claims of a token that this instance issued and that has not expired.
    ///
    /// # Errors
    /// TOKEN_INVALID, TOKEN_EXPIRED.
    pub fn verify(&self, keys: &Keys, token: &str, now: Millis) -> Result<Claims> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let known = self.lock().get(&hash).cloned();
        let claims = match known {
            Some(claims) => claims,
            None => {
                let claims = self.check(keys, token).ok_or_else(invalid)?;
                let mut verified = self.lock();
                if verified.len() >= VERIFIED_MAX {
                    verified.retain(|_, claims| claims.exp * 1_000 > now);
                }
                if verified.len() >= VERIFIED_MAX {
                    verified.clear();
                }
                verified.insert(hash, claims.clone());
                claims
            }
        };
        if claims.exp * 1_000 <= now {
            self.lock().remove(&hash);
            return Err(Error::rejected(
                Reason::TokenExpired,
                "the access token has expired; call RefreshSession",
            ));
        }
        // Tolerates a clock of another process that is up to 15 minutes ahead. Only the instance itself sets this time.
        if claims.iat * 1_000 > now + LIFETIME {
            return Err(invalid());
        }
        Ok(claims)
    }

    fn check(&self, keys: &Keys, token: &str) -> Option<Claims> {
        if token.len() > LENGTH_MAX {
            return None;
        }
        let header = jsonwebtoken::decode_header(token).ok()?;
        let kid = header.kid?;
        let (key_id, period) = kid.split_once('.')?;
        let period: i64 = period.parse().ok()?;
        let seed = keys.signing_seed(key_id, &label(period))?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).ok()?;
        let key = DecodingKey::from_ed_der(pair.public_key().as_ref());
        let mut validation = Validation::clone(&VALIDATION);
        validation.set_issuer(&[&self.issuer]);
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .ok()?
            .claims;
        // A key signs only in its own period.
        (period_of(claims.iat) == period && claims.exp - claims.iat <= LIFETIME / 1_000).then_some(claims)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Claims>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rules for every token, without times, which are compared with the injected clock.
static VALIDATION: LazyLock<Validation> = LazyLock::new(|| {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.leeway = 0;
    validation.validate_exp = false;
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
});

fn period_of(seconds: i64) -> i64 {
    seconds / (PERIOD / 1_000)
}

fn label(period: i64) -> String {
    format!("vintedbot access tokens {period}")
}

/// The refusal of a bearer token.
pub(super) fn invalid() -> Error {
    Error::rejected(
        Reason::TokenInvalid,
        "the token is malformed, unknown or revoked, or its session has ended",
    )
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use serde_json::{Value, json};

    use super::*;

    const NOW: Millis = 1_796_000_000_000;

    fn keys() -> Keys {
        Keys::new([7; 32])
    }

    fn issued() -> (AccessTokens, String) {
        let tokens = AccessTokens::new("an-instance");
        let (token, expire_time) = tokens.issue(&keys(), "a-user", "a-session", NOW).expect("signs");
        assert_eq!(expire_time, NOW + LIFETIME);
        (tokens, token.to_string())
    }

    /// Returns the key that signs at `NOW`.
    fn seed() -> [u8; 32] {
        *keys()
            .signing_seed(keys().id(), &label(period_of(NOW / 1_000)))
            .expect("known")
    }

    fn reason(result: Result<Claims>) -> Option<Reason> {
        result.err().and_then(|error| error.reason())
    }

    /// Replaces parts of a token and signs it with the given key, or with the key of the instance.
    fn forged(token: &str, change: impl Fn(&mut Value, &mut Value), seed: Option<[u8; 32]>) -> String {
        let parts: Vec<_> = token.split('.').collect();
        let decode = |part: &str| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
        };
        let (mut header, mut claims) = (decode(parts[0]), decode(parts[1]));
        change(&mut header, &mut claims);
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(&header), encode(&claims));
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed.unwrap_or_else(self::seed)).expect("a seed");
        format!(
            "{message}.{}",
            URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()))
        )
    }

    /// Signs the claims of a token with HMAC-SHA-256 and a key that an attacker knows.
    fn symmetric(token: &str, key: &[u8]) -> String {
        let token = forged(token, |header, _| header["alg"] = json!("HS256"), None);
        let (message, _) = token.rsplit_once('.').expect("three parts");
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
        mac.update(message.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        format!("{message}.{signature}")
    }

    #[test]
    fn token_is_valid_until_it_expires() {
        let (tokens, token) = issued();
        let claims = tokens.verify(&keys(), &token, NOW).expect("is valid");
        assert_eq!(
            (claims.sub.as_str(), claims.sid.as_str()),
            ("a-user", "a-session")
        );
        assert!(tokens.verify(&keys(), &token, NOW + LIFETIME - 1).is_ok());
        let expired = tokens.verify(&keys(), &token, NOW + LIFETIME);
        assert_eq!(reason(expired), Some(Reason::TokenExpired));
        assert_eq!(
            reason(AccessTokens::new("an-instance").verify(&keys(), &token, NOW + LIFETIME)),
            Some(Reason::TokenExpired)
        );
    }

    #[test]
    fn same_session_and_time_give_the_same_token() {
        let (tokens, token) = issued();
        let (again, _) = tokens.issue(&keys(), "a-user", "a-session", NOW).expect("signs");
        assert_eq!(*again, token);
    }

    #[test]
    fn token_of_an_old_key_is_valid_while_configured() {
        let (tokens, token) = issued();
        let old = crate::keys::hex(&[7; 32]);
        let rotated = Keys::new([8; 32]).with_older(&old).expect("a key");
        assert!(tokens.verify(&rotated, &token, NOW).is_ok());
        let fresh = AccessTokens::new("an-instance");
        assert_eq!(
            reason(fresh.verify(&Keys::new([8; 32]), &token, NOW)),
            Some(Reason::TokenInvalid)
        );
    }

    #[test]
    fn altered_and_foreign_tokens_are_refused() {
        let (_, token) = issued();
        let same = forged(&token, |_, _| {}, None);
        let accepted = AccessTokens::new("an-instance").verify(&keys(), &same, NOW);
        assert!(accepted.is_ok(), "the helper signs as the server does");
        let header =
            |key: &'static str, value: Value| forged(&token, |header, _| header[key] = value.clone(), None);
        let claim =
            |key: &'static str, value: Value| forged(&token, |_, claims| claims[key] = value.clone(), None);
        let without = |key: &'static str| {
            forged(
                &token,
                |_, claims| drop(claims.as_object_mut().expect("an object").remove(key)),
                None,
            )
        };
        let (unsigned, signature) = token.rsplit_once('.').expect("three parts");
        let (head, _) = unsigned.split_once('.').expect("three parts");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed()).expect("a seed");
        let alg_none = header("alg", json!("none"));
        let (alg_none, _) = alg_none.rsplit_once('.').expect("three parts");
        let far = NOW / 1_000 + 10 * 365 * 24 * 3_600;
        for wrong in [
            header("alg", json!("none")),
            format!("{alg_none}."),
            alg_none.to_owned(),
            header("alg", json!("NONE")),
            header("alg", json!("HS256")),
            symmetric(&token, b""),
            symmetric(&token, keys().id().as_bytes()),
            symmetric(&token, pair.public_key().as_ref()),
            header("alg", json!("ES256")),
            header("crit", json!(["b64"])),
            header("kid", json!("unknown.1")),
            header("kid", json!(format!("{}.{}", keys().id(), 1))),
            header("kid", Value::Null),
            claim("exp", json!(far.to_string())),
            claim("exp", json!(far)),
            claim("exp", json!(1e300)),
            claim("aud", json!("another")),
            claim("aud", json!([])),
            claim("iss", json!("vintedbot:another-instance")),
            claim("iat", json!(0)),
            without("exp"),
            without("aud"),
            without("iss"),
            without("sub"),
            without("sid"),
            forged(&token, |_, _| {}, Some([0; 32])),
            format!("{unsigned}."),
            unsigned.to_owned(),
            format!("{head}..{signature}"),
            format!("{token}."),
            format!("{token}.{signature}"),
            format!("{token}a"),
            "eyJ".to_owned(),
            "..".to_owned(),
            format!("eyJ{}", "a".repeat(1_000_000)),
        ] {
            let tokens = AccessTokens::new("an-instance");
            let result = tokens.verify(&keys(), &wrong, NOW);
            assert_eq!(
                reason(result),
                Some(Reason::TokenInvalid),
                "{}",
                &wrong[..wrong.len().min(600)]
            );
        }
    }
}

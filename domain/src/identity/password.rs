//! Passwords: Argon2id hashes, and the strength of new passwords.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, Params};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;
use zxcvbn::Score;

use crate::clock::Millis;
use crate::ids::Ids;
use crate::{Error, Reason, Result, Violation};

/// The minimum and maximum length of a password, in bytes. The maximum bounds the work of an estimate.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;
/// Hashes that run at the same time. Each takes 19 MiB.
const CONCURRENT: usize = 2;
/// Hashes that run or wait. At about 30 ms each, a further caller would wait for more than 5 seconds.
const QUEUED: usize = 400;
/// The wait before a call that found the queue full may be retried.
const RETRY_MS: Millis = 2_000;
/// A hash with the parameters of new hashes and without a password. It is verified for unknown people, so that a
/// response takes as long as for known ones.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password. `Debug` does not print it, and it is zeroized when it is dropped.
#[derive(Clone)]
pub struct Password(Arc<Zeroizing<String>>);

impl Password {
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Checks a password that somebody claims to have. The result does not depend on any person.
    pub(super) fn check_length(&self, field: &str) -> Option<Violation> {
        (!LENGTH.contains(&self.bytes().len())).then(|| {
            Violation::new(
                field,
                format!("must have {} to {} bytes", LENGTH.start(), LENGTH.end()),
            )
        })
    }

    /// Checks a new password. `known` are texts that an attacker tries first: the address, the name.
    pub(super) fn check_new(&self, field: &str, known: &[&str]) -> Option<Violation> {
        if let Some(violation) = self.check_length(field) {
            return Some(violation);
        }
        // Passwords below this score fall to fewer than 10^8 guesses.
        if zxcvbn::zxcvbn(&self.0, known).score() >= Score::Three {
            return None;
        }
        Some(Violation::new(
            field,
            "is easy to guess; use a longer one, for example four words that do not belong together",
        ))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// Hashes passwords, few at a time and off the async threads.
#[derive(Clone, Debug)]
pub(super) struct Hasher {
    running: Arc<Semaphore>,
    queued: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(CONCURRENT)),
            queued: Arc::new(Semaphore::new(QUEUED)),
        }
    }
}

impl Hasher {
    /// Returns the hash of a new password as a PHC string.
    ///
    /// # Errors
    /// RATE_LIMITED if too many hashes wait.
    pub async fn hash(&self, password: &Password, ids: &dyn Ids) -> Result<String> {
        let (password, salt) = (password.clone(), ids.secret());
        self.run(move || {
            // OWASP's recommendation is the default of the library: m = 19 MiB, t = 2, p = 1.
            let hash: PasswordHash = Argon2::default()
                .hash_password_with_salt(password.bytes(), &salt[..16])
                .map_err(|error| Error::Internal(format!("a password could not be hashed: {error}")))?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Returns whether a password has this hash. Without a hash, does the same work and returns false.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub async fn verify(&self, password: &Password, hash: Option<&str>) -> Result<bool> {
        let (password, known) = (password.clone(), hash.is_some());
        let hash = hash.unwrap_or(NOBODY).to_owned();
        self.run(move || {
            let hash = PasswordHash::new(&hash)
                .map_err(|error| Error::Internal(format!("a stored password hash is malformed: {error}")))?;
            Ok(Argon2::default().verify_password(password.bytes(), &hash).is_ok() && known)
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let Ok(queued) = Arc::clone(&self.queued).try_acquire_owned() else {
            return Err(
                Error::rejected(Reason::RateLimited, "too many people sign in at the moment")
                    .with("limit", "password_hashes")
                    .retry_after(RETRY_MS),
            );
        };
        let ended =
            |error: &dyn std::fmt::Display| Error::Internal(format!("a password hash ended: {error}"));
        let running = Arc::clone(&self.running);
        let running = running.acquire_owned().await.map_err(|error| ended(&error))?;
        tokio::task::spawn_blocking(move || {
            // A caller that goes away does not end the hash, so the hash itself holds its places.
            let _places = (queued, running);
            work()
        })
        .await
        .map_err(|error| ended(&error))?
    }
}

/// Returns whether a hash has other parameters than a new hash would have.
pub(super) fn is_outdated(hash: &str) -> bool {
    let current = PasswordHash::new(NOBODY).ok();
    let hash = PasswordHash::new(hash).ok();
    match (hash, current) {
        (Some(hash), Some(current)) => {
            hash.algorithm != current.algorithm
                || hash.version != current.version
                || Params::try_from(&hash).ok() != Params::try_from(&current).ok()
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SystemIds;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[tokio::test]
    async fn password_matches_only_its_own_hash() {
        let hasher = Hasher::default();
        let hash = hasher
            .hash(&password("correct horse"), &SystemIds)
            .await
            .expect("hashes");
        assert!(
            hasher
                .verify(&password("correct horse"), Some(&hash))
                .await
                .expect("verifies")
        );
        assert!(
            !hasher
                .verify(&password("correct horsf"), Some(&hash))
                .await
                .expect("verifies")
        );
        assert!(
            !hasher
                .verify(&password("correct horse"), None)
                .await
                .expect("verifies")
        );
        assert!(!is_outdated(&hash), "{hash}");
        assert!(is_outdated(&hash.replace("t=2", "t=1")));
    }

    #[test]
    fn hash_of_nobody_has_current_parameters() {
        let nobody = PasswordHash::new(NOBODY).expect("a PHC string");
        assert_eq!(
            Params::try_from(&nobody).expect("parameters").m_cost(),
            Params::default().m_cost()
        );
        assert_eq!(
            Params::try_from(&nobody).expect("parameters").t_cost(),
            Params::default().t_cost()
        );
        assert_eq!(
            Params::try_from(&nobody).expect("parameters").p_cost(),
            Params::default().p_cost()
        );
    }

    #[test]
    fn weak_passwords_are_refused() {
        for weak in [
            "short",
            "password1",
            "anna@example.com",
            "aaaaaaaaaaaa",
            "Passw0rd!",
            &"x".repeat(257),
        ] {
            assert!(
                password(weak)
                    .check_new("password", &["anna@example.com"])
                    .is_some(),
                "{weak}"
            );
        }
        assert!(
            password("correct horse battery staple")
                .check_new("password", &[])
                .is_none()
        );
    }

    #[test]
    fn password_never_appears_in_debug_output() {
        assert_eq!(format!("{:?}", password("secret words")), "Password");
    }
}

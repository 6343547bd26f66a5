//! Passwords: Argon2id hashes, and the strength of new passwords.

use std::fmt::Display;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;
use zxcvbn::Score;

use crate::clock::Millis;
use crate::ids::Ids;
use crate::{Error, Reason, Result, Violation};

/// The minimum and maximum length of a password, in bytes.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;
/// The number of leading characters from which the strength of a password is estimated. The time of an estimate grows
/// faster than the length of its text.
const ESTIMATED: usize = 32;
/// Hashes that run at the same time. Each takes 19 MiB.
const CONCURRENT: usize = 2;
/// Hashes that wait. At about 30 ms each, a further caller would wait for more than 5 seconds.
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
    /// Normalizes the text to NFC, because devices type the same letters as different code points.
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        Self(Arc::new(Zeroizing::new(text.nfc().collect())))
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Checks the length of a password at sign-in. The result does not depend on any person.
    pub(super) fn check_length(&self, field: &str) -> Option<Violation> {
        (!LENGTH.contains(&self.bytes().len())).then(|| {
            Violation::new(
                field,
                format!("must have {} to {} bytes", LENGTH.start(), LENGTH.end()),
            )
        })
    }

    /// Returns whether a new password is easy to guess. `known` are texts that an attacker tries first: the address, the
    /// name. Takes up to 100 ms of a processor.
    fn is_weak(&self, known: &[&str]) -> bool {
        let tried: String = self.0.chars().take(ESTIMATED).collect();
        // Passwords below this score fall to fewer than 10^8 guesses.
        zxcvbn::zxcvbn(&Zeroizing::new(tried), known).score() < Score::Three
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// Hashes passwords on threads of its own, each with one block of memory for all hashes of a burst.
///
/// If each hash allocated its own memory, the allocator would keep it: hundreds of MiB on the many threads that the
/// runtime has for blocking work.
#[derive(Debug, Default)]
pub(super) struct Hasher {
    /// The threads start with the first hash, and end when the hasher is dropped.
    queue: OnceLock<mpsc::Sender<Work>>,
}

type Memory = Vec<Block>;
type Work = Box<dyn FnOnce(&mut Memory) + Send>;

impl Hasher {
    /// Returns the hash of a new password as a PHC string.
    ///
    /// # Errors
    /// A violation of `field` if the password is easy to guess, also with `known` texts such as the address; RATE_LIMITED
    /// if too many hashes wait.
    pub async fn hash_new(
        &self,
        password: &Password,
        field: &'static str,
        known: &[&str],
        ids: &dyn Ids,
    ) -> Result<String> {
        let (password, salt) = (password.clone(), ids.secret());
        let known: Vec<_> = known.iter().map(|text| (*text).to_owned()).collect();
        self.run(move |memory| {
            let known: Vec<_> = known.iter().map(String::as_str).collect();
            if password.is_weak(&known) {
                return Err(Error::invalid(
                    field,
                    "is easy to guess; use a longer one, for example four words that do not belong together",
                ));
            }
            hash(&password, &salt, memory)
        })
        .await
    }

    /// Returns the hash of a known password with current parameters.
    ///
    /// # Errors
    /// RATE_LIMITED if too many hashes wait.
    pub async fn hash(&self, password: &Password, ids: &dyn Ids) -> Result<String> {
        let (password, salt) = (password.clone(), ids.secret());
        self.run(move |memory| hash(&password, &salt, memory)).await
    }

    /// Returns whether a password has this hash. Without a hash, does the same work and returns false.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub async fn verify(&self, password: &Password, hash: Option<&str>) -> Result<bool> {
        let (password, known) = (password.clone(), hash.is_some());
        let hash = hash.unwrap_or(NOBODY).to_owned();
        self.run(move |memory| {
            let hash = PasswordHash::new(&hash).map_err(|error| malformed(&error))?;
            let params = Params::try_from(&hash).map_err(|error| malformed(&error))?;
            let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else {
                return Err(malformed(&"it has no salt or no output"));
            };
            // Outputs are compared in constant time.
            Ok(output(&password, &salt, params, expected.len(), memory)? == expected && known)
        })
        .await
    }

    /// Runs `work` on one of the threads. It runs to its end even if the caller is cancelled.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move |memory: &mut Memory| {
            // A cancelled caller needs no result.
            if !answer.is_closed() {
                drop(answer.send(work(memory)));
            }
        });
        if self.queue.get_or_init(start).try_send(work).is_err() {
            return Err(
                Error::rejected(Reason::RateLimited, "too many people sign in at the moment")
                    .with("limit", "password_hashes")
                    .retry_after(RETRY_MS),
            );
        }
        answered
            .await
            .map_err(|_| Error::Internal("a password hash ended without a result".to_owned()))?
    }
}

/// Computes a hash with the library's parameters, which are those of OWASP: m = 19 MiB, t = 2, p = 1.
fn hash(password: &Password, salt: &[u8; 32], memory: &mut Memory) -> Result<String> {
    let params = Params::default();
    let salt = Salt::new(&salt[..16]).map_err(|error| malformed(&error))?;
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(&params).map_err(|error| malformed(&error))?,
        hash: Some(output(
            password,
            &salt,
            params,
            Params::DEFAULT_OUTPUT_LEN,
            memory,
        )?),
        salt: Some(salt),
    };
    Ok(hash.to_string())
}

/// Computes the output of a hash.
fn output(
    password: &Password,
    salt: &Salt,
    params: Params,
    length: usize,
    memory: &mut Memory,
) -> Result<Output> {
    memory.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(Algorithm::default(), Version::default(), params);
    let mut output = [0; Output::MAX_LENGTH];
    let output = &mut output[..length];
    argon2
        .hash_password_into_with_memory(password.bytes(), salt, output, memory)
        .map_err(|error| malformed(&error))?;
    Output::new(output).map_err(|error| malformed(&error))
}

fn malformed(error: &dyn Display) -> Error {
    Error::Internal(format!("a password hash could not be computed: {error}"))
}

/// Starts the threads.
fn start() -> mpsc::Sender<Work> {
    let (queue, work) = mpsc::channel(QUEUED);
    let work = Arc::new(Mutex::new(work));
    for _ in 0..CONCURRENT {
        let work = Arc::clone(&work);
        std::thread::spawn(move || serve(&work));
    }
    queue
}

/// Runs queued work until the hasher is dropped. Frees the memory while the queue is empty.
fn serve(work: &Mutex<mpsc::Receiver<Work>>) {
    let mut memory = Memory::new();
    loop {
        let mut queue = work.try_lock().unwrap_or_else(|_| {
            // The other thread waits for work, so the queue is usually empty.
            memory = Memory::new();
            work.lock().unwrap_or_else(PoisonError::into_inner)
        });
        let next = match queue.try_recv() {
            Err(TryRecvError::Empty) => {
                memory = Memory::new();
                queue.blocking_recv()
            }
            next => next.ok(),
        };
        drop(queue);
        match next {
            Some(next) => next(&mut memory),
            None => return,
        }
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

    fn is_refused(text: &str) -> bool {
        let password = password(text);
        password.check_length("password").is_some() || password.is_weak(&["anna@example.com"])
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
            assert!(is_refused(weak), "{weak}");
        }
        assert!(!is_refused("correct horse battery staple"));
    }

    #[test]
    fn password_never_appears_in_debug_output() {
        assert_eq!(format!("{:?}", password("secret words")), "Password");
    }
}

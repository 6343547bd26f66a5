//! The second factor: time-based one-time passwords (RFC 6238) and recovery codes.
//!
//! A code counts once: a person's row holds the step of the last accepted code. Recovery codes are stored as hashes.

use futures::FutureExt;
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use super::{Caller, Password, attempts, links, me, user};
use crate::clock::Millis;
use crate::keys::{Record, Sealed, hex, sha256_hex};
use crate::store::Tx;
use crate::store::entities::users;
use crate::{Context, Error, Reason, Result};

/// The name of the program in authenticator apps.
const ISSUER: &str = "vintedbot";
/// The length of a secret, in bytes (RFC 4226, section 4).
const SECRET: usize = 20;
/// Codes of one step before and after the current one are accepted, for clocks that differ.
const SKEW: u16 = 1;
const RECOVERY_CODES: usize = 10;
/// The length of a recovery code, in bytes: 16 hex digits.
const RECOVERY_CODE: usize = 8;

/// The secret of a second factor that is not confirmed yet.
#[derive(Clone)]
pub struct Enrollment {
    /// In base32.
    pub secret: Zeroizing<String>,
    /// The URI that authenticator apps read as a QR code.
    pub uri: Zeroizing<String>,
}

impl std::fmt::Debug for Enrollment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Enrollment")
    }
}

/// Creates a secret for a second factor. It takes effect with [`confirm_second_factor`] and replaces one that was not
/// confirmed.
///
/// # Errors
/// PERSON_REQUIRED; CREDENTIALS_INVALID if the password is wrong; SECOND_FACTOR_ENABLED; RATE_LIMITED.
pub async fn enroll_second_factor(
    context: &Context,
    caller: &Caller,
    password: Password,
) -> Result<Enrollment> {
    let row = me::prove(context, caller, &password).await?;
    let random = Zeroizing::new(context.ids.secret());
    let secret = Zeroizing::new(random[..SECRET].to_vec());
    let sealed = context.keys.seal(&record(&row), &secret, &*context.ids)?;
    let totp = totp(&secret, &row.email)?;
    let uri = totp
        .to_url()
        .map_err(|error| Error::Internal(format!("a second factor has no URI: {error}")))?;
    let enrollment = Enrollment {
        secret: Zeroizing::new(totp.secret().to_base32()),
        uri: Zeroizing::new(uri),
    };
    change(context, caller, move |_, mut row| {
        if row.second_factor_enabled {
            return Err(enabled());
        }
        row.sealed_second_factor = Some(sealed.clone());
        Ok(row)
    })
    .await?;
    Ok(enrollment)
}

/// Enables the second factor with a first code. Returns the recovery codes.
///
/// # Errors
/// PERSON_REQUIRED; SECOND_FACTOR_INVALID if the code is wrong or no secret was created; SECOND_FACTOR_ENABLED;
/// RATE_LIMITED.
pub async fn confirm_second_factor(context: &Context, caller: &Caller, code: &str) -> Result<Vec<String>> {
    let counters = attempts::of_code(context, &caller.person()?.user_id);
    attempts::begin(context, &counters).await?;
    let codes = recovery_codes(context);
    let hashes: Vec<_> = codes.iter().map(|code| sha256_hex(plain(code))).collect();
    let hashes = serde_json::to_string(&hashes)?;
    let (checked, code) = (context.clone(), code.to_owned());
    change(context, caller, move |now, mut row| {
        if row.second_factor_enabled {
            return Err(enabled());
        }
        row.second_factor_step = step_of(&checked, &row, &code, now)?.ok_or_else(invalid)?;
        row.second_factor_enabled = true;
        row.recovery_hashes.clone_from(&hashes);
        Ok(row)
    })
    .await?;
    attempts::forgive(context, &counters).await?;
    Ok(codes)
}

/// Disables the second factor. Has no effect for a person without a second factor.
///
/// # Errors
/// PERSON_REQUIRED; CREDENTIALS_INVALID if the password is wrong; SECOND_FACTOR_REQUIRED without a code;
/// SECOND_FACTOR_INVALID; RATE_LIMITED.
pub async fn disable_second_factor(
    context: &Context,
    caller: &Caller,
    password: Password,
    code: &str,
) -> Result<()> {
    me::prove(context, caller, &password).await?;
    let counters = attempts::of_code(context, &caller.person()?.user_id);
    attempts::begin(context, &counters).await?;
    let (checked, code) = (context.clone(), code.to_owned());
    change(context, caller, move |now, mut row| {
        accept(&checked, &mut row, &code, now)?;
        clear(&mut row);
        Ok(row)
    })
    .await?;
    attempts::forgive(context, &counters).await
}

/// Uses up a code of the app or a recovery code. Does nothing for a person without a second factor.
///
/// # Errors
/// SECOND_FACTOR_REQUIRED without a code; SECOND_FACTOR_INVALID.
pub(super) fn accept(context: &Context, row: &mut users::Model, code: &str, now: Millis) -> Result<()> {
    if !row.second_factor_enabled {
        return Ok(());
    }
    if code.trim().is_empty() {
        return Err(Error::rejected(
            Reason::SecondFactorRequired,
            "the password is right; repeat the call with a code of the second factor",
        ));
    }
    reseal(context, row)?;
    if let Some(step) = step_of(context, row, code, now)? {
        row.second_factor_step = step;
        return Ok(());
    }
    let mut hashes: Vec<String> = serde_json::from_str(&row.recovery_hashes)?;
    let hash = sha256_hex(plain(code));
    let at = hashes
        .iter()
        .position(|known| *known == hash)
        .ok_or_else(invalid)?;
    hashes.remove(at);
    row.recovery_hashes = serde_json::to_string(&hashes)?;
    Ok(())
}

/// Removes the second factor.
pub(super) fn clear(row: &mut users::Model) {
    row.sealed_second_factor = None;
    row.second_factor_enabled = false;
    row.second_factor_step = 0;
    row.recovery_hashes = "[]".to_owned();
}

/// Seals a secret with the current key if an old key sealed it, so that the old key can be removed later.
fn reseal(context: &Context, row: &mut users::Model) -> Result<()> {
    let Some(sealed) = &row.sealed_second_factor else {
        return Ok(());
    };
    let opened = context.keys.open(&record(row), sealed)?;
    if opened.is_old {
        row.sealed_second_factor = Some(context.keys.seal(&record(row), opened.expose(), &*context.ids)?);
    }
    Ok(())
}

/// Returns the step of a code that is right and was not used before.
fn step_of(context: &Context, row: &users::Model, code: &str, now: Millis) -> Result<Option<i64>> {
    let Some(sealed) = &row.sealed_second_factor else {
        return Ok(None);
    };
    let secret = context.keys.open(&record(row), sealed)?;
    let totp = totp(secret.expose(), &row.email)?;
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let step = totp.check(&code, u64::try_from(now / 1_000).unwrap_or_default());
    let step = step.and_then(|step| i64::try_from(step).ok());
    Ok(step.filter(|step| *step > row.second_factor_step))
}

/// Changes the caller's row in a transaction.
async fn change(
    context: &Context,
    caller: &Caller,
    change: impl Fn(Millis, users::Model) -> Result<users::Model> + Send + Sync + 'static,
) -> Result<()> {
    let user_id = caller.person()?.user_id.clone();
    let caller = caller.clone();
    let change = std::sync::Arc::new(change);
    context
        .store
        .write(move |tx: &Tx| {
            let (caller, user_id) = (caller.clone(), user_id.clone());
            let change = std::sync::Arc::clone(&change);
            async move {
                links::lock_live(tx, &caller).await?;
                let row = user::lock(tx, &caller.workspace_id, &user_id).await?;
                let now = tx.now().await?;
                user::save(tx, change(now, row)?).await
            }
            .boxed()
        })
        .await
}

fn totp(secret: &[u8], email: &str) -> Result<Totp> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(SKEW)
        .with_step_duration(30)
        .with_secret(secret.to_vec())
        .with_issuer(Some(ISSUER))
        .with_account_name(email)
        .build()
        .map_err(|error| Error::Internal(format!("a second factor is malformed: {error}")))
}

fn record(row: &users::Model) -> Record<'_> {
    Record {
        purpose: Sealed::SecondFactor,
        workspace_id: &row.workspace_id,
        id: &row.id,
    }
}

fn recovery_codes(context: &Context) -> Vec<String> {
    (0..RECOVERY_CODES)
        .map(|_| {
            let random = Zeroizing::new(context.ids.secret());
            let digits = hex(&random[..RECOVERY_CODE]);
            format!(
                "{}-{}-{}-{}",
                &digits[..4],
                &digits[4..8],
                &digits[8..12],
                &digits[12..]
            )
        })
        .collect()
}

/// Returns a recovery code without its separators, as people type it with and without them.
fn plain(code: &str) -> String {
    let code = code.chars().filter(char::is_ascii_alphanumeric);
    code.collect::<String>().to_ascii_lowercase()
}

fn invalid() -> Error {
    Error::rejected(
        Reason::SecondFactorInvalid,
        "the code is wrong or was used before; wait for the app's next code, or use a recovery code",
    )
}

fn enabled() -> Error {
    Error::rejected(
        Reason::SecondFactorEnabled,
        "there is a second factor already; call DisableSecondFactor first",
    )
}

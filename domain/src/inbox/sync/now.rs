//! `SyncNow`: a reading that somebody asks for, and waits for.

use futures::FutureExt;

use super::turns;
use super::work::{self, Counts};
use crate::accounts::{self, Account, AccountState};
use crate::clock::{Millis, rfc3339};
use crate::identity::Caller;
use crate::jobs;
use crate::store::Tx;
use crate::store::entities::accounts as account_rows;
use crate::{Domain, Error, Reason, Result};

const MINUTE: Millis = 60_000;

/// Reads an account's inbox now, or joins a reading that is under way, and waits for what it brings: as long as the caller
/// does.
///
/// # Errors
/// ACCOUNT_PAUSED, RATE_LIMITED, SESSION_REQUIRED, SESSION_INVALID; what kept the reading from being complete:
/// SITE_UNAVAILABLE, SITE_CHANGED or a reason that begins with CHALLENGE.
pub async fn sync_now(domain: &Domain, caller: &Caller, account_id: &str) -> Result<Counts> {
    let (domain_, owner_id, id) = (domain.clone(), caller.owner_id.clone(), account_id.to_owned());
    let job_id = domain
        .store
        .write(move |tx| {
            let (domain, owner_id, id) = (domain_.clone(), owner_id.clone(), id.clone());
            async move {
                let account = accounts::load(tx, &owner_id, &id).await?;
                let now = tx.now().await?;
                refuse(&account, now)?;
                limit(tx, &account, domain.settings.sync_now_per_minute, now).await?;
                turns::queue(tx, &account).await
            }
            .boxed()
        })
        .await?;
    let job = jobs::answer_of(&domain.store, &job_id).await?;
    let counts = job.and_then(|job| serde_json::from_str(&job.payload).ok());
    Ok(counts.unwrap_or_default())
}

fn refuse(row: &account_rows::Model, now: Millis) -> Result<()> {
    if row.state == AccountState::Paused {
        return Err(Error::rejected(
            Reason::AccountPaused,
            "the account is paused; look at why, then call ResumeAccount",
        )
        .with("account_id", &row.id)
        .with("pause_reason", row.pause_reason.clone().unwrap_or_default()));
    }
    if let Some(until) = row.quiet_until.filter(|until| *until > now) {
        let message = "the site asked to be left alone for a while";
        return Err(Error::rejected(Reason::ChallengeRateLimit, message)
            .with("available_time", rfc3339(until))
            .retry_after(until - now));
    }
    accounts::require_session(&Account::from(row.clone()), now)
}

/// Refuses more readings in a minute than the setting says.
async fn limit(tx: &Tx, account: &account_rows::Model, most: i64, now: Millis) -> Result<()> {
    let mut progress = turns::progress(tx, account).await?;
    let mut asked: Vec<Millis> = serde_json::from_str(&progress.asked)?;
    asked.retain(|time| *time > now - MINUTE);
    if i64::try_from(asked.len()).is_ok_and(|asked| asked >= most) {
        let free = asked.first().map_or(now, |oldest| oldest + MINUTE);
        let message = format!("{most} readings a minute may be asked for, and so many were");
        return Err(Error::rejected(Reason::RateLimited, message)
            .with("limit", "sync_now_per_minute")
            .with("available_time", rfc3339(free))
            .retry_after(free - now));
    }
    asked.push(now);
    progress.asked = serde_json::to_string(&asked)?;
    work::put(tx, progress).await
}

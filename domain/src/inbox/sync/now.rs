//! `SyncNow`: reads an account's inbox at a caller's request; the caller waits for the result.

use futures::FutureExt;

use super::turns;
use super::work::{self, Counts};
use crate::accounts::{self, Account, AccountState};
use crate::clock::{Millis, rfc3339};
use crate::identity::Caller;
use crate::jobs;
use crate::store::Tx;
use crate::store::entities::accounts as account_rows;
use crate::{Context, Error, Reason, Result};

const MINUTE: Millis = 60_000;

/// Reads an account's inbox now, or joins a reading in progress. Waits for the result until the caller's deadline.
///
/// # Errors
/// ACCOUNT_PAUSED, RATE_LIMITED, SESSION_REQUIRED, SESSION_INVALID. If the reading was not complete, its reason:
/// SITE_UNAVAILABLE, SITE_RESPONSE_UNEXPECTED or a reason that begins with CHALLENGE.
pub async fn sync_now(context: &Context, caller: &Caller, account_id: &str) -> Result<Counts> {
    let (context_, workspace_id, id) = (
        context.clone(),
        caller.workspace_id.clone(),
        account_id.to_owned(),
    );
    let job_id = context
        .store
        .write(move |tx| {
            let (context, workspace_id, id) = (context_.clone(), workspace_id.clone(), id.clone());
            async move {
                let account = accounts::load(tx, &workspace_id, &id).await?;
                let now = tx.now().await?;
                refuse(&account, now)?;
                limit(tx, &account, context.settings.sync.now_per_minute, now).await?;
                turns::queue(tx, &account).await
            }
            .boxed()
        })
        .await?;
    let job = jobs::answer_of(&context.store, &job_id).await?;
    let counts = job.and_then(|job| serde_json::from_str(&job.payload).ok());
    Ok(counts.unwrap_or_default())
}

fn refuse(row: &account_rows::Model, now: Millis) -> Result<()> {
    if row.state == AccountState::Paused {
        return Err(Error::rejected(
            Reason::AccountPaused,
            "the account is paused; check its pause reason, then call ResumeAccount",
        )
        .with("account_id", &row.id)
        .with("pause_reason", row.pause_reason.clone().unwrap_or_default()));
    }
    if let Some(until) = row.cooldown_until.filter(|until| *until > now) {
        let message = "the site reported too many requests; wait until the cooldown ends";
        return Err(Error::rejected(Reason::ChallengeRateLimit, message)
            .with("available_time", rfc3339(until))
            .retry_after(until - now));
    }
    accounts::require_session(&Account::from(row.clone()), now)
}

/// Fails with RATE_LIMITED if callers requested `most` readings within the last minute; otherwise counts this one.
async fn limit(tx: &Tx, account: &account_rows::Model, most: i64, now: Millis) -> Result<()> {
    let mut progress = turns::progress(tx, account).await?;
    let mut asked: Vec<Millis> = serde_json::from_str(&progress.asked)?;
    asked.retain(|time| *time > now - MINUTE);
    if i64::try_from(asked.len()).is_ok_and(|asked| asked >= most) {
        let free = asked.first().map_or(now, |oldest| oldest + MINUTE);
        let message = format!("at most {most} readings per minute can be requested");
        return Err(Error::rejected(Reason::RateLimited, message)
            .with("limit", "sync_now_per_minute")
            .with("available_time", rfc3339(free))
            .retry_after(free - now));
    }
    asked.push(now);
    progress.asked = serde_json::to_string(&asked)?;
    work::put(tx, progress).await
}

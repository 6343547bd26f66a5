//! `CheckSession`, and recording that the site accepted a session.

use futures::FutureExt;
use vintedbot_marketplace::Member;

use super::{locked_account, locked_row, save_quietly};
use crate::accounts::account::load;
use crate::accounts::{Account, AccountState, SessionSlot, SessionState};
use crate::identity::Caller;
use crate::jobs::{self, Answer, Claim, NewJob, Outcome};
use crate::store::entities::sessions;
use crate::{Context, Error, Reason, Result};

/// Checks on the site that the account's session still works. Waits for the result until the caller drops the future. A
/// session that is already INVALID is not checked again.
///
/// # Errors
/// SESSION_REQUIRED, ACCOUNT_PAUSED, SITE_UNAVAILABLE or a reason that begins with CHALLENGE.
pub async fn check_session(context: &Context, caller: &Caller, account_id: &str) -> Result<Account> {
    let account = crate::accounts::get(context, caller, account_id).await?;
    let session = account.session.as_ref().ok_or_else(|| {
        let message = format!("account {account_id} has no session on {}", account.site);
        Error::rejected(Reason::SessionRequired, message).with("account_id", account_id)
    })?;
    if session.state == SessionState::Invalid {
        return Ok(account);
    }
    let (workspace_id, id) = (caller.workspace_id.clone(), account_id.to_owned());
    let job_id = context
        .store
        .write(move |tx| {
            let (workspace_id, id) = (workspace_id.clone(), id.clone());
            async move {
                let row = load(tx, &workspace_id, &id).await?;
                if row.state == AccountState::Paused {
                    return Err(Error::rejected(
                        Reason::AccountPaused,
                        "the account is paused; check why, then call ResumeAccount",
                    )
                    .with("account_id", &row.id)
                    .with("pause_reason", row.pause_reason.unwrap_or_default()));
                }
                let new = NewJob {
                    kind: jobs::Kind::CheckSession,
                    workspace_id: Some(workspace_id),
                    account_id: Some(row.id.clone()),
                    subject_id: row.id.clone(),
                    due_time: tx.now().await?,
                    unique_key: Some(format!("check-session:{}:{}", row.id, row.site)),
                };
                jobs::enqueue(tx, new).await
            }
            .boxed()
        })
        .await?;
    jobs::answer_of(&context.store, &job_id).await?;
    crate::accounts::get(context, caller, account_id).await
}

/// Stores the result of a check for its waiting callers, and ends its job.
pub async fn settle_check(context: &Context, claim: &Claim, answer: Answer) -> Result<()> {
    let (claim, backoff) = (claim.clone(), context.settings.backoff());
    context
        .store
        .write(move |tx| {
            let (claim, answer) = (claim.clone(), answer.clone());
            async move {
                claim.require_held(tx).await?;
                jobs::answer(tx, &claim.job.id, &answer).await?;
                claim.finish(tx, &Outcome::Done, &backoff).await
            }
            .boxed()
        })
        .await
}

/// Records the time at which the site accepted the account's session as this member's. Emits no event. Does nothing if
/// the session is not active or belongs to another member.
pub async fn checked(context: &Context, account_id: &str, site: &str, member: &Member) -> Result<()> {
    let (account_id, site, member) = (account_id.to_owned(), site.to_owned(), member.clone());
    context
        .store
        .write(move |tx| {
            let (account_id, site, member) = (account_id.clone(), site.clone(), member.clone());
            async move {
                let Some(account) = locked_account(tx, &account_id).await? else {
                    return Ok(());
                };
                let row = locked_row(tx, &account_id, &site, SessionSlot::Current).await?;
                let Some(row) = row.filter(|row| row.state == SessionState::Active) else {
                    return Ok(());
                };
                if row.member_id.as_deref() != Some(member.id.as_str()) {
                    return Ok(());
                }
                let row = sessions::Model {
                    check_time: Some(tx.now().await?),
                    ..row
                };
                save_quietly(tx, account, row).await
            }
            .boxed()
        })
        .await
}

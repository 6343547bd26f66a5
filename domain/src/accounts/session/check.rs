//! `CheckSession`, and what every answer of the site to a session says of it.

use futures::FutureExt;
use vintedbot_marketplace::Member;

use super::{locked_account, locked_row, save_quietly};
use crate::accounts::account::load;
use crate::accounts::{Account, AccountState, SessionSlot, SessionState};
use crate::identity::Caller;
use crate::jobs::{self, Answer, Claim, NewJob, Outcome};
use crate::store::entities::sessions;
use crate::{Domain, Error, Reason, Result};

/// Asks the site who is logged in with the account's session, and waits for the answer: as long as the caller does. One
/// that is known to be of no use is not asked about.
///
/// # Errors
/// SESSION_REQUIRED, ACCOUNT_PAUSED, SITE_UNAVAILABLE or a reason that begins with CHALLENGE.
pub async fn check_session(domain: &Domain, caller: &Caller, account_id: &str) -> Result<Account> {
    let account = crate::accounts::get(domain, caller, account_id).await?;
    let session = account.session.as_ref().ok_or_else(|| {
        let message = format!("account {account_id} has no session on {}", account.site);
        Error::rejected(Reason::SessionRequired, message).with("account_id", account_id)
    })?;
    if session.state == SessionState::Invalid {
        return Ok(account);
    }
    let (owner_id, id) = (caller.owner_id.clone(), account_id.to_owned());
    let job_id = domain
        .store
        .write(move |tx| {
            let (owner_id, id) = (owner_id.clone(), id.clone());
            async move {
                let row = load(tx, &owner_id, &id).await?;
                if row.state == AccountState::Paused {
                    return Err(Error::rejected(
                        Reason::AccountPaused,
                        "the account is paused; look at why, then call ResumeAccount",
                    )
                    .with("account_id", &row.id)
                    .with("pause_reason", row.pause_reason.unwrap_or_default()));
                }
                let new = NewJob {
                    kind: jobs::Kind::CheckSession,
                    owner_id: Some(owner_id),
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
    jobs::answer_of(&domain.store, &job_id).await?;
    crate::accounts::get(domain, caller, account_id).await
}

/// Answers whoever waits for a check, and ends its job.
pub async fn settle_check(domain: &Domain, claim: &Claim, answer: Answer) -> Result<()> {
    let (claim, back_off) = (claim.clone(), domain.settings.back_off());
    domain
        .store
        .write(move |tx| {
            let (claim, answer) = (claim.clone(), answer.clone());
            async move {
                claim.require_held(tx).await?;
                jobs::answer(tx, &claim.job.id, &answer).await?;
                claim.finish(tx, &Outcome::Done, &back_off).await
            }
            .boxed()
        })
        .await
}

/// Writes down that the site answered to the account's session as to that member. How fresh that is, is no event.
pub async fn checked(domain: &Domain, account_id: &str, site: &str, member: &Member) -> Result<()> {
    let (account_id, site, member) = (account_id.to_owned(), site.to_owned(), member.clone());
    domain
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

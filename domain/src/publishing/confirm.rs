//! `ConfirmPublish`: consumes the confirm token by moving the job on, or checks what a real call would meet.

use futures::FutureExt;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::job::{load_owned, save};
use super::{EffectKind, EffectState, JobKind, PublishJob, State, budget, revision, token};
use crate::accounts::AccountState;
use crate::clock::rfc3339;
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::jobs;
use crate::keys::sha256_hex;
use crate::listings::{Listing, ListingState};
use crate::store::Tx;
use crate::store::entities::{accounts, effects, listings, publish_jobs};
use crate::{Domain, Error, Reason, Result, requests};

/// What is confirmed, and with which proof.
#[derive(Clone, Debug)]
pub struct Confirm {
    pub job_id: String,
    pub token: String,
    pub dry_run: bool,
    pub request_id: Option<String>,
}

/// One of the checks that a real confirmation has to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckKind {
    Token,
    JobState,
    Revision,
    Account,
    NoOpenEffect,
    RateLimit,
}

/// How a check went; a refusal is what a real call would be answered with.
#[derive(Debug)]
pub struct Check {
    pub kind: CheckKind,
    pub refusal: Option<Error>,
}

/// The answer to a confirmation.
#[derive(Debug)]
pub struct Confirmed {
    pub job: PublishJob,
    /// Every check, in order; of a real confirmation all have passed.
    pub checks: Vec<Check>,
}

const METHOD: &str = "ConfirmPublish";

/// Confirms a prepared job. With `dry_run` it makes every check, consumes nothing and opens no browser. The same
/// `request_id` gets the same answer again.
pub async fn confirm(domain: &Domain, caller: &Caller, confirm: Confirm) -> Result<Confirmed> {
    let (domain_, owner_id) = (domain.clone(), caller.owner_id.clone());
    domain
        .store
        .write(move |tx| {
            let (domain, owner_id, confirm) = (domain_.clone(), owner_id.clone(), confirm.clone());
            async move { run(tx, &domain, &owner_id, &confirm).await }.boxed()
        })
        .await
}

async fn run(tx: &Tx, domain: &Domain, owner_id: &str, confirm: &Confirm) -> Result<Confirmed> {
    // The gate locks the account first, then the job; so does everybody.
    let unlocked = publish_jobs::Entity::find_by_id(&confirm.job_id).one(tx).await?;
    let unlocked = unlocked.filter(|row| row.owner_id == owner_id);
    let unlocked = unlocked.ok_or_else(|| Error::not_found("publish job", &confirm.job_id))?;
    let account = tx
        .locked(accounts::Entity::find_by_id(&unlocked.account_id))
        .one(tx)
        .await?;
    let account = account.ok_or_else(|| Error::not_found("account", &unlocked.account_id))?;
    let row = load_owned(tx, owner_id, &confirm.job_id).await?;
    let now = tx.now().await?;

    let request_id = confirm.request_id.as_deref().filter(|_| !confirm.dry_run);
    let parameters = (&confirm.job_id, sha256_hex(&confirm.token));
    if requests::check(tx, owner_id, request_id, METHOD, &parameters)
        .await?
        .is_some()
    {
        return Ok(Confirmed {
            job: row.into(),
            checks: Vec::new(),
        });
    }
    let listing = tx
        .locked(listings::Entity::find_by_id(&row.listing_id))
        .one(tx)
        .await?;
    let mut checks = Vec::new();
    let mut check = |kind, result: Result<()>| {
        checks.push(Check {
            kind,
            refusal: result.err(),
        })
    };
    check(
        CheckKind::Token,
        token::check(&domain.keys, &confirm.token, &row).and_then(|()| unexpired(&row, now)),
    );
    check(CheckKind::JobState, awaits_confirmation(&row));
    check(CheckKind::Revision, is_unedited(&row, listing.as_ref()));
    check(CheckKind::Account, may_act(&row, &account));
    if row.kind == JobKind::Publish {
        check(CheckKind::NoOpenEffect, no_open_effect(tx, &account).await?);
        let free = budget::next_confirmation(tx, &domain.settings, &account, now).await?;
        let free = free.max(budget::next_intent(tx, &domain.settings, &account, now).await?);
        check(
            CheckKind::RateLimit,
            free.map_or(Ok(()), |free| Err(rate_limited(free, now, "publish_per_minute"))),
        );
    } else {
        // Changes of a listing come one after the other, since it has one job at a time.
        check(CheckKind::NoOpenEffect, Ok(()));
        let free = budget::next_change(tx, &domain.settings, &account, now).await?;
        check(
            CheckKind::RateLimit,
            free.map_or(Ok(()), |free| {
                Err(rate_limited(free, now, "changes_per_minute_account"))
            }),
        );
    }

    if confirm.dry_run {
        return Ok(Confirmed {
            job: row.into(),
            checks,
        });
    }
    if let Some(failed) = checks.iter_mut().find_map(|check| check.refusal.take()) {
        return Err(failed);
    }
    let listing = listing.ok_or_else(|| Error::not_found("listing", &row.listing_id))?;
    let job = consume(tx, row, now).await?;
    requests::remember(tx, owner_id, request_id, METHOD, &parameters, &job.id).await?;
    if job.kind == JobKind::Publish {
        set_listing_publishing(tx, listing, now).await?;
    }
    Ok(Confirmed { job, checks })
}

/// The compare-and-set that consumes the token: the row is locked and its state has been checked.
async fn consume(tx: &Tx, row: publish_jobs::Model, now: i64) -> Result<PublishJob> {
    let row = publish_jobs::Model {
        state: State::Confirmed,
        confirm_time: Some(now),
        wait_reason: None,
        wait_until: None,
        ..row
    };
    let work = super::work_of(tx, &row.id).await?;
    jobs::requeue(tx, &work, now).await?;
    save(tx, row, Kind::PublishJobConfirmed).await
}

async fn set_listing_publishing(tx: &Tx, mut listing: listings::Model, now: i64) -> Result<()> {
    listing.state = ListingState::Publishing;
    listing.update_time = now;
    listing.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(
        Kind::ListingUpdated,
        &Listing::from(listing),
    )?);
    Ok(())
}

fn unexpired(row: &publish_jobs::Model, now: i64) -> Result<()> {
    match row.confirm_expire_time {
        Some(time) if row.confirm_time.is_none() && time <= now => {
            let message = "the confirm token has expired; prepare again";
            Err(Error::rejected(Reason::ConfirmationExpired, message).with("expire_time", rfc3339(time)))
        }
        _ => Ok(()),
    }
}

fn awaits_confirmation(row: &publish_jobs::Model) -> Result<()> {
    if row.state == State::AwaitingConfirmation {
        return Ok(());
    }
    if row.confirm_time.is_some() {
        return Err(
            Error::rejected(Reason::ConfirmationUsed, "this confirmation was used already")
                .with("publish_job_id", &row.id),
        );
    }
    let message = format!("the job is {:?}, and not waiting for a confirmation", row.state);
    Err(Error::rejected(Reason::JobState, message)
        .with("publish_job_id", &row.id)
        .with("state", super::state_name(row.state)))
}

fn is_unedited(row: &publish_jobs::Model, listing: Option<&listings::Model>) -> Result<()> {
    match listing {
        Some(listing) if revision::listing_hash(listing)? == row.listing_hash => Ok(()),
        _ => Err(Error::rejected(
            Reason::ConfirmationStale,
            "the listing was edited since it was prepared; cancel this job and prepare again",
        )
        .with("publish_job_id", &row.id)),
    }
}

fn may_act(row: &publish_jobs::Model, account: &accounts::Model) -> Result<()> {
    if account.delete_time.is_some() || account.site != row.site {
        return Err(Error::rejected(
            Reason::ModeChanged,
            "the account's mode was changed since the job was prepared",
        ));
    }
    if account.state == AccountState::Paused {
        return Err(Error::rejected(
            Reason::AccountPaused,
            "the account is paused; look at why, then call ResumeAccount",
        )
        .with("account_id", &account.id)
        .with("pause_reason", account.pause_reason.clone().unwrap_or_default()));
    }
    Ok(())
}

async fn no_open_effect(tx: &Tx, account: &accounts::Model) -> Result<Result<()>> {
    let open = effects::Entity::find()
        .filter(effects::Column::AccountId.eq(account.id.as_str()))
        .filter(effects::Column::Kind.eq(EffectKind::Publish))
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]))
        .one(tx)
        .await?;
    Ok(match open {
        None => Ok(()),
        Some(effect) => Err(Error::rejected(
            Reason::OutcomeUnknown,
            "another publication of this account is still undecided; it comes first",
        )
        .with("publish_job_id", effect.publish_job_id)),
    })
}

fn rate_limited(free: i64, now: i64, limit: &str) -> Error {
    let wait = free - now;
    let message = format!(
        "too much in a minute; the next is possible in {} s",
        (wait + 999) / 1000
    );
    Error::rejected(Reason::RateLimited, message)
        .with("limit", limit)
        .with("available_time", rfc3339(free))
        .retry_after(wait)
}

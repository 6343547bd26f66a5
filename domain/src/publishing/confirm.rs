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

impl Check {
    fn of(kind: CheckKind, result: Result<()>) -> Self {
        Self {
            kind,
            refusal: result.err(),
        }
    }
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
    let request_id = confirm.request_id.as_deref().filter(|_| !confirm.dry_run);
    let parameters = (&confirm.job_id, sha256_hex(&confirm.token));
    let known = requests::check(tx, owner_id, request_id, METHOD, &parameters).await?;
    // The gate locks the account first, then the job; so does everybody.
    let account = super::lock_account_of(tx, owner_id, &confirm.job_id).await?;
    let row = load_owned(tx, owner_id, &confirm.job_id).await?;
    let now = tx.now().await?;
    if known.is_some() {
        return Ok(Confirmed {
            job: row.into(),
            checks: Vec::new(),
        });
    }
    not_handed_over(&row)?;
    let listing = tx
        .locked(listings::Entity::find_by_id(&row.listing_id))
        .one(tx)
        .await?;
    let mut checks = of_consent(domain, &confirm.token, &row, listing.as_ref(), &account, now);
    let mut check = |kind, result: Result<()>| checks.push(Check::of(kind, result));
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
    let job = consume(tx, row, now, None).await?;
    requests::remember(tx, owner_id, request_id, METHOD, &parameters, &job.id).await?;
    if job.kind == JobKind::Publish {
        set_listing_state(tx, listing, ListingState::Publishing, now).await?;
    }
    Ok(Confirmed { job, checks })
}

/// What makes a confirmation one: a genuine token of a job that awaits it, for what the listing still is, on an account
/// that may act.
pub(super) fn of_consent(
    domain: &Domain,
    token: &str,
    row: &publish_jobs::Model,
    listing: Option<&listings::Model>,
    account: &accounts::Model,
    now: i64,
) -> Vec<Check> {
    let genuine = token::check(&domain.keys, token, row).and_then(|()| unexpired(row, now));
    vec![
        Check::of(CheckKind::Token, genuine),
        Check::of(CheckKind::JobState, awaits_confirmation(row)),
        Check::of(CheckKind::Revision, is_unedited(row, listing)),
        Check::of(CheckKind::Account, may_act(row, account)),
    ]
}

/// The compare-and-set that consumes the token: the row is locked and its state has been checked. With a time, the job
/// waits for that.
pub(super) async fn consume(
    tx: &Tx,
    row: publish_jobs::Model,
    now: i64,
    schedule_time: Option<i64>,
) -> Result<PublishJob> {
    let (state, kind) = match schedule_time {
        None => (State::Confirmed, Kind::PublishJobConfirmed),
        Some(_) => (State::Scheduled, Kind::PublishJobScheduled),
    };
    let row = publish_jobs::Model {
        state,
        confirm_time: Some(now),
        schedule_time,
        reason: None,
        message: None,
        wait_reason: None,
        wait_until: None,
        ..row
    };
    let work = super::work_of(tx, &row.id).await?;
    jobs::requeue(tx, &work, schedule_time.unwrap_or(now)).await?;
    save(tx, row, kind).await
}

/// What a person at the window does there is not to be confirmed here.
pub(super) fn not_handed_over(row: &publish_jobs::Model) -> Result<()> {
    if row.state == State::HandedOver {
        return Err(Error::rejected(
            Reason::HandedOver,
            "the filled window is in the person's own hands, who publishes there",
        )
        .with("publish_job_id", &row.id));
    }
    Ok(())
}

pub(super) async fn set_listing_state(
    tx: &Tx,
    mut listing: listings::Model,
    state: ListingState,
    now: i64,
) -> Result<()> {
    listing.state = state;
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
    if row.state == State::Cancelled {
        return Err(Error::rejected(Reason::JobState, "the job was cancelled")
            .with("publish_job_id", &row.id)
            .with("state", super::state_name(row.state)));
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

pub(super) fn is_unedited(row: &publish_jobs::Model, listing: Option<&listings::Model>) -> Result<()> {
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
        .filter(effects::Column::Kind.is_in(EffectKind::PUBLISHES))
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]))
        .one(tx)
        .await?;
    Ok(match open {
        None => Ok(()),
        Some(effect) => Err(Error::rejected(
            Reason::OutcomeUnknown,
            "another publication of this account is still undecided; it comes first",
        )
        .with("publish_job_id", effect.subject_id)),
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

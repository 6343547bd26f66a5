//! `ConfirmPublish`: consumes the confirm token and confirms the job, or with `dry_run` only runs the checks.

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
use crate::{Context, Error, Reason, Result, requests};

/// The parameters of a confirmation.
#[derive(Clone, Debug)]
pub struct Confirm {
    pub job_id: String,
    pub token: String,
    pub dry_run: bool,
    pub request_id: Option<String>,
}

/// A check of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckKind {
    Token,
    JobState,
    Revision,
    Account,
    NoOpenEffect,
    RateLimit,
}

/// The result of a check. `refusal` is the error that a real confirmation would return; absent if the check passed.
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

/// The result of a confirmation.
#[derive(Debug)]
pub struct Confirmed {
    pub job: PublishJob,
    /// All checks, in order. In a real confirmation, all have passed. Empty for a repeated call.
    pub checks: Vec<Check>,
}

const METHOD: &str = "ConfirmPublish";

/// Confirms a prepared job. With `dry_run`, all checks run, nothing is consumed, and no browser is opened. A repeated
/// call with the same `request_id` returns the job.
///
/// # Errors
/// The refusal of the first check that failed; MANUAL_TAKEOVER if the person has the window of the job.
pub async fn confirm(context: &Context, caller: &Caller, confirm: Confirm) -> Result<Confirmed> {
    let (context_, workspace_id) = (context.clone(), caller.workspace_id.clone());
    context
        .store
        .write(move |tx| {
            let (context, workspace_id, confirm) = (context_.clone(), workspace_id.clone(), confirm.clone());
            async move { run(tx, &context, &workspace_id, &confirm).await }.boxed()
        })
        .await
}

async fn run(tx: &Tx, context: &Context, workspace_id: &str, confirm: &Confirm) -> Result<Confirmed> {
    let request_id = confirm.request_id.as_deref().filter(|_| !confirm.dry_run);
    let parameters = (&confirm.job_id, sha256_hex(&confirm.token));
    let known = requests::check(tx, workspace_id, request_id, METHOD, &parameters).await?;
    // The lock order is account, then job, as in the commit of an intent.
    let account = super::lock_account_of(tx, workspace_id, &confirm.job_id).await?;
    let row = load_owned(tx, workspace_id, &confirm.job_id).await?;
    let now = tx.now().await?;
    if known.is_some() {
        return Ok(Confirmed {
            job: row.into(),
            checks: Vec::new(),
        });
    }
    refuse_manual_takeover(&row)?;
    let listing = tx
        .locked(listings::Entity::find_by_id(&row.listing_id))
        .one(tx)
        .await?;
    let mut checks = consent_checks(context, &confirm.token, &row, listing.as_ref(), &account, now);
    let mut check = |kind, result: Result<()>| checks.push(Check::of(kind, result));
    if row.kind == JobKind::Publish {
        check(CheckKind::NoOpenEffect, no_open_effect(tx, &account).await?);
        let free = budget::next_confirmation(tx, &context.settings, &account, now).await?;
        let free = free.max(budget::next_intent(tx, &context.settings, &account, now).await?);
        check(
            CheckKind::RateLimit,
            free.map_or(Ok(()), |free| Err(rate_limited(free, now, "publish_per_minute"))),
        );
    } else {
        // A listing has at most one open job, so that its changes cannot overlap.
        check(CheckKind::NoOpenEffect, Ok(()));
        let free = budget::next_change(tx, &context.settings, &account, now).await?;
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
    requests::remember(tx, workspace_id, request_id, METHOD, &parameters, &job.id).await?;
    if job.kind == JobKind::Publish {
        set_listing_state(tx, listing, ListingState::Publishing, now).await?;
    }
    Ok(Confirmed { job, checks })
}

/// Runs the checks of consent: the token is genuine and has not expired, the job awaits confirmation, the listing was
/// not edited, and the account may act.
pub(super) fn consent_checks(
    context: &Context,
    token: &str,
    row: &publish_jobs::Model,
    listing: Option<&listings::Model>,
    account: &accounts::Model,
    now: i64,
) -> Vec<Check> {
    let genuine = token::check(&context.keys, token, row).and_then(|()| unexpired(row, now));
    vec![
        Check::of(CheckKind::Token, genuine),
        Check::of(CheckKind::JobState, awaits_confirmation(row)),
        Check::of(CheckKind::Revision, is_unedited(row, listing)),
        Check::of(CheckKind::Account, may_act(row, account)),
    ]
}

/// Consumes the token by moving the job to CONFIRMED, or to SCHEDULED if a time is given. The caller has locked the row
/// and checked its state, so that this is a compare-and-set.
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

/// Refuses a job in manual takeover with MANUAL_TAKEOVER, because the person publishes in the window.
pub(super) fn refuse_manual_takeover(row: &publish_jobs::Model) -> Result<()> {
    if row.state == State::ManualTakeover {
        return Err(Error::rejected(
            Reason::ManualTakeover,
            "the job is in manual takeover; publish in the open browser window",
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
        return Err(Error::rejected(Reason::JobStateInvalid, "the job was cancelled")
            .with("publish_job_id", &row.id)
            .with("state", super::state_name(row.state)));
    }
    if row.confirm_time.is_some() {
        return Err(
            Error::rejected(Reason::ConfirmationUsed, "this confirmation was already used")
                .with("publish_job_id", &row.id),
        );
    }
    let message = format!(
        "the job is in state {} and does not await confirmation",
        super::state_name(row.state)
    );
    Err(Error::rejected(Reason::JobStateInvalid, message)
        .with("publish_job_id", &row.id)
        .with("state", super::state_name(row.state)))
}

pub(super) fn is_unedited(row: &publish_jobs::Model, listing: Option<&listings::Model>) -> Result<()> {
    match listing {
        Some(listing) if revision::listing_hash(listing)? == row.listing_hash => Ok(()),
        _ => Err(Error::rejected(
            Reason::ConfirmationStale,
            "the listing was edited after it was prepared; cancel this job and prepare again",
        )
        .with("publish_job_id", &row.id)),
    }
}

fn may_act(row: &publish_jobs::Model, account: &accounts::Model) -> Result<()> {
    if account.delete_time.is_some() || account.site != row.site {
        return Err(Error::rejected(
            Reason::ModeChanged,
            "the account's mode was changed after the job was prepared; prepare again",
        ));
    }
    if account.state == AccountState::Paused {
        return Err(Error::rejected(
            Reason::AccountPaused,
            "the account is paused; check why, then call ResumeAccount",
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
            "another publication of this account is still in doubt; wait for its outcome, or resolve it",
        )
        .with("publish_job_id", effect.subject_id)),
    })
}

fn rate_limited(free: i64, now: i64, limit: &str) -> Error {
    let wait = free - now;
    let message = format!(
        "the rate limit per minute is reached; try again in {} s",
        (wait + 999) / 1000
    );
    Error::rejected(Reason::RateLimited, message)
        .with("limit", limit)
        .with("available_time", rfc3339(free))
        .retry_after(wait)
}

//! Beginning an attempt: decides in one transaction what a claimed publish job needs now.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_marketplace::{AccountContext, AccountLockToken};

use super::job::{load, save, wait};
use super::outcome::{Ended, end_in};
use super::{
    EffectKind, EffectState, FormSessionState, JobKind, Revision, State, WaitReason, budget, intent,
    open_effect, schedule,
};
use crate::accounts::{self, Account, AccountLock, AccountState};
use crate::clock::Millis;
use crate::events::Kind;
use crate::jobs::{Claim, Outcome};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, effects, listing_form_sessions, publish_jobs};
use crate::{Context, Error, Reason, Result};

/// The maximum wait before the account lock of another job is tried again.
const BUSY_POLL: Millis = 1_000;

/// The input of an attempt. An attempt reads nothing else about the listing.
#[derive(Clone, Debug)]
pub struct Work {
    pub job_id: String,
    pub dry_run: bool,
    pub revision: Revision,
    pub revision_hash: String,
    pub draft_remote_id: Option<String>,
    /// Whether the filled window stays open for the person.
    pub manual_takeover: bool,
    pub account_context: AccountContext,
    pub lock: AccountLock,
}

/// The plan of an attempt.
#[derive(Clone, Debug)]
pub enum Plan {
    /// There is nothing to do now, and the claim is already released.
    Nothing,
    /// Fill the form and show it for review.
    Prepare(Work),
    /// Publish the confirmed revision.
    Publish(Work),
    /// Determine the outcome of an open effect.
    Reconcile(Work, Box<effects::Model>),
    /// The job has ended: end the form sessions that a dead attempt left open, then [`release`] the claim with this
    /// outcome.
    Cleanup(Outcome),
}

/// Decides what a claimed job needs. A job with an open effect is only reconciled and never run, and not before the
/// holder of the effect can no longer act.
pub async fn begin(context: &Context, claim: &Claim) -> Result<Plan> {
    let (context_, claim) = (context.clone(), claim.clone());
    context
        .store
        .write(move |tx| {
            let (context, claim) = (context_.clone(), claim.clone());
            async move {
                match decide(tx, &context, &claim).await? {
                    Ok(plan) => Ok(plan),
                    Err(outcome @ (Outcome::Done | Outcome::Dead { .. }))
                        if has_open_form_session(tx, &claim).await? =>
                    {
                        Ok(Plan::Cleanup(outcome))
                    }
                    Err(outcome) => {
                        claim.finish(tx, &outcome, &context.settings.backoff()).await?;
                        Ok(Plan::Nothing)
                    }
                }
            }
            .boxed()
        })
        .await
}

/// Returns whether the claimed job has an open form session. An ended job is not claimed again, so its browser would
/// otherwise never be ended.
async fn has_open_form_session(tx: &Tx, claim: &Claim) -> Result<bool> {
    let job_id = claim.job.subject_id.as_deref().unwrap_or_default();
    let open = listing_form_sessions::Entity::find()
        .filter(listing_form_sessions::Column::PublishJobId.eq(job_id))
        .filter(listing_form_sessions::Column::State.eq(FormSessionState::Open));
    Ok(open.one(tx).await?.is_some())
}

/// Releases the claim of an ended job after its form sessions have ended.
pub async fn release(context: &Context, claim: &Claim, outcome: Outcome) -> Result<()> {
    let (claim, backoff) = (claim.clone(), context.settings.backoff());
    context
        .store
        .write(move |tx| {
            let (claim, outcome) = (claim.clone(), outcome.clone());
            async move { claim.finish(tx, &outcome, &backoff).await }.boxed()
        })
        .await
}

async fn decide(tx: &Tx, context: &Context, claim: &Claim) -> Result<std::result::Result<Plan, Outcome>> {
    let account_id = claim.job.account_id.clone().unwrap_or_default();
    let account = tx
        .locked(account_rows::Entity::find_by_id(&account_id))
        .one(tx)
        .await?;
    let account = account.ok_or_else(|| Error::not_found("account", &account_id))?;
    claim.require_live(tx).await?;
    let job_id = claim.job.subject_id.clone().unwrap_or_default();
    let mut row = load(tx, &job_id).await?;
    let now = tx.now().await?;
    if row.state.has_ended() {
        return Ok(Err(Outcome::Done));
    }
    if row.requires_action {
        return Ok(Err(Outcome::Wait));
    }
    let mut effect = open_effect(tx, &job_id).await?;
    if crate::failpoints::disables("intent")
        && let Some(forgotten) = effect.take()
    {
        row = forget(tx, row, forgotten).await?;
    }
    if let Some(effect) = &effect
        && effect.state == EffectState::Intended
        && now < effect.reconcile_after
        // The window of a manual takeover is closed first; its settling window begins then.
        && effect.kind != EffectKind::ManualTakeover
    {
        wait(tx, &row, Some(WaitReason::Settling), Some(effect.reconcile_after)).await?;
        return Ok(Err(Outcome::At(effect.reconcile_after)));
    }
    if account.state == AccountState::Paused {
        wait(tx, &row, Some(WaitReason::AccountPaused), None).await?;
        return Ok(Err(Outcome::Wait));
    }
    if effect.is_none() && !row.cancel_requested {
        row = match schedule::activate_if_due(tx, context, &account, row, now).await? {
            Ok(row) => row,
            Err(outcome) => return Ok(Err(outcome)),
        };
    }
    if effect.is_none()
        && let Some(outcome) = obstacle(tx, context, claim, &row, &account, now).await?
    {
        return Ok(Err(outcome));
    }
    if let Some(until) = account.cooldown_until.filter(|until| *until > now) {
        wait(tx, &row, Some(WaitReason::RateLimit), Some(until)).await?;
        return Ok(Err(Outcome::At(until)));
    }
    let lock =
        match accounts::acquire_lock(tx, &account_id, &claim.job.id, context.settings.jobs.lease_ms).await? {
            Ok(lock) => lock,
            Err(until) => {
                let at = until.min(now + BUSY_POLL);
                wait(tx, &row, Some(WaitReason::AccountBusy), Some(at)).await?;
                return Ok(Err(Outcome::At(at)));
            }
        };
    let revision = Revision::decode(&row.revision, &row.revision_hash)?;
    let work = Work {
        job_id,
        dry_run: row.dry_run,
        revision,
        revision_hash: row.revision_hash.clone(),
        draft_remote_id: row.draft_remote_id.clone(),
        manual_takeover: row.manual_takeover,
        // The job's own site: its effects are read there, even if the account has moved to another site since.
        account_context: AccountContext {
            site: row.site.clone(),
            lock: Some(AccountLockToken {
                holder: lock.holder.clone(),
                epoch: lock.epoch,
            }),
            ..accounts::account_context(&Account::from(account))
        },
        lock,
    };
    row.wait_reason = None;
    row.wait_until = None;
    // The previous reason to stop no longer applies.
    row.reason = None;
    row.message = None;
    Ok(Ok(match effect {
        Some(effect) => Plan::Reconcile(work, Box::new(effect)),
        None if row.confirm_time.is_some() => {
            row.publish_attempts += 1;
            save(tx, row, Kind::PublishJobUpdated).await?;
            Plan::Publish(work)
        }
        None => {
            row.state = State::Preparing;
            row.prepare_attempts += 1;
            save(tx, row, Kind::PublishJobUpdated).await?;
            Plan::Prepare(work)
        }
    }))
}

/// Returns the outcome that prevents a job without an open effect from running now. `None`: it may run.
async fn obstacle(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    row: &publish_jobs::Model,
    account: &account_rows::Model,
    now: Millis,
) -> Result<Option<Outcome>> {
    if row.cancel_requested {
        let reason = row
            .reason
            .as_deref()
            .and_then(Reason::from_name)
            .unwrap_or(Reason::CancelledByPerson);
        end_in(
            tx,
            row.clone(),
            Ended::Cancelled {
                reason,
                message: "the job was cancelled",
            },
        )
        .await?;
        return Ok(Some(Outcome::Done));
    }
    if claim.job.claims > context.settings.jobs.max_claims {
        let message = format!(
            "given up after {} attempts that ended with their worker",
            claim.job.claims - 1
        );
        let ended = Ended::Failed {
            reason: Reason::AttemptsExhausted,
            message: message.clone(),
        };
        end_in(tx, row.clone(), ended).await?;
        return Ok(Some(Outcome::Dead { error: message }));
    }
    match row.state {
        State::AwaitingConfirmation => {
            let expire = row.confirm_expire_time.unwrap_or(now);
            if now < expire {
                return Ok(Some(Outcome::At(expire)));
            }
            end_in(tx, row.clone(), Ended::Expired).await?;
            Ok(Some(Outcome::Done))
        }
        State::Confirmed => match next_intent(tx, context, row, account, now).await? {
            Some(free) => {
                wait(tx, row, Some(WaitReason::RateLimit), Some(free)).await?;
                Ok(Some(Outcome::At(free)))
            }
            None if row.kind == JobKind::Publish => wait_for_effect_in_doubt(tx, context, row, now).await,
            None => Ok(None),
        },
        State::Queued if row.manual_takeover => wait_for_effect_in_doubt(tx, context, row, now).await,
        _ => Ok(None),
    }
}

/// Postpones a job while another publication of the account is in doubt, because its intent would be denied.
async fn wait_for_effect_in_doubt(
    tx: &Tx,
    context: &Context,
    row: &publish_jobs::Model,
    now: Millis,
) -> Result<Option<Outcome>> {
    if !intent::in_doubt_elsewhere(tx, &row.account_id).await? {
        return Ok(None);
    }
    let until = now + context.settings.effects.settle_poll_ms;
    wait(tx, row, Some(WaitReason::AccountBusy), Some(until)).await?;
    Ok(Some(Outcome::At(until)))
}

/// Returns when the budget allows the job's effect. `None`: now.
async fn next_intent(
    tx: &Tx,
    context: &Context,
    row: &publish_jobs::Model,
    account: &account_rows::Model,
    now: Millis,
) -> Result<Option<Millis>> {
    match row.kind {
        JobKind::Publish => budget::next_intent(tx, &context.settings, account, now).await,
        _ => budget::next_change(tx, &context.settings, account, now).await,
    }
}

/// Disables the intent rule for the failpoint `intent`: the job forgets an effect that may have happened.
async fn forget(
    tx: &Tx,
    mut row: publish_jobs::Model,
    effect: effects::Model,
) -> Result<publish_jobs::Model> {
    super::outcome::settle(tx, effect, EffectState::NotDone, None, "forgotten").await?;
    row.draft_remote_id = None;
    if row.state == State::Publishing || row.state == State::Unconfirmed {
        row.state = State::Confirmed;
    }
    Ok(row)
}

/// Renews the leases of the claim and the account lock during an attempt. Returns false if one of them is lost; the
/// attempt must then stop.
pub async fn renew_lease(context: &Context, claim: &Claim, lock: &AccountLock) -> Result<bool> {
    let lease_ms = context.settings.jobs.lease_ms;
    if !claim.renew(&context.store, lease_ms).await? {
        return Ok(false);
    }
    let lock = lock.clone();
    context
        .store
        .write(move |tx| {
            let lock = lock.clone();
            async move { lock.renew(tx, lease_ms).await }.boxed()
        })
        .await
}

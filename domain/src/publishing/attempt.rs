//! Beginning an attempt: what a claimed publish job needs done now, decided in one transaction.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_marketplace::{Seat, SeatLock};

use super::job::{load, save, wait};
use super::outcome::{Ended, end_in};
use super::{
    ComposerState, EffectKind, EffectState, JobKind, Revision, State, WaitReason, budget, gate, open_effect,
    schedule,
};
use crate::accounts::{self, Account, AccountLock, AccountState};
use crate::clock::Millis;
use crate::events::Kind;
use crate::jobs::{Claim, Outcome};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, composers, effects, publish_jobs};
use crate::{Domain, Error, Reason, Result};

/// How long to wait for an account that another job holds, at most.
const BUSY_POLL: Millis = 1_000;

/// Everything that an attempt works from. It reads nothing else about the listing.
#[derive(Clone, Debug)]
pub struct Work {
    pub job_id: String,
    pub dry_run: bool,
    pub revision: Revision,
    pub revision_hash: String,
    pub draft_remote_id: Option<String>,
    /// Whether the filled window goes to the person.
    pub hand_over: bool,
    pub seat: Seat,
    pub lock: AccountLock,
}

/// What an attempt is for.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Nothing now: the claim was let go of already.
    Nothing,
    /// Fill the form and show it.
    Prepare(Work),
    /// Publish what was confirmed.
    Publish(Work),
    /// Find out what became of an effect.
    Reconcile(Work, Box<effects::Model>),
    /// It is over; what an attempt left running when it died is to be ended, and then this written down.
    Tidy(Outcome),
}

/// Decides what a claimed job needs. An open effect comes first: such a job is never run, only reconciled, and not before
/// its holder can no longer act.
pub async fn begin(domain: &Domain, claim: &Claim) -> Result<Plan> {
    let (domain_, claim) = (domain.clone(), claim.clone());
    domain
        .store
        .write(move |tx| {
            let (domain, claim) = (domain_.clone(), claim.clone());
            async move {
                match decide(tx, &domain, &claim).await? {
                    Ok(plan) => Ok(plan),
                    Err(outcome @ (Outcome::Done | Outcome::Dead { .. }))
                        if leaves_composers(tx, &claim).await? =>
                    {
                        Ok(Plan::Tidy(outcome))
                    }
                    Err(outcome) => {
                        claim.finish(tx, &outcome, &domain.settings.back_off()).await?;
                        Ok(Plan::Nothing)
                    }
                }
            }
            .boxed()
        })
        .await
}

/// Whether an attempt at the claimed job is not known to have ended. Nobody comes by a job again that is over, so that its
/// browser would run for ever.
async fn leaves_composers(tx: &Tx, claim: &Claim) -> Result<bool> {
    let job_id = claim.job.subject_id.as_deref().unwrap_or_default();
    let open = composers::Entity::find()
        .filter(composers::Column::PublishJobId.eq(job_id))
        .filter(composers::Column::State.eq(ComposerState::Open));
    Ok(open.one(tx).await?.is_some())
}

/// Lets go of a job that is over, once everything that belonged to it has ended.
pub async fn let_go(domain: &Domain, claim: &Claim, outcome: Outcome) -> Result<()> {
    let (claim, back_off) = (claim.clone(), domain.settings.back_off());
    domain
        .store
        .write(move |tx| {
            let (claim, outcome) = (claim.clone(), outcome.clone());
            async move { claim.finish(tx, &outcome, &back_off).await }.boxed()
        })
        .await
}

async fn decide(tx: &Tx, domain: &Domain, claim: &Claim) -> Result<std::result::Result<Plan, Outcome>> {
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
    if row.needs_manual {
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
        // A window whose holder is gone is closed first, and counts from then.
        && effect.kind != EffectKind::HandOver
    {
        wait(tx, &row, Some(WaitReason::Settling), Some(effect.reconcile_after)).await?;
        return Ok(Err(Outcome::At(effect.reconcile_after)));
    }
    if account.state == AccountState::Paused {
        wait(tx, &row, Some(WaitReason::AccountPaused), None).await?;
        return Ok(Err(Outcome::Wait));
    }
    if effect.is_none() && !row.cancel_requested {
        row = match schedule::arrive(tx, domain, &account, row, now).await? {
            Ok(row) => row,
            Err(outcome) => return Ok(Err(outcome)),
        };
    }
    if effect.is_none()
        && let Some(outcome) = without_effect(tx, domain, claim, &row, &account, now).await?
    {
        return Ok(Err(outcome));
    }
    if let Some(until) = account.quiet_until.filter(|until| *until > now) {
        wait(tx, &row, Some(WaitReason::RateLimit), Some(until)).await?;
        return Ok(Err(Outcome::At(until)));
    }
    let lock = match accounts::acquire_lock(tx, &account_id, &claim.job.id, domain.settings.lease_ms).await? {
        Ok(lock) => lock,
        Err(until) => {
            let at = until.min(now + BUSY_POLL);
            wait(tx, &row, Some(WaitReason::AccountBusy), Some(at)).await?;
            return Ok(Err(Outcome::At(at)));
        }
    };
    let revision = Revision::thaw(&row.revision, &row.revision_hash)?;
    let work = Work {
        job_id,
        dry_run: row.dry_run,
        revision,
        revision_hash: row.revision_hash.clone(),
        draft_remote_id: row.draft_remote_id.clone(),
        hand_over: row.hand_over,
        // Where the job was made for: what it left there is read there, wherever the account has moved since.
        seat: Seat {
            site: row.site.clone(),
            lock: Some(SeatLock {
                holder: lock.holder.clone(),
                epoch: lock.epoch,
            }),
            ..accounts::seat(&Account::from(account))
        },
        lock,
    };
    row.wait_reason = None;
    row.wait_until = None;
    // What kept it from going on before is over.
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

/// What keeps a job without an open effect from being run now, if anything.
async fn without_effect(
    tx: &Tx,
    domain: &Domain,
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
                message: "cancelled",
            },
        )
        .await?;
        return Ok(Some(Outcome::Done));
    }
    if claim.job.claims > domain.settings.max_claims {
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
        State::Confirmed => match next_intent(tx, domain, row, account, now).await? {
            Some(free) => {
                wait(tx, row, Some(WaitReason::RateLimit), Some(free)).await?;
                Ok(Some(Outcome::At(free)))
            }
            None if row.kind == JobKind::Publish => other_first(tx, domain, row, now).await,
            None => Ok(None),
        },
        State::Queued if row.hand_over => other_first(tx, domain, row, now).await,
        _ => Ok(None),
    }
}

/// Another publication of the account that is undecided comes first: no form is filled in vain meanwhile.
async fn other_first(
    tx: &Tx,
    domain: &Domain,
    row: &publish_jobs::Model,
    now: Millis,
) -> Result<Option<Outcome>> {
    if !gate::undecided_elsewhere(tx, &row.account_id).await? {
        return Ok(None);
    }
    let until = now + domain.settings.settle_poll_ms;
    wait(tx, row, Some(WaitReason::AccountBusy), Some(until)).await?;
    Ok(Some(Outcome::At(until)))
}

/// When the budget allows what a job is for, if not now.
async fn next_intent(
    tx: &Tx,
    domain: &Domain,
    row: &publish_jobs::Model,
    account: &account_rows::Model,
    now: Millis,
) -> Result<Option<Millis>> {
    match row.kind {
        JobKind::Publish => budget::next_intent(tx, &domain.settings, account, now).await,
        _ => budget::next_change(tx, &domain.settings, account, now).await,
    }
}

/// What the rule of the intent keeps from happening: a job that forgets what it may have done.
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

/// Keeps the claim and the account while an attempt is at work. `false`: one of them is lost, and it has to stop.
pub async fn keep(domain: &Domain, claim: &Claim, lock: &AccountLock) -> Result<bool> {
    let lease_ms = domain.settings.lease_ms;
    if !claim.renew(&domain.store, lease_ms).await? {
        return Ok(false);
    }
    let lock = lock.clone();
    domain
        .store
        .write(move |tx| {
            let lock = lock.clone();
            async move { lock.renew(tx, lease_ms).await }.boxed()
        })
        .await
}

//! What follows an attempt at a publish job.

use futures::FutureExt;
use sea_orm::EntityTrait;
use vintedbot_marketplace::FieldReading;
use vintedbot_marketplace::challenge::AccountAction;

use super::effect::set_effect;
use super::ended::{Ended, end_in};
use crate::accounts::{self, AccountLock};
use crate::clock::Millis;
use crate::events::Kind;
use crate::jobs::{Claim, Outcome};
use crate::keys::sha256_hex;
use crate::publishing::job::{load, save, wait};
use crate::publishing::{EffectState, State, WaitReason, open_effect, schedule};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, effects, publish_jobs};
use crate::{Context, Reason, Result};

/// What follows an attempt.
#[derive(Clone, Debug)]
pub enum FollowUp {
    /// The form contained the revision; a person has to review and confirm it.
    Prepared {
        read_back: Vec<FieldReading>,
        screenshot_key: Option<String>,
    },
    /// A challenge stopped the attempt. If an effect is open, it is in doubt, and the job is not BLOCKED.
    Blocked {
        reason: Reason,
        message: String,
        account: AccountAction,
    },
    /// The site reported too many requests; the account is in a cooldown until this time.
    Cooldown { until: Millis },
    /// The job cannot succeed.
    Failed { reason: Reason, message: String },
    /// The failure is transient.
    Retry { reason: Reason, message: String },
    /// The job continues at this time.
    Later { until: Millis, why: WaitReason },
    /// A person has to report the outcome of the effect.
    Ask { reason: Reason, message: String },
    /// The attempt stopped because cancellation was requested.
    Cancelled,
    /// A drain hands the job back. No intent was committed.
    HandedBack,
    /// The job's row already has the resulting state.
    NoChange,
}

/// Releases the claim and the account lock, and applies what follows to the job. If the claim was lost, the job is not
/// changed, because its new holder decides.
pub async fn conclude(
    context: &Context,
    claim: &Claim,
    lock: Option<&AccountLock>,
    next: FollowUp,
) -> Result<()> {
    let (context_, claim, lock) = (context.clone(), claim.clone(), lock.cloned());
    context
        .store
        .write(move |tx| {
            let (context, claim, lock, next) = (context_.clone(), claim.clone(), lock.clone(), next.clone());
            async move {
                lock_account(tx, &claim).await?;
                if let Some(lock) = lock {
                    lock.release(tx).await?;
                }
                if claim.require_held(tx).await.is_err() {
                    return Ok(());
                }
                let job_id = claim.job.subject_id.clone().unwrap_or_default();
                let row = load(tx, &job_id).await?;
                let outcome = apply(tx, &context, &claim, row, next).await?;
                claim.finish(tx, &outcome, &context.settings.backoff()).await
            }
            .boxed()
        })
        .await
}

async fn lock_account(tx: &Tx, claim: &Claim) -> Result<()> {
    let account_id = claim.job.account_id.clone().unwrap_or_default();
    tx.locked(account_rows::Entity::find_by_id(account_id))
        .one(tx)
        .await?;
    Ok(())
}

async fn apply(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    mut row: publish_jobs::Model,
    next: FollowUp,
) -> Result<Outcome> {
    if row.state.has_ended() {
        return Ok(Outcome::Done);
    }
    let now = tx.now().await?;
    match next {
        FollowUp::Prepared {
            read_back,
            screenshot_key,
        } => {
            if row.cancel_requested {
                return cancelled(tx, row).await;
            }
            let expire = now + context.settings.confirm_token_ms;
            let read_back = serde_json::to_string(&read_back)?;
            row.read_back_hash = Some(sha256_hex(&read_back));
            row.read_back = Some(read_back);
            row.screenshot_key = screenshot_key;
            row.confirm_expire_time = Some(expire);
            row.state = State::AwaitingConfirmation;
            schedule::note_if_missed(&mut row);
            row.wait_reason = None;
            row.wait_until = None;
            save(tx, row, Kind::PublishJobReady).await?;
            Ok(Outcome::At(expire))
        }
        FollowUp::Blocked {
            reason,
            message,
            account,
        } => {
            let has_effect = open_effect(tx, &row.id).await?.is_some();
            if account == AccountAction::Continue {
                if has_effect {
                    // The page did not show the outcome of the click; the site is read again.
                    let until = now + context.settings.effects.settle_poll_ms;
                    wait(tx, &row, Some(WaitReason::Settling), Some(until)).await?;
                    return Ok(Outcome::At(until));
                }
            } else {
                accounts::pause(tx, &row.account_id, reason, &message, Some(&row.id)).await?;
            }
            row.requires_action = true;
            row.reason = Some(reason.name());
            row.message = Some(message);
            if has_effect {
                // The effect is in doubt; the site is read for its outcome after the account is resumed.
                let row = save(tx, row, Kind::PublishJobUpdated).await?;
                wait_paused(tx, &row.id).await?;
                return Ok(Outcome::Wait);
            }
            row.state = State::Blocked;
            save(tx, row, Kind::PublishJobBlocked).await?;
            Ok(Outcome::Wait)
        }
        FollowUp::Failed { reason, message } => {
            if open_effect(tx, &row.id).await?.is_some() {
                // The outcome of the effect must still be determined, even if the site cannot be read.
                return ask(tx, row, reason, message).await;
            }
            end_in(tx, row, Ended::Failed { reason, message }).await?;
            Ok(Outcome::Done)
        }
        FollowUp::Retry { reason, message } => {
            if row.cancel_requested && open_effect(tx, &row.id).await?.is_none() {
                return cancelled(tx, row).await;
            }
            if claim.job.failures + 1 >= context.settings.jobs.max_failures
                && open_effect(tx, &row.id).await?.is_none()
            {
                let message = format!("given up after {} failures: {message}", claim.job.failures + 1);
                end_in(
                    tx,
                    row,
                    Ended::Failed {
                        reason,
                        message: message.clone(),
                    },
                )
                .await?;
                return Ok(Outcome::Dead { error: message });
            }
            if open_effect(tx, &row.id).await?.is_some() {
                // A job with an open effect is retried until the site can be read or a person reports the outcome.
                let until = now
                    + context
                        .settings
                        .jobs
                        .backoff_ms
                        .max(context.settings.effects.settle_poll_ms);
                wait(tx, &row, Some(WaitReason::Settling), Some(until)).await?;
                return Ok(Outcome::At(until));
            }
            let until = now + context.settings.backoff().pause(claim.job.failures + 1);
            if row.state == State::Preparing {
                row.state = State::Queued;
            }
            row.reason = Some(reason.name());
            row.message = Some(message.clone());
            save(tx, row.clone(), Kind::PublishJobUpdated).await?;
            wait(tx, &row, Some(WaitReason::Backoff), Some(until)).await?;
            Ok(Outcome::Retry { error: message })
        }
        FollowUp::Later { until, why } => {
            let row = start_over(tx, row).await?;
            wait(tx, &row, Some(why), Some(until)).await?;
            Ok(Outcome::At(until))
        }
        FollowUp::Cooldown { until } => {
            accounts::start_cooldown(tx, &row.account_id, until).await?;
            let row = start_over(tx, row).await?;
            wait(tx, &row, Some(WaitReason::RateLimit), Some(until)).await?;
            Ok(Outcome::At(until))
        }
        FollowUp::Ask { reason, message } => ask(tx, row, reason, message).await,
        FollowUp::Cancelled => cancelled(tx, row).await,
        FollowUp::HandedBack => {
            start_over(tx, row).await?;
            Ok(Outcome::HandBack)
        }
        FollowUp::NoChange => Ok(if row.requires_action {
            Outcome::Wait
        } else {
            Outcome::At(now)
        }),
    }
}

/// Moves a job in state PREPARING back to QUEUED. Any other job keeps its state.
async fn start_over(tx: &Tx, mut row: publish_jobs::Model) -> Result<publish_jobs::Model> {
    if row.state == State::Preparing {
        row.state = State::Queued;
        let sequence = row.sequence;
        save(tx, row.clone(), Kind::PublishJobUpdated).await?;
        row.sequence = sequence;
    }
    Ok(row)
}

async fn cancelled(tx: &Tx, row: publish_jobs::Model) -> Result<Outcome> {
    let reason = row
        .reason
        .as_deref()
        .and_then(Reason::from_name)
        .unwrap_or(Reason::CancelledByPerson);
    end_in(
        tx,
        row,
        Ended::Cancelled {
            reason,
            message: "the job was cancelled",
        },
    )
    .await?;
    Ok(Outcome::Done)
}

async fn wait_paused(tx: &Tx, job_id: &str) -> Result<()> {
    let row = load(tx, job_id).await?;
    wait(tx, &row, Some(WaitReason::AccountPaused), None).await
}

/// Puts the job in doubt until a person reports the outcome of its effect.
async fn ask(tx: &Tx, mut row: publish_jobs::Model, reason: Reason, message: String) -> Result<Outcome> {
    row.state = State::Unconfirmed;
    row.requires_action = true;
    row.reason = Some(reason.name());
    row.message = Some(message);
    row.wait_reason = None;
    row.wait_until = None;
    if let Some(effect) = open_effect(tx, &row.id).await? {
        set_effect(
            tx,
            effects::Model {
                state: EffectState::Unconfirmed,
                ..effect
            },
        )
        .await?;
    }
    save(tx, row, Kind::PublishJobUnconfirmed).await?;
    Ok(Outcome::Wait)
}

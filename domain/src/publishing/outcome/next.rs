//! What follows for a job from an attempt at it.

use futures::FutureExt;
use sea_orm::EntityTrait;
use vintedbot_marketplace::FieldReading;
use vintedbot_marketplace::challenge::AccountFollows;

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
use crate::{Domain, Reason, Result};

/// What follows for a job from an attempt at it.
#[derive(Clone, Debug)]
pub enum Next {
    /// The form held what was approved; a person is to look.
    Prepared {
        read_back: Vec<FieldReading>,
        screenshot_key: Option<String>,
    },
    /// A challenge stopped it. With an effect open, its outcome is in doubt instead.
    Blocked {
        reason: Reason,
        message: String,
        account: AccountFollows,
    },
    /// The site asked to be left alone until that time.
    Quiet { until: Millis },
    /// It cannot succeed as it is.
    Failed { reason: Reason, message: String },
    /// It may succeed later.
    Again { reason: Reason, message: String },
    /// It goes on at that time.
    Later { until: Millis, why: WaitReason },
    /// The person who is asked has to answer.
    Ask { reason: Reason, message: String },
    /// It was to be cancelled.
    Cancelled,
    /// A drain takes it back before it has done anything that lasts.
    HandedBack,
    /// It has ended, or waits, as the row says.
    AsItIs,
}

/// Lets go of the claim and of the account, and moves the job on. When the claim was lost nothing is written: its new
/// holder decides.
pub async fn conclude(domain: &Domain, claim: &Claim, lock: Option<&AccountLock>, next: Next) -> Result<()> {
    let (domain_, claim, lock) = (domain.clone(), claim.clone(), lock.cloned());
    domain
        .store
        .write(move |tx| {
            let (domain, claim, lock, next) = (domain_.clone(), claim.clone(), lock.clone(), next.clone());
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
                let outcome = apply(tx, &domain, &claim, row, next).await?;
                claim.finish(tx, &outcome, &domain.settings.back_off()).await
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
    domain: &Domain,
    claim: &Claim,
    mut row: publish_jobs::Model,
    next: Next,
) -> Result<Outcome> {
    if row.state.has_ended() {
        return Ok(Outcome::Done);
    }
    let now = tx.now().await?;
    match next {
        Next::Prepared {
            read_back,
            screenshot_key,
        } => {
            if row.cancel_requested {
                return cancelled(tx, row).await;
            }
            let expire = now + domain.settings.confirm_token_ms;
            let read_back = serde_json::to_string(&read_back)?;
            row.read_back_hash = Some(sha256_hex(&read_back));
            row.read_back = Some(read_back);
            row.screenshot_key = screenshot_key;
            row.confirm_expire_time = Some(expire);
            row.state = State::AwaitingConfirmation;
            schedule::say_if_missed(&mut row);
            row.wait_reason = None;
            row.wait_until = None;
            save(tx, row, Kind::PublishJobReady).await?;
            Ok(Outcome::At(expire))
        }
        Next::Blocked {
            reason,
            message,
            account,
        } => {
            let has_effect = open_effect(tx, &row.id).await?.is_some();
            if account == AccountFollows::GoesOn {
                if has_effect {
                    // The page said nothing about the click; the site is read again for it.
                    let until = now + domain.settings.settle_poll_ms;
                    wait(tx, &row, Some(WaitReason::Settling), Some(until)).await?;
                    return Ok(Outcome::At(until));
                }
            } else {
                accounts::pause(tx, &row.account_id, reason, &message, Some(&row.id)).await?;
            }
            row.needs_manual = true;
            row.reason = Some(reason.name());
            row.message = Some(message);
            if has_effect {
                // Its outcome is in doubt; once the account is resumed, the site is read for it.
                let row = save(tx, row, Kind::PublishJobUpdated).await?;
                wait_paused(tx, &row.id).await?;
                return Ok(Outcome::Wait);
            }
            row.state = State::Blocked;
            save(tx, row, Kind::PublishJobBlocked).await?;
            Ok(Outcome::Wait)
        }
        Next::Failed { reason, message } => {
            if open_effect(tx, &row.id).await?.is_some() {
                // Whatever keeps the site from being read, what became of the click is still to be found out.
                return ask(tx, row, reason, message).await;
            }
            end_in(tx, row, Ended::Failed { reason, message }).await?;
            Ok(Outcome::Done)
        }
        Next::Again { reason, message } => {
            if row.cancel_requested && open_effect(tx, &row.id).await?.is_none() {
                return cancelled(tx, row).await;
            }
            if claim.job.failures + 1 >= domain.settings.max_failures
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
                // Never given up: it ends when the site can be read, or when a person says.
                let until = now + domain.settings.back_off_ms.max(domain.settings.settle_poll_ms);
                wait(tx, &row, Some(WaitReason::Settling), Some(until)).await?;
                return Ok(Outcome::At(until));
            }
            let until = now + domain.settings.back_off().pause(claim.job.failures + 1);
            if row.state == State::Preparing {
                row.state = State::Queued;
            }
            row.reason = Some(reason.name());
            row.message = Some(message.clone());
            save(tx, row.clone(), Kind::PublishJobUpdated).await?;
            wait(tx, &row, Some(WaitReason::BackOff), Some(until)).await?;
            Ok(Outcome::Retry { error: message })
        }
        Next::Later { until, why } => {
            let row = start_over(tx, row).await?;
            wait(tx, &row, Some(why), Some(until)).await?;
            Ok(Outcome::At(until))
        }
        Next::Quiet { until } => {
            accounts::keep_quiet(tx, &row.account_id, until).await?;
            let row = start_over(tx, row).await?;
            wait(tx, &row, Some(WaitReason::RateLimit), Some(until)).await?;
            Ok(Outcome::At(until))
        }
        Next::Ask { reason, message } => ask(tx, row, reason, message).await,
        Next::Cancelled => cancelled(tx, row).await,
        Next::HandedBack => {
            start_over(tx, row).await?;
            Ok(Outcome::HandBack)
        }
        Next::AsItIs => Ok(if row.needs_manual {
            Outcome::Wait
        } else {
            Outcome::At(now)
        }),
    }
}

/// A job that was being prepared is to be prepared again; any other stays where it is.
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
            message: "cancelled",
        },
    )
    .await?;
    Ok(Outcome::Done)
}

async fn wait_paused(tx: &Tx, job_id: &str) -> Result<()> {
    let row = load(tx, job_id).await?;
    wait(tx, &row, Some(WaitReason::AccountPaused), None).await
}

/// Only a person can say what became of the click.
async fn ask(tx: &Tx, mut row: publish_jobs::Model, reason: Reason, message: String) -> Result<Outcome> {
    row.state = State::Unconfirmed;
    row.needs_manual = true;
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

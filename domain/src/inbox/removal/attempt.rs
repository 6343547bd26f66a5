//! The worker's part of a thread removal: the decision on a claimed job, the intent, and the outcome.

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use vintedbot_marketplace::AccountContext;
use vintedbot_marketplace::challenge::AccountAction;

use super::{RemovalState, content_hash, load, set};
use crate::accounts::{self, Account, AccountState};
use crate::clock::Millis;
use crate::inbox::claimed::{self, Intended};
use crate::inbox::replies::attempt::next_intent;
use crate::inbox::replies::outcome::{FollowUp, settle};
use crate::inbox::replies::{lock_account, may_act_on, open_effect};
use crate::jobs::{Claim, Outcome};
use crate::publishing::intent::Intent;
use crate::publishing::{EffectKind, EffectState};
use crate::store::Tx;
use crate::store::entities::{effects, threads};
use crate::{Context, Reason, Result};

/// The data of one attempt.
#[derive(Clone, Debug)]
pub struct Work {
    pub thread_id: String,
    pub account_id: String,
    pub conversation_id: String,
    pub account_context: AccountContext,
}

/// The purpose of an attempt.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Nothing to do now; the claim is already released.
    Nothing,
    Remove(Work),
    /// Determine the outcome of an open effect.
    Look(Work, Box<effects::Model>),
}

/// The outcome of a removal's effect.
#[derive(Clone, Debug)]
pub enum RemovalOutcome {
    Removed,
    /// The site did not remove the conversation. The removal returns to its state before the intent.
    NotRemoved {
        note: String,
    },
    /// The outcome is not known. `held`: the process that sent the request may still act.
    Unconfirmed {
        held: bool,
        note: String,
    },
}

/// Decides on the work of a claimed removal job. An open effect is handled first, and only when its sender can no
/// longer act.
pub async fn begin(context: &Context, claim: &Claim) -> Result<Plan> {
    let plan = claimed::decide(context, claim, |tx, context, claim| {
        decide(tx, context, claim).boxed()
    })
    .await?;
    Ok(plan.unwrap_or(Plan::Nothing))
}

async fn decide(tx: &Tx, context: &Context, claim: &Claim) -> Result<std::result::Result<Plan, Outcome>> {
    let account = lock_account(tx, claim.job.account_id.as_deref().unwrap_or_default()).await?;
    claim.require_live(tx).await?;
    let Some(row) = load(tx, claim.job.subject_id.as_deref().unwrap_or_default()).await? else {
        return Ok(Err(Outcome::Done));
    };
    let now = tx.now().await?;
    if !row.removal_state.is_some_and(RemovalState::is_open) {
        return Ok(Err(Outcome::Done));
    }
    let effect = open_effect(tx, &row.id).await?;
    if let Some(effect) = &effect
        && effect.state == EffectState::Intended
        && now < effect.reconcile_after
    {
        return Ok(Err(Outcome::At(effect.reconcile_after)));
    }
    if account.state == AccountState::Paused {
        return Ok(Err(Outcome::Wait));
    }
    if let Some(until) = account.cooldown_until.filter(|until| *until > now) {
        return Ok(Err(Outcome::At(until)));
    }
    if effect.is_none() {
        if may_act_on(&row.site, &account).is_err() {
            let why = (Reason::ModeChanged, "the account's mode has changed");
            set(tx, row, RemovalState::Failed, Some(why)).await?;
            return Ok(Err(Outcome::Done));
        }
        if claim.job.claims > context.settings.jobs.max_claims {
            let message = "gave up: too many attempts ended with their worker";
            let why = (Reason::AttemptsExhausted, message);
            set(tx, row, RemovalState::Failed, Some(why)).await?;
            return Ok(Err(Outcome::Dead {
                error: message.to_owned(),
            }));
        }
        if let Some(time) = next_intent(tx, &context.settings, &account.id, now).await? {
            return Ok(Err(Outcome::At(time)));
        }
    }
    let work = Work {
        conversation_id: row.remote_id,
        account_id: row.account_id,
        thread_id: row.id,
        // The site for which the removal was confirmed, even if the account has moved to another site since.
        account_context: AccountContext {
            site: row.site,
            ..accounts::account_context(&Account::from(account))
        },
    };
    Ok(Ok(match effect {
        Some(effect) => Plan::Look(work, Box::new(effect)),
        None => Plan::Remove(work),
    }))
}

/// Commits an intent. The conversation must have been read and stored directly before. `None`: the claim was lost, or
/// the account was paused or moved, or the thread has changed since the person confirmed. The last case ends the
/// removal.
pub async fn intend(context: &Context, claim: &Claim, work: &Work) -> Result<Option<Intent>> {
    let deadline = context.clock.since_boot() + context.settings.effects.click_window_ms;
    let (context_, claim, work) = (context.clone(), claim.clone(), work.clone());
    let committed = context
        .store
        .write(move |tx| {
            let (context, claim, work) = (context_.clone(), claim.clone(), work.clone());
            async move { commit(tx, &context, &claim, &work).await }.boxed()
        })
        .await?;
    Ok(committed.map(|effect_id| Intent::new(effect_id, deadline)))
}

async fn commit(tx: &Tx, context: &Context, claim: &Claim, work: &Work) -> Result<Option<String>> {
    let account = lock_account(tx, &work.account_id).await?;
    let Some(row) = load(tx, &work.thread_id).await? else {
        return Ok(None);
    };
    let now = tx.now().await?;
    let is_permitted = claim.require_live(tx).await.is_ok()
        && row.removal_state == Some(RemovalState::Queued)
        && may_act_on(&row.site, &account).is_ok()
        && account.cooldown_until.is_none_or(|until| until <= now)
        && open_effect(tx, &row.id).await?.is_none();
    if !is_permitted {
        return Ok(None);
    }
    if row.removal_hash.as_deref() != Some(content_hash(tx, &row).await?.as_str()) {
        let message = "the thread has changed since its removal was confirmed; review it and prepare again";
        let why = (Reason::ConfirmationStale, message);
        set(tx, row, RemovalState::Failed, Some(why)).await?;
        return Ok(None);
    }
    let intended = Intended {
        kind: EffectKind::ThreadRemoval,
        workspace_id: &row.workspace_id,
        account_id: &row.account_id,
        site: &row.site,
        subject_id: &row.id,
        conversation_id: &work.conversation_id,
        known_remote_ids: "[]".to_owned(),
    };
    let id = claimed::insert(tx, context, claim, intended).await?;
    set(tx, row, RemovalState::Removing, None).await?;
    Ok(Some(id))
}

/// Records the outcome of an effect. Does nothing if the effect is already settled.
pub async fn became(context: &Context, work: &Work, effect_id: &str, became: RemovalOutcome) -> Result<()> {
    let effect_id = effect_id.to_owned();
    on_thread(context, &work.account_id, &work.thread_id, move |tx, row| {
        let (effect_id, became) = (effect_id.clone(), became.clone());
        async move {
            let effect = open_effect(tx, &row.id).await?;
            let Some(effect) = effect.filter(|effect| effect.id == effect_id) else {
                return Ok(());
            };
            match became {
                RemovalOutcome::Removed => {
                    settle(
                        tx,
                        effect,
                        EffectState::Done,
                        None,
                        "the site no longer shows the conversation",
                    )
                    .await?;
                    set(tx, row, RemovalState::Removed, None).await.map(drop)
                }
                RemovalOutcome::NotRemoved { note } => {
                    settle(tx, effect, EffectState::NotDone, None, &note).await?;
                    set(tx, row, RemovalState::Queued, None).await.map(drop)
                }
                RemovalOutcome::Unconfirmed { held, note } => {
                    let effect = effects::Model {
                        state: EffectState::Unconfirmed,
                        form_session_id: if held {
                            effect.form_session_id
                        } else {
                            String::new()
                        },
                        note: Some(note),
                        ..effect
                    };
                    effect.into_active_model().reset_all().update(tx).await?;
                    set(tx, row, RemovalState::Unconfirmed, None).await.map(drop)
                }
            }
        }
        .boxed()
    })
    .await
}

/// Records that the site no longer shows the conversation although no removal was sent. Ends a queued removal as
/// REMOVED.
pub async fn is_gone(context: &Context, work: &Work) -> Result<()> {
    on_thread(context, &work.account_id, &work.thread_id, |tx, row| {
        async move {
            if row.removal_state == Some(RemovalState::Queued) {
                set(tx, row, RemovalState::Removed, None).await?;
            }
            Ok(())
        }
        .boxed()
    })
    .await
}

/// Records that the site still shows the conversation after the settling window. The removal has failed, and a person
/// may prepare it again.
pub async fn still_there(context: &Context, work: &Work, effect_id: &str) -> Result<()> {
    let effect_id = effect_id.to_owned();
    on_thread(context, &work.account_id, &work.thread_id, move |tx, row| {
        let effect_id = effect_id.clone();
        async move {
            let effect = open_effect(tx, &row.id).await?;
            let Some(effect) = effect.filter(|effect| effect.id == effect_id) else {
                return Ok(());
            };
            settle(
                tx,
                effect,
                EffectState::NotDone,
                None,
                "the site still shows the conversation",
            )
            .await?;
            let why = (
                Reason::OutcomeUnknown,
                "the site was asked to remove the conversation and still shows it",
            );
            set(tx, row, RemovalState::Failed, Some(why)).await.map(drop)
        }
        .boxed()
    })
    .await
}

/// Locks the account and then the thread, and runs `then` on the thread. Does nothing if the thread no longer exists.
async fn on_thread<F>(context: &Context, account_id: &str, thread_id: &str, then: F) -> Result<()>
where
    F: for<'a> Fn(&'a Tx, threads::Model) -> BoxFuture<'a, Result<()>> + Clone + Send + Sync + 'static,
{
    let (account_id, thread_id) = (account_id.to_owned(), thread_id.to_owned());
    context
        .store
        .write(move |tx| {
            let (account_id, thread_id, then) = (account_id.clone(), thread_id.clone(), then.clone());
            async move {
                lock_account(tx, &account_id).await?;
                match load(tx, &thread_id).await? {
                    Some(row) => then(tx, row).await,
                    None => Ok(()),
                }
            }
            .boxed()
        })
        .await
}

/// Applies the result of an attempt and releases the claim. If the claim was lost, writes nothing, because the new
/// holder decides.
pub async fn conclude(context: &Context, claim: &Claim, next: FollowUp) -> Result<()> {
    claimed::conclude(context, claim, next, |tx, context, claim, next| {
        async move {
            match load(tx, claim.job.subject_id.as_deref().unwrap_or_default()).await? {
                Some(row) => apply(tx, context, claim, row, next).await,
                None => Ok(Outcome::Done),
            }
        }
        .boxed()
    })
    .await
}

async fn apply(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    row: threads::Model,
    next: FollowUp,
) -> Result<Outcome> {
    if !row.removal_state.is_some_and(RemovalState::is_open) {
        return Ok(Outcome::Done);
    }
    let now = tx.now().await?;
    let in_doubt = open_effect(tx, &row.id).await?.is_some();
    match next {
        FollowUp::NoChange => Ok(Outcome::At(now)),
        FollowUp::HandedBack => Ok(Outcome::HandBack),
        FollowUp::Later { until } => Ok(Outcome::At(until)),
        FollowUp::Cooldown { until } => {
            accounts::start_cooldown(tx, &row.account_id, until).await?;
            Ok(Outcome::At(until))
        }
        FollowUp::Blocked {
            reason,
            message,
            account,
        } => {
            if account != AccountAction::Continue {
                accounts::pause(tx, &row.account_id, reason, &message, None).await?;
                if in_doubt {
                    // After the account is resumed, reconciliation reads the outcome from the site.
                    return Ok(Outcome::Wait);
                }
            }
            ended_or_later(tx, context, row, reason, &message, in_doubt, now).await
        }
        FollowUp::Retry { reason, message } if !in_doubt => {
            if claim.job.failures + 1 < context.settings.jobs.max_failures {
                return Ok(Outcome::Retry { error: message });
            }
            set(tx, row, RemovalState::Failed, Some((reason, &message))).await?;
            Ok(Outcome::Dead { error: message })
        }
        FollowUp::Failed { reason, message }
        | FollowUp::Retry { reason, message }
        | FollowUp::Ask { reason, message } => {
            ended_or_later(tx, context, row, reason, &message, in_doubt, now).await
        }
    }
}

/// An obstacle to a later reading does not settle an effect in doubt: the job only waits. Without an effect in doubt,
/// the removal fails.
async fn ended_or_later(
    tx: &Tx,
    context: &Context,
    row: threads::Model,
    reason: Reason,
    message: &str,
    in_doubt: bool,
    now: Millis,
) -> Result<Outcome> {
    if in_doubt {
        return Ok(Outcome::At(now + context.settings.effects.settle_poll_ms));
    }
    set(tx, row, RemovalState::Failed, Some((reason, message))).await?;
    Ok(Outcome::Done)
}

//! The worker's part of a removal: what a claimed one needs, the gate before the site, and what became of it.

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use vintedbot_marketplace::Seat;
use vintedbot_marketplace::challenge::AccountFollows;

use super::{RemovalState, content_hash, load, set};
use crate::accounts::{self, Account, AccountState};
use crate::clock::Millis;
use crate::inbox::claimed::{self, Intended};
use crate::inbox::replies::attempt::next_intent;
use crate::inbox::replies::outcome::{Next, settle};
use crate::inbox::replies::{lock_account, may_act_on, open_effect};
use crate::jobs::{Claim, Outcome};
use crate::publishing::gate::Intent;
use crate::publishing::{EffectKind, EffectState};
use crate::store::Tx;
use crate::store::entities::{effects, threads};
use crate::{Domain, Reason, Result};

/// Everything that an attempt works from.
#[derive(Clone, Debug)]
pub struct Work {
    pub thread_id: String,
    pub account_id: String,
    pub conversation_id: String,
    pub seat: Seat,
}

/// What an attempt is for.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Nothing now: the claim was let go of already.
    Nothing,
    Remove(Work),
    /// Find out what became of an effect.
    Look(Work, Box<effects::Model>),
}

/// What a removal's effect came to.
#[derive(Clone, Debug)]
pub enum Became {
    Removed,
    /// The site did not do it; the removal waits as before its intent.
    NotRemoved {
        note: String,
    },
    /// Not known. `held`: its sender may still be at it.
    Unconfirmed {
        held: bool,
        note: String,
    },
}

/// Decides what a claimed removal needs. An open effect comes first, and not before its sender can no longer act.
pub async fn begin(domain: &Domain, claim: &Claim) -> Result<Plan> {
    let plan = claimed::decide(domain, claim, |tx, domain, claim| {
        decide(tx, domain, claim).boxed()
    })
    .await?;
    Ok(plan.unwrap_or(Plan::Nothing))
}

async fn decide(tx: &Tx, domain: &Domain, claim: &Claim) -> Result<std::result::Result<Plan, Outcome>> {
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
    if let Some(until) = account.quiet_until.filter(|until| *until > now) {
        return Ok(Err(Outcome::At(until)));
    }
    if effect.is_none() {
        if may_act_on(&row.site, &account).is_err() {
            let why = (Reason::ModeChanged, "the account's mode was changed");
            set(tx, row, RemovalState::Failed, Some(why)).await?;
            return Ok(Err(Outcome::Done));
        }
        if claim.job.claims > domain.settings.max_claims {
            let message = "given up after attempts that ended with their worker";
            let why = (Reason::AttemptsExhausted, message);
            set(tx, row, RemovalState::Failed, Some(why)).await?;
            return Ok(Err(Outcome::Dead {
                error: message.to_owned(),
            }));
        }
        if let Some(time) = next_intent(tx, &domain.settings, &account.id, now).await? {
            return Ok(Err(Outcome::At(time)));
        }
    }
    let work = Work {
        conversation_id: row.remote_id,
        account_id: row.account_id,
        thread_id: row.id,
        // Where it was confirmed for, wherever the account has moved since.
        seat: Seat {
            site: row.site,
            ..accounts::seat(&Account::from(account))
        },
    };
    Ok(Ok(match effect {
        Some(effect) => Plan::Look(work, Box::new(effect)),
        None => Plan::Remove(work),
    }))
}

/// Commits an intent, right after the conversation was read and stored; none: the claim was lost, the account was paused or
/// moved, or something was written in the thread that the person who confirmed had not seen, which ends it.
pub async fn intend(domain: &Domain, claim: &Claim, work: &Work) -> Result<Option<Intent>> {
    let deadline = domain.clock.since_boot() + domain.settings.click_window_ms;
    let (domain_, claim, work) = (domain.clone(), claim.clone(), work.clone());
    let committed = domain
        .store
        .write(move |tx| {
            let (domain, claim, work) = (domain_.clone(), claim.clone(), work.clone());
            async move { commit(tx, &domain, &claim, &work).await }.boxed()
        })
        .await?;
    Ok(committed.map(|effect_id| Intent::new(effect_id, deadline)))
}

async fn commit(tx: &Tx, domain: &Domain, claim: &Claim, work: &Work) -> Result<Option<String>> {
    let account = lock_account(tx, &work.account_id).await?;
    let Some(row) = load(tx, &work.thread_id).await? else {
        return Ok(None);
    };
    let now = tx.now().await?;
    let stands = claim.require_live(tx).await.is_ok()
        && row.removal_state == Some(RemovalState::Queued)
        && may_act_on(&row.site, &account).is_ok()
        && account.quiet_until.is_none_or(|until| until <= now)
        && open_effect(tx, &row.id).await?.is_none();
    if !stands {
        return Ok(None);
    }
    if row.removal_hash.as_deref() != Some(content_hash(tx, &row).await?.as_str()) {
        let message = "something was written in the thread since its removal was confirmed; look at it again";
        let why = (Reason::ConfirmationStale, message);
        set(tx, row, RemovalState::Failed, Some(why)).await?;
        return Ok(None);
    }
    let intended = Intended {
        kind: EffectKind::ThreadRemoval,
        owner_id: &row.owner_id,
        account_id: &row.account_id,
        site: &row.site,
        subject_id: &row.id,
        conversation_id: &work.conversation_id,
        known_remote_ids: "[]".to_owned(),
    };
    let id = claimed::insert(tx, domain, claim, intended).await?;
    set(tx, row, RemovalState::Removing, None).await?;
    Ok(Some(id))
}

/// Writes down what an effect came to. One that was settled meanwhile is left as it is.
pub async fn became(domain: &Domain, work: &Work, effect_id: &str, became: Became) -> Result<()> {
    let effect_id = effect_id.to_owned();
    on_thread(domain, &work.account_id, &work.thread_id, move |tx, row| {
        let (effect_id, became) = (effect_id.clone(), became.clone());
        async move {
            let effect = open_effect(tx, &row.id).await?;
            let Some(effect) = effect.filter(|effect| effect.id == effect_id) else {
                return Ok(());
            };
            match became {
                Became::Removed => {
                    settle(tx, effect, EffectState::Done, None, "it is gone").await?;
                    set(tx, row, RemovalState::Removed, None).await.map(drop)
                }
                Became::NotRemoved { note } => {
                    settle(tx, effect, EffectState::NotDone, None, &note).await?;
                    set(tx, row, RemovalState::Queued, None).await.map(drop)
                }
                Became::Unconfirmed { held, note } => {
                    let effect = effects::Model {
                        state: EffectState::Unconfirmed,
                        composer_id: if held { effect.composer_id } else { String::new() },
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

/// The site shows no such conversation any more, without having been asked to remove it.
pub async fn is_gone(domain: &Domain, work: &Work) -> Result<()> {
    on_thread(domain, &work.account_id, &work.thread_id, |tx, row| {
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

/// After the settling window the site still shows the conversation: it was not removed, and a person may try again.
pub async fn still_there(domain: &Domain, work: &Work, effect_id: &str) -> Result<()> {
    let effect_id = effect_id.to_owned();
    on_thread(domain, &work.account_id, &work.thread_id, move |tx, row| {
        let effect_id = effect_id.clone();
        async move {
            let effect = open_effect(tx, &row.id).await?;
            let Some(effect) = effect.filter(|effect| effect.id == effect_id) else {
                return Ok(());
            };
            settle(tx, effect, EffectState::NotDone, None, "the site still shows it").await?;
            let why = (
                Reason::OutcomeUnknown,
                "the site was asked, and still shows the conversation",
            );
            set(tx, row, RemovalState::Failed, Some(why)).await.map(drop)
        }
        .boxed()
    })
    .await
}

/// Runs on a thread after the locks were taken in order.
async fn on_thread<F>(domain: &Domain, account_id: &str, thread_id: &str, then: F) -> Result<()>
where
    F: for<'a> Fn(&'a Tx, threads::Model) -> BoxFuture<'a, Result<()>> + Clone + Send + Sync + 'static,
{
    let (account_id, thread_id) = (account_id.to_owned(), thread_id.to_owned());
    domain
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

/// Lets go of the claim, and moves the removal on. When the claim was lost nothing is written: its new holder decides.
pub async fn conclude(domain: &Domain, claim: &Claim, next: Next) -> Result<()> {
    claimed::conclude(domain, claim, next, |tx, domain, claim, next| {
        async move {
            match load(tx, claim.job.subject_id.as_deref().unwrap_or_default()).await? {
                Some(row) => apply(tx, domain, claim, row, next).await,
                None => Ok(Outcome::Done),
            }
        }
        .boxed()
    })
    .await
}

async fn apply(tx: &Tx, domain: &Domain, claim: &Claim, row: threads::Model, next: Next) -> Result<Outcome> {
    if !row.removal_state.is_some_and(RemovalState::is_open) {
        return Ok(Outcome::Done);
    }
    let now = tx.now().await?;
    let in_doubt = open_effect(tx, &row.id).await?.is_some();
    match next {
        Next::AsItIs => Ok(Outcome::At(now)),
        Next::HandedBack => Ok(Outcome::HandBack),
        Next::Later { until } => Ok(Outcome::At(until)),
        Next::Quiet { until } => {
            accounts::keep_quiet(tx, &row.account_id, until).await?;
            Ok(Outcome::At(until))
        }
        Next::Blocked {
            reason,
            message,
            account,
        } => {
            if account != AccountFollows::GoesOn {
                accounts::pause(tx, &row.account_id, reason, &message, None).await?;
                if in_doubt {
                    // Once the account is resumed, the site is read for what became of it.
                    return Ok(Outcome::Wait);
                }
            }
            ended_or_later(tx, domain, row, reason, &message, in_doubt, now).await
        }
        Next::Again { reason, message } if !in_doubt => {
            if claim.job.failures + 1 < domain.settings.max_failures {
                return Ok(Outcome::Retry { error: message });
            }
            set(tx, row, RemovalState::Failed, Some((reason, &message))).await?;
            Ok(Outcome::Dead { error: message })
        }
        Next::Failed { reason, message }
        | Next::Again { reason, message }
        | Next::Ask { reason, message } => {
            ended_or_later(tx, domain, row, reason, &message, in_doubt, now).await
        }
    }
}

/// Nothing of an undecided effect is settled by what a later reading met; without one it has failed.
async fn ended_or_later(
    tx: &Tx,
    domain: &Domain,
    row: threads::Model,
    reason: Reason,
    message: &str,
    in_doubt: bool,
    now: Millis,
) -> Result<Outcome> {
    if in_doubt {
        return Ok(Outcome::At(now + domain.settings.settle_poll_ms));
    }
    set(tx, row, RemovalState::Failed, Some((reason, message))).await?;
    Ok(Outcome::Done)
}

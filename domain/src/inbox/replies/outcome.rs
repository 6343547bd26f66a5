//! Records the outcome of an attempt to send a reply.

use futures::FutureExt;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};
use vintedbot_marketplace::challenge::AccountAction;

use super::{load, lock_account, open_effect, save, watch};
use crate::accounts;
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::inbox::{Message, Reply, ReplyState, claimed};
use crate::jobs::{Claim, Outcome};
use crate::publishing::{EffectKind, EffectState};
use crate::store::Tx;
use crate::store::entities::{effects, messages, replies};
use crate::{Context, Error, Reason, Result};

/// The note of an effect that the site does not show. `sent_without_trace` counts effects by this note.
pub const NO_EFFECT_OBSERVED: &str = "no effect observed on the site";

/// What an attempt means for its reply.
#[derive(Clone, Debug)]
pub enum FollowUp {
    /// A challenge stopped the attempt. If an effect is open, its outcome is in doubt instead.
    Blocked {
        reason: Reason,
        message: String,
        account: AccountAction,
    },
    /// The site reported too many requests: no requests until this time.
    Cooldown { until: Millis },
    /// The attempt failed, and a repetition would fail too.
    Failed { reason: Reason, message: String },
    /// The attempt failed; a later attempt may succeed.
    Retry { reason: Reason, message: String },
    /// Continue at this time.
    Later { until: Millis },
    /// Ask a person to settle the outcome.
    Ask { reason: Reason, message: String },
    /// A drain hands the job back; the attempt does not count.
    HandedBack,
    /// The row already says what follows: the reply has ended or waits.
    NoChange,
}

/// Applies the result of an attempt and releases the claim. If the claim was lost, writes nothing, because the new
/// holder decides.
pub async fn conclude(context: &Context, claim: &Claim, next: FollowUp) -> Result<()> {
    claimed::conclude(context, claim, next, |tx, context, claim, next| {
        async move {
            let row = load(tx, claim.job.subject_id.as_deref().unwrap_or_default()).await?;
            apply(tx, context, claim, row, next).await
        }
        .boxed()
    })
    .await
}

async fn apply(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    mut row: replies::Model,
    next: FollowUp,
) -> Result<Outcome> {
    if row.state.has_ended() {
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
        // An obstacle to a later reading does not settle an effect in doubt.
        FollowUp::Retry { .. } | FollowUp::Failed { .. } if in_doubt => {
            Ok(Outcome::At(now + context.settings.effects.settle_poll_ms))
        }
        FollowUp::Blocked {
            reason,
            message,
            account,
        } => {
            if account == AccountAction::Continue && in_doubt {
                return Ok(Outcome::At(now + context.settings.effects.settle_poll_ms));
            }
            if account != AccountAction::Continue {
                accounts::pause(tx, &row.account_id, reason, &message, None).await?;
            }
            if in_doubt {
                // After the account is resumed, reconciliation reads the outcome from the site.
                return Ok(Outcome::Wait);
            }
            row.state = ReplyState::Blocked;
            row.requires_action = true;
            row.reason = Some(reason.name());
            row.message = Some(message);
            save(tx, row, Kind::ReplyBlocked).await?;
            Ok(Outcome::Done)
        }
        FollowUp::Failed { reason, message } => {
            fail(tx, row, reason, message).await?;
            Ok(Outcome::Done)
        }
        FollowUp::Retry { reason, message } => {
            if claim.job.failures + 1 >= context.settings.jobs.max_failures {
                fail(tx, row, reason, message.clone()).await?;
                return Ok(Outcome::Dead { error: message });
            }
            row.reason = Some(reason.name());
            row.message = Some(message.clone());
            save(tx, row, Kind::ReplyUpdated).await?;
            Ok(Outcome::Retry { error: message })
        }
        FollowUp::Ask { reason, message } => {
            row.requires_action = true;
            row.reason = Some(reason.name());
            row.message = Some(message);
            save(tx, row, Kind::ReplyUnconfirmed).await?;
            Ok(Outcome::Wait)
        }
    }
}

pub(super) async fn fail(tx: &Tx, row: replies::Model, reason: Reason, message: String) -> Result<Reply> {
    let row = replies::Model {
        state: ReplyState::Failed,
        requires_action: false,
        reason: Some(reason.name()),
        message: Some(message),
        ..row
    };
    save(tx, row, Kind::ReplyFailed).await
}

/// Records that the site has the reply. `remote_id` is the message's id, if the site returned or showed it. If that
/// message is stored here, it is linked to the reply. A message that is stored later is linked through the effect's
/// remote id.
pub async fn delivered(
    context: &Context,
    effect_id: &str,
    remote_id: Option<&str>,
    note: &str,
) -> Result<()> {
    let (remote_id, note) = (remote_id.map(str::to_owned), note.to_owned());
    on_effect(context, effect_id, move |tx, effect, row| {
        let (remote_id, note) = (remote_id.clone(), note.clone());
        async move {
            settle(tx, effect, EffectState::Done, remote_id.as_deref(), &note).await?;
            let message = match &remote_id {
                Some(remote_id) => message_here(tx, &row, remote_id).await?,
                None => None,
            };
            let message_id = match message {
                Some(message) => Some(claim_message(tx, message, &row.id).await?),
                None => None,
            };
            sent(tx, row, message_id).await.map(drop)
        }
        .boxed()
    })
    .await
}

/// Records that the reply was not sent; it returns to its state before the intent. If this follows only from what the
/// site shows, the effect is watched for a late appearance.
pub async fn not_sent(context: &Context, effect_id: &str, note: &str) -> Result<()> {
    let (note, watch_ms) = (note.to_owned(), context.settings.effects.watch_ms);
    on_effect(context, effect_id, move |tx, effect, row| {
        let note = note.clone();
        async move {
            if note == NO_EFFECT_OBSERVED {
                watch::settle_watched(tx, effect, &note, watch_ms).await?;
            } else {
                settle(tx, effect, EffectState::NotDone, None, &note).await?;
            }
            let row = replies::Model {
                state: ReplyState::Queued,
                ..row
            };
            save(tx, row, Kind::ReplyUpdated).await.map(drop)
        }
        .boxed()
    })
    .await
}

/// Records that the outcome is not known. `held`: the process that sent the request may still act; otherwise the
/// request has ended.
pub async fn unconfirmed(context: &Context, effect_id: &str, held: bool, note: &str) -> Result<()> {
    let note = note.to_owned();
    on_effect(context, effect_id, move |tx, effect, row| {
        let note = note.clone();
        async move {
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
            let row = replies::Model {
                state: ReplyState::Unconfirmed,
                ..row
            };
            save(tx, row, Kind::ReplyUnconfirmed).await.map(drop)
        }
        .boxed()
    })
    .await
}

/// Sets the note of an effect that stays open.
pub async fn note(context: &Context, effect_id: &str, note: &str) -> Result<()> {
    let note = note.to_owned();
    on_effect(context, effect_id, move |tx, effect, _| {
        let note = note.clone();
        async move {
            let effect = effects::Model {
                note: Some(note),
                ..effect
            };
            effect.into_active_model().reset_all().update(tx).await?;
            Ok(())
        }
        .boxed()
    })
    .await
}

/// Returns how often the reply was sent without an effect observed on the site.
pub async fn sent_without_trace(context: &Context, reply_id: &str) -> Result<u64> {
    Ok(effects::Entity::find()
        .filter(effects::Column::SubjectId.eq(reply_id))
        .filter(effects::Column::Kind.eq(EffectKind::Reply))
        .filter(effects::Column::State.eq(EffectState::NotDone))
        .filter(effects::Column::Note.eq(NO_EFFECT_OBSERVED))
        .count(context.store.reader())
        .await?)
}

/// Takes the locks in order and runs `then` on an open effect and its reply. Does nothing if the effect is already
/// settled.
async fn on_effect<F>(context: &Context, effect_id: &str, then: F) -> Result<()>
where
    F: for<'a> Fn(&'a Tx, effects::Model, replies::Model) -> futures::future::BoxFuture<'a, Result<()>>
        + Clone
        + std::marker::Send
        + Sync
        + 'static,
{
    let effect_id = effect_id.to_owned();
    context
        .store
        .write(move |tx| {
            let (effect_id, then) = (effect_id.clone(), then.clone());
            async move {
                let found = effects::Entity::find_by_id(&effect_id).one(tx).await?;
                let found = found.ok_or_else(|| Error::not_found("effect", &effect_id))?;
                lock_account(tx, &found.account_id).await?;
                let row = load(tx, &found.subject_id).await?;
                match open_effect(tx, &row.id).await? {
                    Some(effect) if effect.id == effect_id => then(tx, effect, row).await,
                    _ => Ok(()),
                }
            }
            .boxed()
        })
        .await
}

/// Settles an effect with a final state.
pub(in crate::inbox) async fn settle(
    tx: &Tx,
    effect: effects::Model,
    state: EffectState,
    remote_id: Option<&str>,
    note: &str,
) -> Result<()> {
    let effect = effects::Model {
        state,
        remote_id: remote_id.map(str::to_owned),
        note: Some(note.to_owned()),
        decide_time: Some(tx.now().await?),
        ..effect
    };
    effect.into_active_model().reset_all().update(tx).await?;
    Ok(())
}

/// Ends a reply as SENT.
pub(super) async fn sent(tx: &Tx, row: replies::Model, message_id: Option<String>) -> Result<Reply> {
    let row = replies::Model {
        state: ReplyState::Sent,
        requires_action: false,
        reason: None,
        message: None,
        message_id: message_id.or(row.message_id),
        ..row
    };
    save(tx, row, Kind::ReplySent).await
}

async fn message_here(tx: &Tx, row: &replies::Model, remote_id: &str) -> Result<Option<messages::Model>> {
    let query = messages::Entity::find()
        .filter(messages::Column::ThreadId.eq(row.thread_id.as_str()))
        .filter(messages::Column::RemoteId.eq(remote_id));
    Ok(tx.locked(query).one(tx).await?)
}

/// Links a message to the reply that sent it and returns the message's id.
pub(super) async fn claim_message(tx: &Tx, message: messages::Model, reply_id: &str) -> Result<String> {
    let message = messages::Model {
        reply_id: Some(reply_id.to_owned()),
        ..message
    };
    message.clone().into_active_model().reset_all().update(tx).await?;
    let id = message.id.clone();
    tx.emit(PendingEvent::changed(
        Kind::MessageUpdated,
        &Message::from(message),
    )?);
    Ok(id)
}

//! Writing down what became of an attempt at a reply.

use futures::FutureExt;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};
use vintedbot_marketplace::challenge::AccountFollows;

use super::{load, lock_account, open_effect, save, watch};
use crate::accounts;
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::inbox::{Message, Reply, ReplyState, claimed};
use crate::jobs::{Claim, Outcome};
use crate::publishing::{EffectKind, EffectState};
use crate::store::Tx;
use crate::store::entities::{effects, messages, replies};
use crate::{Domain, Error, Reason, Result};

/// An attempt of which the site shows nothing.
pub const TRACELESS: &str = "the site shows nothing of it";

/// What follows for a reply from an attempt at it.
#[derive(Clone, Debug)]
pub enum Next {
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
    Later { until: Millis },
    /// The person who is asked has to answer.
    Ask { reason: Reason, message: String },
    /// Handed back by a drain.
    HandedBack,
    /// It has ended, or waits, as the row says.
    AsItIs,
}

/// Lets go of the claim, and moves the reply on. When the claim was lost nothing is written: its new holder decides.
pub async fn conclude(domain: &Domain, claim: &Claim, next: Next) -> Result<()> {
    claimed::conclude(domain, claim, next, |tx, domain, claim, next| {
        async move {
            let row = load(tx, claim.job.subject_id.as_deref().unwrap_or_default()).await?;
            apply(tx, domain, claim, row, next).await
        }
        .boxed()
    })
    .await
}

async fn apply(
    tx: &Tx,
    domain: &Domain,
    claim: &Claim,
    mut row: replies::Model,
    next: Next,
) -> Result<Outcome> {
    if row.state.has_ended() {
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
        // Nothing of an undecided effect is settled by what a later reading met.
        Next::Again { .. } | Next::Failed { .. } if in_doubt => {
            Ok(Outcome::At(now + domain.settings.settle_poll_ms))
        }
        Next::Blocked {
            reason,
            message,
            account,
        } => {
            if account == AccountFollows::GoesOn && in_doubt {
                return Ok(Outcome::At(now + domain.settings.settle_poll_ms));
            }
            if account != AccountFollows::GoesOn {
                accounts::pause(tx, &row.account_id, reason, &message, None).await?;
            }
            if in_doubt {
                // Once the account is resumed, the site is read for what became of it.
                return Ok(Outcome::Wait);
            }
            row.state = ReplyState::Blocked;
            row.needs_manual = true;
            row.reason = Some(reason.name());
            row.message = Some(message);
            save(tx, row, Kind::ReplyBlocked).await?;
            Ok(Outcome::Done)
        }
        Next::Failed { reason, message } => {
            fail(tx, row, reason, message).await?;
            Ok(Outcome::Done)
        }
        Next::Again { reason, message } => {
            if claim.job.failures + 1 >= domain.settings.max_failures {
                fail(tx, row, reason, message.clone()).await?;
                return Ok(Outcome::Dead { error: message });
            }
            row.reason = Some(reason.name());
            row.message = Some(message.clone());
            save(tx, row, Kind::ReplyUpdated).await?;
            Ok(Outcome::Retry { error: message })
        }
        Next::Ask { reason, message } => {
            row.needs_manual = true;
            row.reason = Some(reason.name());
            row.message = Some(message);
            save(tx, row, Kind::ReplyUnconfirmed).await?;
            Ok(Outcome::Wait)
        }
    }
}

async fn fail(tx: &Tx, row: replies::Model, reason: Reason, message: String) -> Result<Reply> {
    let row = replies::Model {
        state: ReplyState::Failed,
        needs_manual: false,
        reason: Some(reason.name()),
        message: Some(message),
        ..row
    };
    save(tx, row, Kind::ReplyFailed).await
}

/// The site has the reply, as that message where it said or showed which. The message's row is claimed where it is here; one
/// that comes later finds the claim in the ledger.
pub async fn delivered(domain: &Domain, effect_id: &str, remote_id: Option<&str>, note: &str) -> Result<()> {
    let (remote_id, note) = (remote_id.map(str::to_owned), note.to_owned());
    on_effect(domain, effect_id, move |tx, effect, row| {
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

/// It was not sent; the reply is as before its intent. Where that is only concluded from what the site shows, it is watched
/// for.
pub async fn not_sent(domain: &Domain, effect_id: &str, note: &str) -> Result<()> {
    let (note, watch_ms) = (note.to_owned(), domain.settings.watch_ms);
    on_effect(domain, effect_id, move |tx, effect, row| {
        let note = note.clone();
        async move {
            if note == TRACELESS {
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

/// What became of it is not known. `held`: its sender may still be at it; else the request has come to its end.
pub async fn unconfirmed(domain: &Domain, effect_id: &str, held: bool, note: &str) -> Result<()> {
    let note = note.to_owned();
    on_effect(domain, effect_id, move |tx, effect, row| {
        let note = note.clone();
        async move {
            let effect = effects::Model {
                state: EffectState::Unconfirmed,
                composer_id: if held { effect.composer_id } else { String::new() },
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

/// Notes about an effect that stays open.
pub async fn note(domain: &Domain, effect_id: &str, note: &str) -> Result<()> {
    let note = note.to_owned();
    on_effect(domain, effect_id, move |tx, effect, _| {
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

/// How often a reply was sent without the site showing anything of it.
pub async fn sent_without_trace(domain: &Domain, reply_id: &str) -> Result<u64> {
    Ok(effects::Entity::find()
        .filter(effects::Column::SubjectId.eq(reply_id))
        .filter(effects::Column::Kind.eq(EffectKind::Reply))
        .filter(effects::Column::State.eq(EffectState::NotDone))
        .filter(effects::Column::Note.eq(TRACELESS))
        .count(domain.store.reader())
        .await?)
}

/// Runs on an effect that is open, with its reply, after their locks were taken in order. One that was settled meanwhile is
/// left as it is.
async fn on_effect<F>(domain: &Domain, effect_id: &str, then: F) -> Result<()>
where
    F: for<'a> Fn(&'a Tx, effects::Model, replies::Model) -> futures::future::BoxFuture<'a, Result<()>>
        + Clone
        + std::marker::Send
        + Sync
        + 'static,
{
    let effect_id = effect_id.to_owned();
    domain
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

/// Settles an effect.
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

/// The reply has ended well.
pub(super) async fn sent(tx: &Tx, row: replies::Model, message_id: Option<String>) -> Result<Reply> {
    let row = replies::Model {
        state: ReplyState::Sent,
        needs_manual: false,
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

/// Writes with a message which reply it came of. Returns the message's id.
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

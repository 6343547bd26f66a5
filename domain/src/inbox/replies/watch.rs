//! Watches for messages that appear on the site after their reply was settled as not sent.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use super::{load, normalised, save};
use crate::clock::Millis;
use crate::events::Kind;
use crate::inbox::{Attachment, Author, MessageKind};
use crate::publishing::{EffectKind, EffectState};
use crate::store::Tx;
use crate::store::entities::{effects, messages, replies, threads};
use crate::{Reason, Result};

/// Settles an effect as NOT_DONE and watches for a late appearance for `watch_ms`.
pub(super) async fn settle_watched(
    tx: &Tx,
    effect: effects::Model,
    note: &str,
    watch_ms: Millis,
) -> Result<()> {
    let effect = effects::Model {
        watch_until: Some(tx.now().await? + watch_ms),
        ..effect
    };
    super::outcome::settle(tx, effect, EffectState::NotDone, None, note).await
}

/// Compares all messages of a thread after a reading with the watched effects. While another effect of the thread is
/// open, nothing is reported, because a message may come from that effect. The caller has locked the account and the
/// thread.
pub(in crate::inbox) async fn compare(
    tx: &Tx,
    thread: &threads::Model,
    messages: &[messages::Model],
) -> Result<()> {
    let of_thread = || {
        effects::Entity::find()
            .filter(effects::Column::Kind.eq(EffectKind::Reply))
            .filter(effects::Column::AccountId.eq(thread.account_id.as_str()))
            .filter(effects::Column::Site.eq(thread.site.as_str()))
            .filter(effects::Column::TargetRemoteId.eq(thread.remote_id.as_str()))
    };
    let watched = of_thread()
        .filter(effects::Column::WatchUntil.gt(tx.now().await?))
        .order_by_asc(effects::Column::IntentTime)
        .all(tx)
        .await?;
    if watched.is_empty() {
        return Ok(());
    }
    let open = [EffectState::Intended, EffectState::Unconfirmed];
    let open = of_thread().filter(effects::Column::State.is_in(open));
    if open.one(tx).await?.is_some() {
        return Ok(());
    }
    let mut taken = Vec::new();
    for effect in watched {
        let row = load(tx, &effect.subject_id).await?;
        let Some(late) = late(&effect, &row, messages, &taken)? else {
            continue;
        };
        taken.push(late.id.as_str());
        let found = replies::Model {
            reason: Some(Reason::PossibleDuplicate.name()),
            message: Some(format!(
                "message {} appeared after the reply was settled as not sent",
                late.id
            )),
            ..row
        };
        save(tx, found, Kind::ReplyPossibleDuplicate).await?;
        let ended = effects::Model {
            watch_until: None,
            ..effect
        };
        ended.into_active_model().reset_all().update(tx).await?;
    }
    Ok(())
}

/// Returns the message that an attempt may have sent: the account's own, unknown before the attempt, not linked to
/// another reply, with an equal text and as many photos.
fn late<'a>(
    effect: &effects::Model,
    row: &replies::Model,
    messages: &'a [messages::Model],
    taken: &[&str],
) -> Result<Option<&'a messages::Model>> {
    let known: Vec<String> = serde_json::from_str(&effect.known_remote_ids)?;
    let photos: Vec<String> = serde_json::from_str(&row.photo_ids)?;
    let text = normalised(&row.text);
    for message in messages {
        let Some(remote_id) = &message.remote_id else {
            continue;
        };
        let is_new = message.author == Author::Account
            && message.kind == MessageKind::Message
            && message.reply_id.is_none()
            && !known.contains(remote_id)
            && !taken.contains(&message.id.as_str());
        if !is_new || normalised(&message.text) != text {
            continue;
        }
        let attachments: Vec<Attachment> = serde_json::from_str(&message.attachments)?;
        if attachments.len() == photos.len() {
            return Ok(Some(message));
        }
    }
    Ok(None)
}

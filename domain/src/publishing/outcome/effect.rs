//! Recording the outcome of an effect. Requires no claim, because the outcome is a fact about the site.

use futures::FutureExt;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
};

use super::ended::{Ended, end_in};
use super::next::FollowUp;
use crate::clock::Millis;
use crate::events::Kind;
use crate::publishing::job::{load, save};
use crate::publishing::{EffectKind, EffectState, State, claims};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, effects, publish_jobs};
use crate::{Context, Reason, Result};

/// Settles an open effect with its final state. `note` says how the outcome was determined.
pub(in crate::publishing) async fn settle(
    tx: &Tx,
    effect: effects::Model,
    state: EffectState,
    remote_id: Option<&str>,
    note: &str,
) -> Result<effects::Model> {
    let effect = effects::Model {
        state,
        remote_id: remote_id.map(str::to_owned),
        note: Some(note.to_owned()),
        decide_time: Some(tx.now().await?),
        ..effect
    };
    set_effect(tx, effect).await
}

/// Starts the watch for a late appearance of an effect that settled as not done.
pub(in crate::publishing) async fn watch(tx: &Tx, effect: &effects::Model, watch_ms: Millis) -> Result<()> {
    let until = tx.now().await? + watch_ms;
    set_effect(
        tx,
        effects::Model {
            watch_until: Some(until),
            ..effect.clone()
        },
    )
    .await
    .map(drop)
}

pub(super) async fn set_effect(tx: &Tx, effect: effects::Model) -> Result<effects::Model> {
    effect.clone().into_active_model().reset_all().update(tx).await?;
    Ok(effect)
}

/// Loads and locks an effect if it is still open. Locks the account first, as the lock order requires.
pub(in crate::publishing) async fn load_open(tx: &Tx, effect_id: &str) -> Result<Option<effects::Model>> {
    let Some(effect) = effects::Entity::find_by_id(effect_id).one(tx).await? else {
        return Ok(None);
    };
    tx.locked(account_rows::Entity::find_by_id(&effect.account_id))
        .one(tx)
        .await?;
    let effect = tx.locked(effects::Entity::find_by_id(effect_id)).one(tx).await?;
    Ok(effect.filter(|effect| matches!(effect.state, EffectState::Intended | EffectState::Unconfirmed)))
}

/// Reads an effect if it is still open.
pub async fn effect(context: &Context, effect_id: &str) -> Result<Option<effects::Model>> {
    let open = [EffectState::Intended, EffectState::Unconfirmed];
    Ok(effects::Entity::find_by_id(effect_id)
        .filter(effects::Column::State.is_in(open))
        .one(context.store.reader())
        .await?)
}

/// Records that the job's draft was saved on the site. Does nothing if the effect is no longer open.
pub async fn draft_saved(context: &Context, effect_id: &str, remote_id: &str) -> Result<()> {
    let (effect_id, remote_id) = (effect_id.to_owned(), remote_id.to_owned());
    context
        .store
        .write(move |tx| {
            let (effect_id, remote_id) = (effect_id.clone(), remote_id.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(());
                };
                let mut row = load(tx, &effect.subject_id).await?;
                claims::claim_item(tx, &row, &remote_id).await?;
                settle(tx, effect, EffectState::Done, Some(&remote_id), "draft saved").await?;
                row.draft_remote_id = Some(remote_id);
                // Emits no event, because the job's state stays the same.
                row.into_active_model().reset_all().update(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Records that the item was published, and ends the job. Does nothing if the effect is no longer open.
pub async fn published(
    context: &Context,
    effect_id: &str,
    remote_id: &str,
    url: &str,
    hidden: bool,
    note: &str,
) -> Result<()> {
    let (effect_id, remote_id) = (effect_id.to_owned(), remote_id.to_owned());
    let (url, note) = (url.to_owned(), note.to_owned());
    context
        .store
        .write(move |tx| {
            let (effect_id, remote_id, url, note) =
                (effect_id.clone(), remote_id.clone(), url.clone(), note.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(());
                };
                let row = load(tx, &effect.subject_id).await?;
                settle(tx, effect, EffectState::Done, Some(&remote_id), &note).await?;
                end_published(tx, row, &remote_id, &url, hidden).await
            }
            .boxed()
        })
        .await
}

async fn end_published(
    tx: &Tx,
    mut row: publish_jobs::Model,
    remote_id: &str,
    url: &str,
    hidden: bool,
) -> Result<()> {
    claims::claim_item(tx, &row, remote_id).await?;
    row.remote_item_id = Some(remote_id.to_owned());
    end_in(
        tx,
        row,
        Ended::Published {
            hidden,
            url: Some(url.to_owned()),
        },
    )
    .await
    .map(drop)
}

/// Ends a job whose draft was published without an open effect: the person published it by hand.
pub async fn found_published(
    context: &Context,
    job_id: &str,
    remote_id: &str,
    url: &str,
    hidden: bool,
) -> Result<()> {
    let (job_id, remote_id, url) = (job_id.to_owned(), remote_id.to_owned(), url.to_owned());
    context
        .store
        .write(move |tx| {
            let (job_id, remote_id, url) = (job_id.clone(), remote_id.clone(), url.clone());
            async move {
                let row = load(tx, &job_id).await?;
                if row.state.has_ended() {
                    return Ok(());
                }
                end_published(tx, row, &remote_id, &url, hidden).await
            }
            .boxed()
        })
        .await
}

/// Records that an effect is in doubt, because the click had no answer or an inconclusive one. Starts the settling
/// window.
pub async fn unconfirmed(context: &Context, effect_id: &str, note: &str) -> Result<()> {
    let (effect_id, note, settle_ms) = (
        effect_id.to_owned(),
        note.to_owned(),
        context.settings.effects.settle_ms,
    );
    context
        .store
        .write(move |tx| {
            let (effect_id, note) = (effect_id.clone(), note.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(());
                };
                if effect.state == EffectState::Unconfirmed {
                    return Ok(());
                }
                let settle_until = tx.now().await? + settle_ms;
                let (kind, job_id) = (effect.kind, effect.subject_id.clone());
                let in_doubt = effects::Model {
                    state: EffectState::Unconfirmed,
                    settle_until,
                    note: Some(note),
                    ..effect
                };
                set_effect(tx, in_doubt).await?;
                if kind.is_final() {
                    let row = load(tx, &job_id).await?;
                    save(
                        tx,
                        publish_jobs::Model {
                            state: State::Unconfirmed,
                            ..row
                        },
                        Kind::PublishJobUnconfirmed,
                    )
                    .await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Records that the effect did not happen, so that the job may try again. `watched` starts a watch after a publication.
/// `strays` are drafts that the effect may have left on the site.
pub async fn not_done(
    context: &Context,
    effect_id: &str,
    note: &str,
    watched: bool,
    strays: &[String],
) -> Result<()> {
    let (effect_id, note, strays) = (effect_id.to_owned(), note.to_owned(), strays.to_vec());
    let watch_ms = context.settings.effects.watch_ms;
    context
        .store
        .write(move |tx| {
            let (effect_id, note, strays) = (effect_id.clone(), note.clone(), strays.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(());
                };
                let mut row = load(tx, &effect.subject_id).await?;
                let effect = settle(tx, effect, EffectState::NotDone, None, &note).await?;
                if watched && effect.kind == EffectKind::Publish {
                    watch(tx, &effect, watch_ms).await?;
                }
                let mut all: Vec<String> = serde_json::from_str(&row.stray_drafts)?;
                all.extend(strays);
                row.stray_drafts = serde_json::to_string(&all)?;
                if effect.kind.is_final() {
                    row.state = State::Confirmed;
                    row.requires_action = false;
                    if crate::failpoints::disables("reconcile") {
                        row.draft_remote_id = None;
                    }
                }
                save(tx, row, Kind::PublishJobUpdated).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// The note of an effect that the site did not show by the end of the settling window.
pub const NO_EFFECT_OBSERVED: &str = "not there after the settling window";

/// Counts the clicks of a job that settled as not done because the site showed no effect. Draft saves do not count.
pub async fn clicks_without_trace(context: &Context, job_id: &str) -> Result<u64> {
    Ok(effects::Entity::find()
        .filter(effects::Column::SubjectId.eq(job_id))
        .filter(effects::Column::Kind.ne(EffectKind::DraftSave))
        .filter(effects::Column::State.eq(EffectState::NotDone))
        .filter(effects::Column::Note.eq(NO_EFFECT_OBSERVED))
        .count(context.store.reader())
        .await?)
}

/// Decides what follows if the draft of a confirmed job is gone. After an earlier attempt to publish it, a person is
/// asked, because the item may have been published under another id. Otherwise the job fails.
pub async fn draft_gone(context: &Context, job_id: &str) -> Result<FollowUp> {
    let job_id = job_id.to_owned();
    let message = "the draft is no longer on the site".to_owned();
    context
        .store
        .write(move |tx| {
            let (job_id, message) = (job_id.clone(), message.clone());
            async move {
                let tried = effects::Entity::find()
                    .filter(effects::Column::SubjectId.eq(job_id.as_str()))
                    .filter(effects::Column::Kind.eq(EffectKind::Publish))
                    .order_by_desc(effects::Column::IntentTime)
                    .one(tx)
                    .await?;
                let Some(effect) = tried else {
                    return Ok(FollowUp::Failed {
                        reason: Reason::DraftLost,
                        message,
                    });
                };
                let reopened = effects::Model {
                    state: EffectState::Unconfirmed,
                    watch_until: None,
                    decide_time: None,
                    note: Some(message.clone()),
                    ..effect
                };
                set_effect(tx, reopened).await?;
                Ok(FollowUp::Ask {
                    reason: Reason::DraftLost,
                    message,
                })
            }
            .boxed()
        })
        .await
}

//! The manual takeover: recording the period in which the person has the filled window, and deciding its outcome.
//!
//! A manual takeover is an effect like a click, because the person may publish in the window. Its intent is committed
//! before the person gets the window. It stays in doubt until the site was read for the settling window after the
//! window was closed. The window proves nothing about the outcome; its end only ends the wait.

use std::collections::HashMap;

use futures::FutureExt;
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use vintedbot_marketplace::{FieldReading, ItemContent, RemoteItem};

use super::job::{load, save};
use super::outcome::{Ended, end_in, load_open, settle, watch};
use super::reconcile::{Decision, done, looks_like};
use super::{EffectState, State, claims};
use crate::clock::Millis;
use crate::events::Kind;
use crate::jobs::Claim;
use crate::keys::sha256_hex;
use crate::store::entities::{effects, publish_jobs};
use crate::{Context, Reason, Result};

const BY_PERSON: &str = "the window was closed or left without a publication";

/// Why the manual takeover's window is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The person closed the window, or navigated elsewhere and stayed there.
    ByPerson,
    /// The time of the manual takeover is over.
    InTime,
    /// Cancellation was requested. The job has the reason.
    Cancelled,
    /// The process that watched the window has ended or is about to end.
    WithUs,
}

/// Whether the window stays open for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The window stays open. Contains the current time of the database.
    Theirs(Millis),
    /// The window has to be closed.
    Over(Closed),
    /// The claim is lost: the attempt must stop and write nothing.
    Lost,
}

/// Stores the read-back of the form before the manual takeover.
pub async fn shown(
    context: &Context,
    claim: &Claim,
    job_id: &str,
    read_back: &[FieldReading],
    screenshot_key: Option<String>,
) -> Result<()> {
    let (claim, job_id) = (claim.clone(), job_id.to_owned());
    let read_back = serde_json::to_string(read_back)?;
    context
        .store
        .write(move |tx| {
            let (claim, job_id) = (claim.clone(), job_id.clone());
            let (read_back, screenshot_key) = (read_back.clone(), screenshot_key.clone());
            async move {
                claim.require_live(tx).await?;
                let row = load(tx, &job_id).await?;
                let row = publish_jobs::Model {
                    read_back_hash: Some(sha256_hex(&read_back)),
                    read_back: Some(read_back),
                    screenshot_key,
                    ..row
                };
                // Emits no event, because the event of the manual takeover follows at once.
                row.into_active_model().reset_all().update(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Returns whether the window stays open for the person.
pub async fn turn(context: &Context, claim: &Claim, effect_id: &str) -> Result<Turn> {
    let (claim, effect_id) = (claim.clone(), effect_id.to_owned());
    context
        .store
        .write(move |tx| {
            let (claim, effect_id) = (claim.clone(), effect_id.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(Turn::Lost);
                };
                let row = load(tx, &effect.subject_id).await?;
                if claim.require_live(tx).await.is_err() {
                    return Ok(Turn::Lost);
                }
                let now = tx.now().await?;
                Ok(if row.cancel_requested {
                    Turn::Over(Closed::Cancelled)
                } else if now >= effect.not_after {
                    Turn::Over(Closed::InTime)
                } else {
                    Turn::Theirs(now)
                })
            }
            .boxed()
        })
        .await
}

/// Records that the person saved a draft, and claims it for the listing. The manual takeover continues. Requires no
/// claim on the job, because the draft exists. Returns false if the draft was already known or the effect is no longer
/// open.
pub async fn draft_saved(context: &Context, effect_id: &str, remote_id: &str) -> Result<bool> {
    let (effect_id, remote_id) = (effect_id.to_owned(), remote_id.to_owned());
    context
        .store
        .write(move |tx| {
            let (effect_id, remote_id) = (effect_id.clone(), remote_id.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(false);
                };
                let mut row = load(tx, &effect.subject_id).await?;
                if row.draft_remote_id.as_deref() == Some(remote_id.as_str()) {
                    return Ok(false);
                }
                claims::claim_item(tx, &row, &remote_id).await?;
                row.draft_remote_id = Some(remote_id);
                save(tx, row, Kind::PublishJobUpdated).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
}

/// Records that the window is certainly closed, so that the site is read for the outcome from now on. A request may
/// still be under way; therefore the settling window begins after the request timeout. Requires no claim.
pub async fn closed(context: &Context, effect_id: &str, why: Closed) -> Result<()> {
    let effect_id = effect_id.to_owned();
    let settles = context.settings.effects.request_timeout_ms + context.settings.effects.settle_ms;
    context
        .store
        .write(move |tx| {
            let effect_id = effect_id.clone();
            async move {
                let effect = load_open(tx, &effect_id).await?;
                let Some(effect) = effect.filter(|effect| effect.state == EffectState::Intended) else {
                    return Ok(());
                };
                let mut row = load(tx, &effect.subject_id).await?;
                let (reason, message) = match why {
                    Closed::ByPerson => (Reason::WindowClosed, BY_PERSON),
                    Closed::InTime => (
                        Reason::ConfirmationExpired,
                        "nothing was published in the window in time",
                    ),
                    Closed::WithUs => (
                        Reason::WindowClosed,
                        "the window was closed because its worker process ended",
                    ),
                    Closed::Cancelled => (Reason::CancelledByPerson, "the job was cancelled"),
                };
                if !row.cancel_requested || row.reason.is_none() {
                    row.reason = Some(reason.name());
                    row.message = Some(message.to_owned());
                }
                row.state = State::Unconfirmed;
                let effect = effects::Model {
                    state: EffectState::Unconfirmed,
                    settle_until: tx.now().await? + settles,
                    note: Some(message.to_owned()),
                    ..effect
                };
                effect.into_active_model().reset_all().update(tx).await?;
                save(tx, row, Kind::PublishJobUnconfirmed).await.map(drop)
            }
            .boxed()
        })
        .await
}

/// Ends a job whose manual takeover left no item on the site by the end of the settling window, and starts the watch.
pub async fn not_used(context: &Context, effect_id: &str) -> Result<()> {
    let (effect_id, watch_ms) = (effect_id.to_owned(), context.settings.effects.watch_ms);
    context
        .store
        .write(move |tx| {
            let effect_id = effect_id.clone();
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(());
                };
                let row = load(tx, &effect.subject_id).await?;
                let effect = settle(
                    tx,
                    effect,
                    EffectState::NotDone,
                    None,
                    "nothing was published in the window",
                )
                .await?;
                watch(tx, &effect, watch_ms).await?;
                let reason = row.reason.as_deref().and_then(Reason::from_name);
                // There is no message if the effect became UNCONFIRMED because the database was restored or copied.
                let message = row.message.clone().unwrap_or_else(|| BY_PERSON.to_owned());
                let ended = match reason.unwrap_or(Reason::WindowClosed) {
                    Reason::ConfirmationExpired => Ended::Expired,
                    reason => Ended::Cancelled {
                        reason,
                        message: &message,
                    },
                };
                end_in(tx, row, ended).await.map(drop)
            }
            .boxed()
        })
        .await
}

/// The items in a complete reading that may come from a manual takeover.
#[derive(Debug, Default)]
pub struct TakeoverReading<'a> {
    /// Items on sale that equal the form's content, or that come from the draft saved in the window.
    pub published: Vec<&'a RemoteItem>,
    /// New drafts that equal the form's content, and the saved draft.
    pub drafts: Vec<&'a RemoteItem>,
    /// Whether another new item is on sale. The person may have changed the content, or it is an unrelated item.
    pub strange: bool,
}

/// Finds the items in a complete reading that may come from the window.
pub fn seen<'a>(
    effect: &effects::Model,
    content: &ItemContent,
    claimed: &HashMap<String, String>,
    wardrobe: &'a [RemoteItem],
) -> TakeoverReading<'a> {
    let known: Vec<String> = serde_json::from_str(&effect.known_remote_ids).unwrap_or_default();
    let mut seen = TakeoverReading::default();
    for item in wardrobe {
        let claiming_job = claimed.get(&item.id);
        let is_ours = claiming_job.is_some_and(|job| *job == effect.subject_id);
        let is_new = !known.contains(&item.id) && claiming_job.is_none();
        if !is_ours && !is_new {
            continue;
        }
        match (item.is_draft, is_ours || looks_like(item, content)) {
            (true, true) => seen.drafts.push(item),
            (true, false) => {}
            (false, true) => seen.published.push(item),
            (false, false) => seen.strange = true,
        }
    }
    seen
}

/// Decides the outcome from a complete reading. One equal item counts at once; any other result counts after the
/// settling window.
pub(super) fn decide(
    effect: &effects::Model,
    content: &ItemContent,
    claimed: &HashMap<String, String>,
    wardrobe: &[RemoteItem],
    settled: bool,
) -> Decision {
    let seen = seen(effect, content, claimed, wardrobe);
    match seen.published.as_slice() {
        [item] => done(item),
        _ if !settled => Decision::NotYet,
        [] if !seen.strange => Decision::NotDone { strays: Vec::new() },
        _ => Decision::Ask,
    }
}

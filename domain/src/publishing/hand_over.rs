//! The filled window in the person's own hands: what is written down around it, and what the site says became of it.
//!
//! Handing over is an effect like a click, because an item may come of it: committed by the gate before the window is the
//! person's, undecided until the site was read for long enough after the window was closed, and never done twice by us. The
//! window itself proves nothing: it only says when to stop waiting.

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
use crate::{Domain, Reason, Result};

const BY_PERSON: &str = "the window was closed or left without publishing";

/// Why nobody is at the window any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The person closed it, or went elsewhere with it and stayed there.
    ByPerson,
    /// The time that it was theirs for is over.
    InTime,
    /// It is to be cancelled; the job says by whom.
    Cancelled,
    /// The process that watched it ended, or is to end.
    WithUs,
}

/// Whether the window is to stay with the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is theirs, at this time.
    Theirs(Millis),
    Over(Closed),
    /// Somebody else has the job by now: stop, write nothing.
    Lost,
}

/// Keeps what was read back from the form that the person is about to have.
pub async fn shown(
    domain: &Domain,
    claim: &Claim,
    job_id: &str,
    read_back: &[FieldReading],
    screenshot_key: Option<String>,
) -> Result<()> {
    let (claim, job_id) = (claim.clone(), job_id.to_owned());
    let read_back = serde_json::to_string(read_back)?;
    domain
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
                // Said with the hand-over, which follows at once.
                row.into_active_model().reset_all().update(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Whose turn it is.
pub async fn turn(domain: &Domain, claim: &Claim, effect_id: &str) -> Result<Turn> {
    let (claim, effect_id) = (claim.clone(), effect_id.to_owned());
    domain
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

/// The person saved a draft of it: that is no end, but it is theirs and ours from now on. Needs no claim: it is what
/// happened. `false`: that was known.
pub async fn draft_saved(domain: &Domain, effect_id: &str, remote_id: &str) -> Result<bool> {
    let (effect_id, remote_id) = (effect_id.to_owned(), remote_id.to_owned());
    domain
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

/// The window is closed for certain: from here on the site is read until it is known what became of it. A request that was
/// under way may still arrive, so that the settling window begins after the longest of them. Needs no claim.
pub async fn closed(domain: &Domain, effect_id: &str, why: Closed) -> Result<()> {
    let effect_id = effect_id.to_owned();
    let settles = domain.settings.request_timeout_ms + domain.settings.settle_ms;
    domain
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
                    Closed::InTime => (Reason::ConfirmationExpired, "the window was not used in time"),
                    Closed::WithUs => (
                        Reason::WindowClosed,
                        "the window was closed because the program that watched it ended",
                    ),
                    Closed::Cancelled => (Reason::CancelledByPerson, "cancelled"),
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

/// The site shows nothing of it, long after the window was closed: the job ends, and the site is watched.
pub async fn not_used(domain: &Domain, effect_id: &str) -> Result<()> {
    let (effect_id, watch_ms) = (effect_id.to_owned(), domain.settings.watch_ms);
    domain
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
                    "nothing was published there",
                )
                .await?;
                watch(tx, &effect, watch_ms).await?;
                let reason = row.reason.as_deref().and_then(Reason::from_name);
                // Nothing was said where the window was left behind by another database.
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

/// What a complete reading shows of a window that was handed over.
#[derive(Debug, Default)]
pub struct Seen<'a> {
    /// What is on sale and says what the form said, or came of the draft that was saved from it.
    pub published: Vec<&'a RemoteItem>,
    /// New drafts that say what the form said.
    pub drafts: Vec<&'a RemoteItem>,
    /// Whether something new is on sale that says something else: the person may have changed it, or it is another item.
    pub strange: bool,
}

/// Looks through a complete reading for what may have come of the window.
pub fn seen<'a>(
    effect: &effects::Model,
    content: &ItemContent,
    claimed: &HashMap<String, String>,
    wardrobe: &'a [RemoteItem],
) -> Seen<'a> {
    let known: Vec<String> = serde_json::from_str(&effect.known_remote_ids).unwrap_or_default();
    let mut seen = Seen::default();
    for item in wardrobe {
        let owner = claimed.get(&item.id);
        let is_ours = owner.is_some_and(|job| *job == effect.subject_id);
        let is_new = !known.contains(&item.id) && owner.is_none();
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

/// What a reading decides: one equal item counts at once, everything else when the settling window is over.
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

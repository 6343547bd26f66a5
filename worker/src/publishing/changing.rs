//! Changes an item on the site, and reconciles changes in doubt. A change reads the item, compares it with the approved
//! revision, opens it, and writes only after its intent is committed.

use std::time::Duration;

use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::attempt::Work;
use vintedbot_domain::publishing::changed::{self, Decision, ReadAfter};
use vintedbot_domain::publishing::intent::Proposal;
use vintedbot_domain::publishing::outcome::{self, FollowUp};
use vintedbot_domain::publishing::{Change, EffectKind, EffectState, WaitReason, steps};
use vintedbot_domain::store::entities::effects;
use vintedbot_domain::wardrobe::Vocabulary;
use vintedbot_domain::wardrobe::compare::{self, Difference};
use vintedbot_domain::wardrobe::reading::{self, Reading};
use vintedbot_domain::{Context, Reason, Result};
use vintedbot_marketplace::{ChangeKind, Error as SiteError, Field, FillStep, Filled, OwnItem};

use super::attempt::limited;
use super::form_session::{self, Running};
use super::observer::Observer;
use super::reconcile::NO_EFFECT_OBSERVED_CLICKS;
use super::stopped;
use crate::stage::Stage;
use crate::{Worker, effects as writes, photos};

/// The step in which an item is read.
const ITEM_READ: &str = "ITEM_READ";

/// Reads the item and compares it with the listing. Returns the follow-up in `Err` if the item is gone or was changed
/// on the site. Such changes are stored with the listing, for the person to decide.
pub async fn look(
    worker: &Worker,
    work: &Work,
    change: &Change,
) -> Result<std::result::Result<OwnItem, FollowUp>> {
    let context = &worker.context;
    let read = limited(
        worker,
        worker
            .marketplace
            .own_item(&work.account_context, &change.remote_id, None),
    )
    .await;
    let item = match read {
        Ok(Some(item)) => item,
        Ok(None) => return gone(worker, work).await.map(Err),
        Err(error) => return stopped(worker, &work.job_id, ITEM_READ, &error).await.map(Err),
    };
    if change.overwrite_remote {
        return Ok(Ok(item));
    }
    let words = words_of(context, work).await;
    let differences = compare::compare(&change.before, &item, words.as_words());
    let fetched = match differences.iter().any(|each| each.field == Field::Photos.name()) {
        true => photos::fetch(worker, &work.account_context, &work.revision.workspace_id, &item)
            .await?
            .all(),
        false => None,
    };
    let fields: Vec<_> = differences.iter().map(|each| each.field.clone()).collect();
    let reading = Reading {
        item: Some(item.clone()),
        differences,
        fetched,
    };
    reading::store(context, &work.revision.listing_id, reading).await?;
    if fields.is_empty() {
        return Ok(Ok(item));
    }
    Ok(Err(FollowUp::Failed {
        reason: Reason::RemoteChanged,
        message: format!(
            "the item was changed on the site: {}; accept the changes or overwrite them",
            fields.join(", ")
        ),
    }))
}

async fn words_of(context: &Context, work: &Work) -> Vocabulary {
    Vocabulary::of(context, &work.account_context.site, work.account_context.language).await
}

async fn gone(worker: &Worker, work: &Work) -> Result<FollowUp> {
    reading::store(&worker.context, &work.revision.listing_id, Reading::gone()).await?;
    Ok(FollowUp::Failed {
        reason: Reason::NotPublished,
        message: "the item is no longer on the site".to_owned(),
    })
}

/// One attempt at preparing: opens the page, reads it back and takes a screenshot, without submitting it.
pub async fn prepare(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    change: &Change,
    item: &OwnItem,
    running: &mut Running,
) -> Result<FollowUp> {
    let context = &worker.context;
    let (filled, screenshot_key) = match open(worker, claim, work, change, running).await? {
        Ok(opened) => opened,
        Err(next) => return Ok(next),
    };
    let words = words_of(context, work).await;
    let changes = match change.kind {
        ChangeKind::Edit => compare::changes(item, &change.after, words.as_words())
            .into_iter()
            .filter(|each| !(change.keeps_photos && each.field == Field::Photos.name()))
            .collect(),
        ChangeKind::Hide => vec![flag("hidden", false)],
        ChangeKind::Unhide => vec![flag("hidden", true)],
        ChangeKind::Delete => vec![flag(Difference::GONE, false)],
    };
    changed::note_changes(context, &work.job_id, &changes).await?;
    Ok(FollowUp::Prepared {
        read_back: filled.read_back,
        screenshot_key,
    })
}

fn flag(field: &str, before: bool) -> Difference {
    Difference {
        field: field.to_owned(),
        local: before.to_string(),
        remote: (!before).to_string(),
    }
}

async fn open(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    change: &Change,
    running: &mut Running,
) -> Result<std::result::Result<(Filled, Option<String>), FollowUp>> {
    let observer = Observer {
        worker,
        claim,
        job_id: &work.job_id,
    };
    let opened = running
        .form_driver
        .open_item(&change.remote_id, change.kind, &observer);
    let filled = match limited(worker, opened).await {
        Ok(filled) => filled,
        Err(SiteError::NotFound { .. }) => return gone(worker, work).await.map(Err),
        Err(error) => {
            return stopped(worker, &work.job_id, "ITEM_OPENED", &error)
                .await
                .map(Err);
        }
    };
    let step = FillStep::ScreenshotTaken.name();
    let key = steps::photographed(&worker.context, &work.job_id, step, &filled.evidence).await?;
    Ok(Ok((filled, key)))
}

/// Checks a confirmed change before a browser starts. If the item already has the approved state, the change is
/// recorded as done.
pub async fn before_making(
    worker: &Worker,
    work: &Work,
    change: &Change,
) -> Result<std::result::Result<(), FollowUp>> {
    let context = &worker.context;
    let read = async {
        let item = worker
            .marketplace
            .own_item(&work.account_context, &change.remote_id, None)
            .await?;
        let is_listed = match (change.kind, &item) {
            (ChangeKind::Delete, None) => is_listed(worker, work, change).await?,
            _ => item.is_some(),
        };
        Ok((item, is_listed))
    };
    match limited(worker, read).await {
        Ok((Some(item), _)) if changed::is_made_already(change, &item) => {
            let after = as_read(worker, work, change, item).await;
            changed::found_done(context, &work.job_id, Some(after)).await?;
            Ok(Err(FollowUp::NoChange))
        }
        Ok((None, false)) if change.kind == ChangeKind::Delete => {
            changed::found_done(context, &work.job_id, None).await?;
            Ok(Err(FollowUp::NoChange))
        }
        Ok(_) => look(worker, work, change).await.map(|looked| looked.map(drop)),
        Err(error) => stopped(worker, &work.job_id, ITEM_READ, &error).await.map(Err),
    }
}

/// One attempt at the confirmed change.
pub async fn make(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    change: &Change,
    running: &mut Running,
) -> Result<FollowUp> {
    if let Err(next) = open(worker, claim, work, change, running).await? {
        return Ok(next);
    }
    // Opening the item took time, and a person may have changed it since the last reading.
    let item = match look(worker, work, change).await? {
        Ok(item) => item,
        Err(next) => return Ok(next),
    };
    if let Err(error) = limited(worker, running.form_driver.look()).await {
        return stopped(worker, &work.job_id, Stage::WardrobeRead.name(), &error).await;
    }
    Stage::WardrobeRead.reached().await;
    let proposal = Proposal {
        job_id: work.job_id.clone(),
        kind: EffectKind::of_change(change.kind),
        form_session_id: running.id.clone(),
        revision_hash: work.revision_hash.clone(),
        lock: work.lock.clone(),
        known_remote_ids: Vec::new(),
        target_remote_id: Some(change.remote_id.clone()),
        target_photo_ids: item.photos.iter().map(|photo| photo.id.clone()).collect(),
        remote_snapshot: Some(item),
    };
    match writes::change(worker, claim, proposal, &mut *running.form_driver).await? {
        Ok((effect_id, made)) => {
            let after = read_after(worker, work, change).await;
            changed::done(&worker.context, &effect_id, after, "reported by the site").await?;
            let step = Stage::PublishRecorded.name();
            steps::photographed_after(&worker.context, &work.job_id, step, &made.evidence).await?;
            Stage::PublishRecorded.reached().await;
            Ok(FollowUp::NoChange)
        }
        Err(next) => Ok(next),
    }
}

/// Reads the item after the change, for its new state and the ids of new photos. Returns `None` if it cannot be read;
/// the change is done in any case.
async fn read_after(worker: &Worker, work: &Work, change: &Change) -> Option<ReadAfter> {
    if change.kind == ChangeKind::Delete {
        return None;
    }
    let read = limited(
        worker,
        worker
            .marketplace
            .own_item(&work.account_context, &change.remote_id, None),
    )
    .await;
    Some(as_read(worker, work, change, read.ok()??).await)
}

async fn as_read(worker: &Worker, work: &Work, change: &Change, item: OwnItem) -> ReadAfter {
    let fetched = if changed::has_other_photos(change, &item) {
        let fetched = photos::fetch(worker, &work.account_context, &work.revision.workspace_id, &item).await;
        fetched.ok().and_then(photos::Fetched::all)
    } else {
        None
    };
    ReadAfter {
        fetched,
        words: words_of(&worker.context, work).await,
        item,
    }
}

async fn is_listed(worker: &Worker, work: &Work, change: &Change) -> std::result::Result<bool, SiteError> {
    let wardrobe = worker.marketplace.wardrobe(&work.account_context).await?;
    Ok(wardrobe.iter().any(|item| item.id == change.remote_id))
}

/// Reads the site to determine the outcome of a change, and applies the decision.
pub async fn reconcile(
    worker: &Worker,
    work: &Work,
    change: &Change,
    effect: effects::Model,
) -> Result<FollowUp> {
    let context = &worker.context;
    if effect.state == EffectState::Intended {
        let note = "its worker ended before it recorded the outcome";
        outcome::unconfirmed(context, &effect.id, note).await?;
    }
    let (mut decision, item) = match read_and_decide(worker, work, change, &effect).await? {
        Ok(decided) => decided,
        Err(next) => return Ok(next),
    };
    Stage::SiteRead.reached().await;
    let is_absence = change.kind == ChangeKind::Delete && decision == Decision::Done;
    if is_absence || decision == Decision::NotDone {
        // A single reading that shows no effect may be wrong.
        let pause = u64::try_from(context.settings.effects.settle_poll_ms).unwrap_or(1_000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let (again, _) = match read_and_decide(worker, work, change, &effect).await? {
            Ok(decided) => decided,
            Err(next) => return Ok(next),
        };
        if again != decision {
            decision = Decision::NotYet;
        }
    }
    let next = apply(worker, work, change, &effect, decision, item).await?;
    Stage::Reconciled.reached().await;
    Ok(next)
}

async fn read_and_decide(
    worker: &Worker,
    work: &Work,
    change: &Change,
    effect: &effects::Model,
) -> Result<std::result::Result<(Decision, Option<OwnItem>), FollowUp>> {
    let read = async {
        let item = worker
            .marketplace
            .own_item(&work.account_context, &change.remote_id, None)
            .await?;
        let is_listed = match change.kind {
            ChangeKind::Delete => is_listed(worker, work, change).await?,
            _ => item.is_some(),
        };
        Ok((item, is_listed))
    };
    let (item, is_listed) = match limited(worker, read).await {
        Ok(read) => read,
        Err(error) => {
            return stopped(worker, &work.job_id, Stage::SiteRead.name(), &error)
                .await
                .map(Err);
        }
    };
    let now = worker.context.store.now().await?;
    let decision = changed::decide(effect, change, item.as_ref(), is_listed, now);
    Ok(Ok((decision, item)))
}

async fn apply(
    worker: &Worker,
    work: &Work,
    change: &Change,
    effect: &effects::Model,
    decision: Decision,
    item: Option<OwnItem>,
) -> Result<FollowUp> {
    let context = &worker.context;
    let step = Stage::Reconciled.name();
    let now = context.store.now().await?;
    let ask = |message: &str| FollowUp::Ask {
        reason: Reason::OutcomeUnknown,
        message: message.to_owned(),
    };
    let at_once = FollowUp::Later {
        until: now,
        why: WaitReason::Worker,
    };
    Ok(match decision {
        Decision::Done => {
            steps::note(context, &work.job_id, step, "the change is done").await?;
            let after = match item {
                Some(item) => Some(as_read(worker, work, change, item).await),
                None => None,
            };
            changed::done(context, &effect.id, after, "found by reconciliation").await?;
            at_once
        }
        Decision::NotDone => {
            if !form_session::has_ended(context, &work.account_context.account_id, &effect.form_session_id)
                .await?
            {
                return Ok(ask("it cannot be proven that the earlier attempt has ended"));
            }
            if outcome::clicks_without_trace(context, &work.job_id).await? >= NO_EFFECT_OBSERVED_CLICKS {
                return Ok(ask(
                    "the change was attempted several times without effect on the site; check the item there",
                ));
            }
            outcome::not_done(context, &effect.id, outcome::NO_EFFECT_OBSERVED, false, &[]).await?;
            steps::note(context, &work.job_id, step, "not done; retrying").await?;
            at_once
        }
        Decision::NotYet => FollowUp::Later {
            until: now + context.settings.effects.settle_poll_ms,
            why: WaitReason::Settling,
        },
        Decision::Ask => ask(
            "the site does not show whether the change was made; check the item there, then call ResolvePublishJob",
        ),
    })
}

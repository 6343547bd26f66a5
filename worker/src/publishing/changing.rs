//! Changing an item that is on the site: it is read and compared with what was approved, opened, and only then, through the
//! gate, changed; and finding out what became of a change in doubt.

use std::time::Duration;

use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::attempt::Work;
use vintedbot_domain::publishing::changed::{self, Decision, ReadAfter};
use vintedbot_domain::publishing::gate::Proposal;
use vintedbot_domain::publishing::outcome::{self, Next};
use vintedbot_domain::publishing::{Change, EffectKind, EffectState, WaitReason, steps};
use vintedbot_domain::store::entities::effects;
use vintedbot_domain::wardrobe::Vocabulary;
use vintedbot_domain::wardrobe::compare::{self, Difference};
use vintedbot_domain::wardrobe::reading::{self, Reading};
use vintedbot_domain::{Domain, Reason, Result};
use vintedbot_marketplace::{ChangeKind, Error as SiteError, Field, FillStep, Filled, OwnItem};

use super::attempt::limited;
use super::compose::{self, Running};
use super::observer::Observer;
use super::reconcile::TRACELESS_CLICKS;
use super::stopped;
use crate::stage::Stage;
use crate::{Worker, effects as writes, photos};

/// The step at which an item is read.
const ITEM_READ: &str = "ITEM_READ";

/// Reads the item and compares it with what the listing says. `Err`: what follows where it is gone, or was changed on the
/// site; that is kept with the listing, for the person to decide.
pub async fn look(
    worker: &Worker,
    work: &Work,
    change: &Change,
) -> Result<std::result::Result<OwnItem, Next>> {
    let domain = &worker.domain;
    let read = limited(
        worker,
        worker.marketplace.own_item(&work.seat, &change.remote_id, None),
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
    let words = words_of(domain, work).await;
    let differences = compare::compare(&change.before, &item, words.as_words());
    let fetched = match differences.iter().any(|each| each.field == Field::Photos.name()) {
        true => photos::fetch(worker, &work.seat, &work.revision.owner_id, &item)
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
    reading::keep(domain, &work.revision.listing_id, reading).await?;
    if fields.is_empty() {
        return Ok(Ok(item));
    }
    Ok(Err(Next::Failed {
        reason: Reason::RemoteChanged,
        message: format!(
            "the item was changed on the site: {}; accept that or overwrite it",
            fields.join(", ")
        ),
    }))
}

async fn words_of(domain: &Domain, work: &Work) -> Vocabulary {
    Vocabulary::of(domain, &work.seat.site, work.seat.language).await
}

async fn gone(worker: &Worker, work: &Work) -> Result<Next> {
    reading::keep(&worker.domain, &work.revision.listing_id, Reading::gone()).await?;
    Ok(Next::Failed {
        reason: Reason::NotPublished,
        message: "the item is not on the site any more".to_owned(),
    })
}

/// One attempt at preparing: the page is made ready, read back and photographed, and left as it is.
pub async fn prepare(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    change: &Change,
    item: &OwnItem,
    running: &mut Running,
) -> Result<Next> {
    let domain = &worker.domain;
    let (filled, screenshot_key) = match open(worker, claim, work, change, running).await? {
        Ok(opened) => opened,
        Err(next) => return Ok(next),
    };
    let words = words_of(domain, work).await;
    let changes = match change.kind {
        ChangeKind::Edit => compare::changes(item, &change.after, words.as_words())
            .into_iter()
            .filter(|each| !(change.keeps_photos && each.field == Field::Photos.name()))
            .collect(),
        ChangeKind::Hide => vec![flag("hidden", false)],
        ChangeKind::Unhide => vec![flag("hidden", true)],
        ChangeKind::Delete => vec![flag(Difference::GONE, false)],
    };
    changed::note_changes(domain, &work.job_id, &changes).await?;
    Ok(Next::Prepared {
        read_back: filled.read_back,
        screenshot_key,
    })
}

fn flag(field: &str, before: bool) -> Difference {
    Difference {
        field: field.to_owned(),
        here: before.to_string(),
        there: (!before).to_string(),
    }
}

async fn open(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    change: &Change,
    running: &mut Running,
) -> Result<std::result::Result<(Filled, Option<String>), Next>> {
    let observer = Observer {
        worker,
        claim,
        job_id: &work.job_id,
    };
    let opened = running
        .composer
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
    let key = steps::photographed(&worker.domain, &work.job_id, step, &filled.evidence).await?;
    Ok(Ok((filled, key)))
}

/// What a confirmed change needs before a browser is started: nothing, where the item is already what was approved.
pub async fn before_making(
    worker: &Worker,
    work: &Work,
    change: &Change,
) -> Result<std::result::Result<(), Next>> {
    let domain = &worker.domain;
    let read = async {
        let item = worker
            .marketplace
            .own_item(&work.seat, &change.remote_id, None)
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
            changed::found_done(domain, &work.job_id, Some(after)).await?;
            Ok(Err(Next::AsItIs))
        }
        Ok((None, false)) if change.kind == ChangeKind::Delete => {
            changed::found_done(domain, &work.job_id, None).await?;
            Ok(Err(Next::AsItIs))
        }
        Ok(_) => look(worker, work, change).await.map(|looked| looked.map(drop)),
        Err(error) => stopped(worker, &work.job_id, ITEM_READ, &error).await.map(Err),
    }
}

/// One attempt at making the change that was confirmed.
pub async fn make(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    change: &Change,
    running: &mut Running,
) -> Result<Next> {
    if let Err(next) = open(worker, claim, work, change, running).await? {
        return Ok(next);
    }
    // Opening it took its time, and a person may have been at it meanwhile.
    let item = match look(worker, work, change).await? {
        Ok(item) => item,
        Err(next) => return Ok(next),
    };
    if let Err(error) = limited(worker, running.composer.look()).await {
        return stopped(worker, &work.job_id, Stage::WardrobeRead.name(), &error).await;
    }
    Stage::WardrobeRead.reached().await;
    let proposal = Proposal {
        job_id: work.job_id.clone(),
        kind: EffectKind::of_change(change.kind),
        composer_id: running.id.clone(),
        revision_hash: work.revision_hash.clone(),
        lock: work.lock.clone(),
        known_remote_ids: Vec::new(),
        target_remote_id: Some(change.remote_id.clone()),
        target_photo_ids: item.photos.iter().map(|photo| photo.id.clone()).collect(),
        seen: Some(item),
    };
    match writes::change(worker, claim, proposal, &mut *running.composer).await? {
        Ok((effect_id, made)) => {
            let after = read_after(worker, work, change).await;
            changed::done(&worker.domain, &effect_id, after, "the site said so").await?;
            let step = Stage::PublishRecorded.name();
            steps::photographed_after(&worker.domain, &work.job_id, step, &made.evidence).await?;
            Stage::PublishRecorded.reached().await;
            Ok(Next::AsItIs)
        }
        Err(next) => Ok(next),
    }
}

/// The item after the change, as far as it can be read: what the site made of it, and what it calls new photos. The change
/// is made whatever this says.
async fn read_after(worker: &Worker, work: &Work, change: &Change) -> Option<ReadAfter> {
    if change.kind == ChangeKind::Delete {
        return None;
    }
    let read = limited(
        worker,
        worker.marketplace.own_item(&work.seat, &change.remote_id, None),
    )
    .await;
    Some(as_read(worker, work, change, read.ok()??).await)
}

async fn as_read(worker: &Worker, work: &Work, change: &Change, item: OwnItem) -> ReadAfter {
    let fetched = if changed::has_other_photos(change, &item) {
        let fetched = photos::fetch(worker, &work.seat, &work.revision.owner_id, &item).await;
        fetched.ok().and_then(photos::Fetched::all)
    } else {
        None
    };
    ReadAfter {
        fetched,
        words: words_of(&worker.domain, work).await,
        item,
    }
}

async fn is_listed(worker: &Worker, work: &Work, change: &Change) -> std::result::Result<bool, SiteError> {
    let wardrobe = worker.marketplace.wardrobe(&work.seat).await?;
    Ok(wardrobe.iter().any(|item| item.id == change.remote_id))
}

/// Reads the site for what became of a change, and decides as far as that goes.
pub async fn reconcile(
    worker: &Worker,
    work: &Work,
    change: &Change,
    effect: effects::Model,
) -> Result<Next> {
    let domain = &worker.domain;
    if effect.state == EffectState::Intended {
        let note = "its holder ended before it could say what happened";
        outcome::unconfirmed(domain, &effect.id, note).await?;
    }
    let (mut decision, item) = match read_and_decide(worker, work, change, &effect).await? {
        Ok(decided) => decided,
        Err(next) => return Ok(next),
    };
    Stage::SiteRead.reached().await;
    let is_absence = change.kind == ChangeKind::Delete && decision == Decision::Done;
    if is_absence || decision == Decision::NotDone {
        // One reading that shows nothing may be a bad one.
        let pause = u64::try_from(domain.settings.settle_poll_ms).unwrap_or(1_000);
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
) -> Result<std::result::Result<(Decision, Option<OwnItem>), Next>> {
    let read = async {
        let item = worker
            .marketplace
            .own_item(&work.seat, &change.remote_id, None)
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
    let now = worker.domain.store.now().await?;
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
) -> Result<Next> {
    let domain = &worker.domain;
    let step = Stage::Reconciled.name();
    let now = domain.store.now().await?;
    let ask = |message: &str| Next::Ask {
        reason: Reason::OutcomeUnknown,
        message: message.to_owned(),
    };
    let at_once = Next::Later {
        until: now,
        why: WaitReason::Worker,
    };
    Ok(match decision {
        Decision::Done => {
            steps::note(domain, &work.job_id, step, "the change is made").await?;
            let after = match item {
                Some(item) => Some(as_read(worker, work, change, item).await),
                None => None,
            };
            changed::done(domain, &effect.id, after, "found by reading").await?;
            at_once
        }
        Decision::NotDone => {
            if !compose::has_ended(domain, &work.seat.account_id, &effect.composer_id).await? {
                return Ok(ask("it cannot be proven that the earlier attempt has ended"));
            }
            if outcome::clicks_without_trace(domain, &work.job_id).await? >= TRACELESS_CLICKS {
                return Ok(ask(
                    "the change was tried again and again, and the site shows nothing of it; look there",
                ));
            }
            outcome::not_done(domain, &effect.id, outcome::TRACELESS, false, &[]).await?;
            steps::note(domain, &work.job_id, step, "not done; tried again").await?;
            at_once
        }
        Decision::NotYet => Next::Later {
            until: now + domain.settings.settle_poll_ms,
            why: WaitReason::Settling,
        },
        Decision::Ask => {
            ask("the site does not show whether the change was made; look there, then call ResolvePublishJob")
        }
    })
}

//! What became of a change of an item: decided from readings of the site, and written down.

use futures::FutureExt;
use vintedbot_marketplace::{ChangeKind, OwnItem};

use super::job::load;
use super::outcome::{Ended, end_in, load_open, settle};
use super::revision::Change;
use super::{EffectState, FieldChange, Revision};
use crate::clock::Millis;
use crate::store::Tx;
use crate::store::entities::{effects, listings as listing_rows, publish_jobs};
use crate::wardrobe::reading::{self, Reading};
use crate::wardrobe::seen::Pairing;
use crate::wardrobe::{Difference, Photos, Said, Seen, Words, compare};
use crate::{Domain, Result, listings};

/// What a reading of the site says about a change in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is made.
    Done,
    /// It is not.
    NotDone,
    /// Too early to say.
    NotYet,
    /// The site does not tell; a person has to.
    Ask,
}

/// Decides what a complete reading says: of the item by its id, and whether the wardrobe lists it. What was to come about
/// counts at once; that nothing has happened only after the settling window.
pub fn decide(
    effect: &effects::Model,
    change: &Change,
    item: Option<&OwnItem>,
    is_listed: bool,
    now: Millis,
) -> Decision {
    if crate::sabotage::skips("reconcile") {
        return Decision::NotDone;
    }
    let settled = effect.state == EffectState::Unconfirmed && now >= effect.settle_until;
    let unless_settled = |decision| if settled { decision } else { Decision::NotYet };
    match (change.kind, item) {
        (ChangeKind::Delete, None) if !is_listed => Decision::Done,
        (ChangeKind::Delete, Some(_)) if is_listed => unless_settled(Decision::NotDone),
        // The one says so and the other not, or what was to be changed is gone.
        (ChangeKind::Delete, _) | (_, None) => unless_settled(Decision::Ask),
        (_, Some(item)) if is_made(effect, change, item) => Decision::Done,
        (ChangeKind::Hide | ChangeKind::Unhide, Some(_)) => unless_settled(Decision::NotDone),
        (ChangeKind::Edit, Some(item)) if is_as_before(effect, item) => unless_settled(Decision::NotDone),
        (ChangeKind::Edit, Some(_)) => unless_settled(Decision::Ask),
    }
}

/// Whether an item is what was approved.
fn is_made(effect: &effects::Model, change: &Change, item: &OwnItem) -> bool {
    let before: Vec<String> = serde_json::from_str(&effect.target_photo_ids).unwrap_or_default();
    let photos = if change.keeps_photos {
        Photos::Are(before)
    } else {
        Photos::New {
            count: change.after.photos.count(),
            old: before,
        }
    };
    is_what_was_approved(change, photos, item)
}

/// Whether an item that was just read needs no change any more.
pub fn is_made_already(change: &Change, item: &OwnItem) -> bool {
    let photos = match &change.after.photos {
        // Nobody can tell whether photos that the site gave new names to are those that were approved.
        Photos::New { old, .. } if old.is_empty() => return false,
        photos => photos.clone(),
    };
    change.kind != ChangeKind::Delete && is_what_was_approved(change, photos, item)
}

fn is_what_was_approved(change: &Change, photos: Photos, item: &OwnItem) -> bool {
    match change.kind {
        ChangeKind::Hide => item.is_hidden,
        ChangeKind::Unhide => !item.is_hidden,
        ChangeKind::Delete => false,
        ChangeKind::Edit => {
            let approved = Said {
                photos,
                ..change.after.clone()
            };
            compare::compare(&approved, item, Words::NONE).is_empty()
        }
    }
}

/// Whether an item is still what it was right before the intent.
fn is_as_before(effect: &effects::Model, item: &OwnItem) -> bool {
    let before: Option<OwnItem> = effect
        .seen
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    before.is_some_and(|before| {
        let comparable = |item: &OwnItem| OwnItem {
            url: String::new(),
            photos: item
                .photos
                .iter()
                .map(|photo| vintedbot_marketplace::RemotePhoto {
                    url: None,
                    ..photo.clone()
                })
                .collect(),
            ..item.clone()
        };
        comparable(&before) == comparable(item)
    })
}

/// Keeps with the job what it changes, for the person to look at.
pub async fn note_changes(domain: &Domain, job_id: &str, changes: &[Difference]) -> Result<()> {
    use sea_orm::sea_query::Expr;
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    let changes = changes.iter().cloned().map(|each| FieldChange {
        field: each.field,
        before: each.here,
        after: each.there,
    });
    let (job_id, text) = (
        job_id.to_owned(),
        serde_json::to_string(&changes.collect::<Vec<_>>())?,
    );
    domain
        .store
        .write(move |tx| {
            let (job_id, text) = (job_id.clone(), text.clone());
            async move {
                // Not an event of its own: that the job is ready tells it.
                publish_jobs::Entity::update_many()
                    .col_expr(publish_jobs::Column::Changes, Expr::value(text))
                    .filter(publish_jobs::Column::Id.eq(job_id))
                    .exec(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// The change is made. Needs no claim: it is what happened. `item` is the item as it was read afterwards.
pub async fn done(domain: &Domain, effect_id: &str, item: Option<&OwnItem>, note: &str) -> Result<()> {
    let (effect_id, item, note) = (effect_id.to_owned(), item.cloned(), note.to_owned());
    domain
        .store
        .write(move |tx| {
            let (effect_id, item, note) = (effect_id.clone(), item.clone(), note.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(());
                };
                let row = load(tx, &effect.publish_job_id).await?;
                let remote_id = effect.target_remote_id.clone();
                settle(tx, effect, EffectState::Done, remote_id.as_deref(), &note).await?;
                end_done(tx, row, item).await
            }
            .boxed()
        })
        .await
}

/// The item is what was approved without a write of ours that is open: somebody made the change by hand.
pub async fn found_done(domain: &Domain, job_id: &str, item: Option<&OwnItem>) -> Result<()> {
    let (job_id, item) = (job_id.to_owned(), item.cloned());
    domain
        .store
        .write(move |tx| {
            let (job_id, item) = (job_id.clone(), item.clone());
            async move {
                let row = load(tx, &job_id).await?;
                if row.state.has_ended() {
                    return Ok(());
                }
                end_done(tx, row, item).await
            }
            .boxed()
        })
        .await
}

async fn end_done(tx: &Tx, row: publish_jobs::Model, item: Option<OwnItem>) -> Result<()> {
    let (id, job) = (row.listing_id.clone(), end_in(tx, row, Ended::Done).await?);
    let Some(item) = item.filter(|_| job.kind != super::JobKind::Delete) else {
        return Ok(());
    };
    let Some(row) = listings::find(tx, &id).await? else {
        return Ok(());
    };
    // The site may have altered what it accepted.
    let listing = listings::Listing::from(row.clone());
    let said = Seen::of(&row).said(&listing);
    let differences = compare::compare(&said, &item, Words::NONE);
    let reading = Reading {
        item: Some(item),
        differences,
        fetched: None,
    };
    reading::note(tx, row, reading).await
}

/// What a change that is made does to its listing.
pub(super) fn apply(job: &publish_jobs::Model, listing: &mut listing_rows::Model) -> Result<()> {
    let Some(change) = Revision::thaw(&job.revision, &job.revision_hash)?.change else {
        return Ok(());
    };
    match change.kind {
        ChangeKind::Hide => listing.hidden = true,
        ChangeKind::Unhide => listing.hidden = false,
        ChangeKind::Delete => {
            listing.state = listings::ListingState::Deleted;
            listing.remote_differences = "[]".to_owned();
        }
        ChangeKind::Edit => {
            listings::take_over_said(listing, &change.after, &change.photo_ids)?;
            listing.remote_differences = "[]".to_owned();
            if !change.keeps_photos {
                // What the site calls the new ones is known when it is read.
                let mut seen = Seen::of(listing);
                seen.pairing = None::<Pairing>;
                listing.remote_seen = Some(serde_json::to_string(&seen)?);
            }
        }
    }
    Ok(())
}

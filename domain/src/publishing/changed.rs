//! The outcome of a change of an item: deciding it from readings of the site, and recording it.

use futures::FutureExt;
use vintedbot_marketplace::{ChangeKind, Field, OwnItem, text};

use super::job::load;
use super::outcome::{Ended, end_in, load_open, settle};
use super::revision::Change;
use super::{EffectState, FieldChange, Revision};
use crate::clock::Millis;
use crate::store::Tx;
use crate::store::entities::{effects, listings as listing_rows, publish_jobs};
use crate::wardrobe::reading::{self, Reading};
use crate::wardrobe::snapshot::PhotoMapping;
use crate::wardrobe::{DesiredItem, Difference, Photos, RemoteSnapshot, Vocabulary, Words, compare};
use crate::{Context, Result, listings};

/// The conclusion from a reading of the site about a change in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The change was made.
    Done,
    /// The change was not made.
    NotDone,
    /// It is too early to decide.
    NotYet,
    /// The reading is inconclusive; a person has to answer.
    Ask,
}

/// Decides the outcome of a change from a complete reading: the item by its id, and whether the wardrobe lists it. The
/// intended result counts at once; its absence counts only after the settling window.
pub fn decide(
    effect: &effects::Model,
    change: &Change,
    item: Option<&OwnItem>,
    is_listed: bool,
    now: Millis,
) -> Decision {
    if crate::failpoints::disables("reconcile") {
        return Decision::NotDone;
    }
    let settled = effect.state == EffectState::Unconfirmed && now >= effect.settle_until;
    let unless_settled = |decision| if settled { decision } else { Decision::NotYet };
    match (change.kind, item) {
        (ChangeKind::Delete, None) if !is_listed => Decision::Done,
        (ChangeKind::Delete, Some(_)) if is_listed => unless_settled(Decision::NotDone),
        // The item and the wardrobe contradict each other, or the item to be changed is gone.
        (ChangeKind::Delete, _) | (_, None) => unless_settled(Decision::Ask),
        (_, Some(item)) if matches_change(effect, change, item) => Decision::Done,
        (ChangeKind::Hide | ChangeKind::Unhide, Some(_)) => unless_settled(Decision::NotDone),
        (ChangeKind::Edit, Some(item)) if is_unchanged(effect, item) => unless_settled(Decision::NotDone),
        (ChangeKind::Edit, Some(_)) => unless_settled(Decision::Ask),
    }
}

/// Returns whether an item equals the approved change.
fn matches_change(effect: &effects::Model, change: &Change, item: &OwnItem) -> bool {
    matches_approval(change, approved_photos(effect, change), item)
}

/// Returns the photos expected after the change, based on the photos right before the intent.
fn approved_photos(effect: &effects::Model, change: &Change) -> Photos {
    let before: Vec<String> = serde_json::from_str(&effect.target_photo_ids).unwrap_or_default();
    if change.keeps_photos {
        Photos::Are(before)
    } else {
        Photos::New {
            count: change.after.photos.count(),
            old: before,
        }
    }
}

/// Returns whether the photos of an item that was read after a change differ from those of the change.
pub fn has_other_photos(change: &Change, item: &OwnItem) -> bool {
    let differences = compare::compare(&change.after, item, Words::NONE);
    differences.iter().any(|each| each.field == Field::Photos.name())
}

/// Returns whether an item that was just read already equals the approved change. Always false for a deletion.
pub fn is_made_already(change: &Change, item: &OwnItem) -> bool {
    let photos = match &change.after.photos {
        // Without the old photo ids, new photos cannot be recognized as the approved ones.
        Photos::New { old, .. } if old.is_empty() => return false,
        photos => photos.clone(),
    };
    change.kind != ChangeKind::Delete && matches_approval(change, photos, item)
}

fn matches_approval(change: &Change, photos: Photos, item: &OwnItem) -> bool {
    match change.kind {
        ChangeKind::Hide => item.is_hidden,
        ChangeKind::Unhide => !item.is_hidden,
        ChangeKind::Delete => false,
        ChangeKind::Edit => {
            let approved = DesiredItem {
                photos,
                ..change.after.clone()
            };
            compare::compare(&approved, item, Words::NONE).is_empty()
        }
    }
}

/// Returns whether an item is unchanged since right before the intent.
fn is_unchanged(effect: &effects::Model, item: &OwnItem) -> bool {
    let before: Option<OwnItem> = effect
        .remote_snapshot
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    before.is_some_and(|before| {
        let comparable = |item: &OwnItem| OwnItem {
            url: String::new(),
            title: text::comparable(&item.title),
            description: text::comparable(&item.description),
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

/// Stores the field changes of a job for the person's review.
pub async fn note_changes(context: &Context, job_id: &str, changes: &[Difference]) -> Result<()> {
    use sea_orm::sea_query::Expr;
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    let changes = changes.iter().cloned().map(|each| FieldChange {
        field: each.field,
        before: each.local,
        after: each.remote,
    });
    let (job_id, text) = (
        job_id.to_owned(),
        serde_json::to_string(&changes.collect::<Vec<_>>())?,
    );
    context
        .store
        .write(move |tx| {
            let (job_id, text) = (job_id.clone(), text.clone());
            async move {
                // Emits no event, because the event that the job is ready follows.
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

/// An item as it was read after its change.
#[derive(Clone, Debug)]
pub struct ReadAfter {
    pub item: OwnItem,
    /// The ids of the fetched copies of its photos. Absent: the listing's photos apply.
    pub fetched: Option<Vec<String>>,
    pub words: Vocabulary,
}

/// Records that the change was made, and ends the job. Requires no claim, because the effect has happened. Alterations
/// that the site made to the accepted values are stored with the listing, as an import would do.
pub async fn done(context: &Context, effect_id: &str, after: Option<ReadAfter>, note: &str) -> Result<()> {
    let (effect_id, note) = (effect_id.to_owned(), note.to_owned());
    context
        .store
        .write(move |tx| {
            let (effect_id, after, note) = (effect_id.clone(), after.clone(), note.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(());
                };
                let row = load(tx, &effect.subject_id).await?;
                let remote_id = effect.target_remote_id.clone();
                let effect = settle(tx, effect, EffectState::Done, remote_id.as_deref(), &note).await?;
                end_done(tx, row, Some(&effect), after).await
            }
            .boxed()
        })
        .await
}

/// Ends a job whose change was found on the site without an open effect: somebody made the change by hand.
pub async fn found_done(context: &Context, job_id: &str, after: Option<ReadAfter>) -> Result<()> {
    let job_id = job_id.to_owned();
    context
        .store
        .write(move |tx| {
            let (job_id, after) = (job_id.clone(), after.clone());
            async move {
                let row = load(tx, &job_id).await?;
                if row.state.has_ended() {
                    return Ok(());
                }
                end_done(tx, row, None, after).await
            }
            .boxed()
        })
        .await
}

async fn end_done(
    tx: &Tx,
    row: publish_jobs::Model,
    effect: Option<&effects::Model>,
    after: Option<ReadAfter>,
) -> Result<()> {
    let change = Revision::decode(&row.revision, &row.revision_hash)?.change;
    let id = row.listing_id.clone();
    end_in(tx, row, Ended::Done).await?;
    let (Some(after), Some(change)) = (after, change.filter(|change| change.kind != ChangeKind::Delete))
    else {
        return Ok(());
    };
    let ReadAfter { item, fetched, words } = after;
    if effect.is_some_and(|effect| is_unchanged(effect, &item) && !matches_change(effect, &change, &item)) {
        // The site does not show the accepted change yet, so that this reading says nothing about it.
        return Ok(());
    }
    let Some(row) = listings::find(tx, &id).await? else {
        return Ok(());
    };
    let listing = listings::Listing::from(row.clone());
    let mut desired = RemoteSnapshot::of(&row).desired(&listing);
    if let Some(effect) = effect.filter(|_| !change.keeps_photos) {
        // An old photo that is still on the site is not one of the listing's.
        desired.photos = approved_photos(effect, &change);
    }
    let reading = Reading {
        differences: compare::compare(&desired, &item, words.as_words()),
        item: Some(item),
        fetched,
    };
    reading::note(tx, row, reading).await
}

/// Applies a completed change to its listing.
pub(super) fn apply(job: &publish_jobs::Model, listing: &mut listing_rows::Model) -> Result<()> {
    let Some(change) = Revision::decode(&job.revision, &job.revision_hash)?.change else {
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
            listings::take_over_desired(listing, &change.after, &change.photo_ids)?;
            listing.remote_differences = "[]".to_owned();
            if !change.keeps_photos {
                // The site's ids of the new photos are known only after the next reading.
                let mut snapshot = RemoteSnapshot::of(listing);
                snapshot.photo_mapping = None::<PhotoMapping>;
                listing.remote_snapshot = Some(serde_json::to_string(&snapshot)?);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use vintedbot_marketplace::{Money, RemotePhoto};

    use super::*;
    use crate::publishing::EffectKind;

    const NOW: Millis = 10_000;

    fn euros(minor_units: i64) -> Option<Money> {
        let currency = "EUR".to_owned();
        Some(Money {
            minor_units,
            currency,
        })
    }

    fn item(price: i64, photo: &str) -> OwnItem {
        OwnItem {
            id: "50".to_owned(),
            title: "Jumper".to_owned(),
            description: "Warm".to_owned(),
            price: euros(price),
            category_id: None,
            brand_id: None,
            brand: None,
            size_id: None,
            condition_id: None,
            color_ids: Vec::new(),
            material_ids: Vec::new(),
            package_size_id: None,
            photos: vec![RemotePhoto {
                id: photo.to_owned(),
                url: None,
            }],
            is_draft: false,
            is_hidden: false,
            is_closed: false,
            is_reserved: false,
            url: "https://site.invalid/items/50".to_owned(),
        }
    }

    fn desired(price: i64) -> DesiredItem {
        DesiredItem {
            title: "Jumper".to_owned(),
            description: "Warm".to_owned(),
            price: euros(price),
            category: None,
            brand: None,
            size: None,
            condition: None,
            colors: Vec::new(),
            materials: Vec::new(),
            package_size: None,
            photos: Photos::Count(1),
            hidden: None,
            closed: None,
        }
    }

    fn change(kind: ChangeKind, keeps_photos: bool) -> Change {
        Change {
            kind,
            remote_id: "50".to_owned(),
            keeps_photos,
            overwrite_remote: false,
            before: desired(900),
            after: desired(700),
            photo_ids: Vec::new(),
        }
    }

    /// An effect on the item at 9.00 with the photo `p1`, whose settling window is over at that time.
    fn effect(kind: ChangeKind, settle_until: Millis) -> effects::Model {
        effects::Model {
            id: "effect".to_owned(),
            workspace_id: "workspace".to_owned(),
            account_id: "account".to_owned(),
            site: "practice".to_owned(),
            subject_id: "job".to_owned(),
            kind: EffectKind::of_change(kind),
            state: EffectState::Unconfirmed,
            claim_epoch: 1,
            form_session_id: "form-session".to_owned(),
            intent_time: 0,
            not_after: 1,
            reconcile_after: 2,
            settle_until,
            known_remote_ids: "[]".to_owned(),
            target_remote_id: Some("50".to_owned()),
            target_photo_ids: "[\"p1\"]".to_owned(),
            remote_id: None,
            note: None,
            decide_time: None,
            watch_until: None,
            remote_snapshot: serde_json::to_string(&item(900, "p1")).ok(),
        }
    }

    /// Returns the decisions before and after the end of the settling window.
    fn decided(change: &Change, item: Option<&OwnItem>, is_listed: bool) -> [Decision; 2] {
        [NOW + 1, NOW]
            .map(|settle_until| decide(&effect(change.kind, settle_until), change, item, is_listed, NOW))
    }

    #[test]
    fn edit_is_done_when_item_matches_approval() {
        let edit = change(ChangeKind::Edit, true);
        assert_eq!(decided(&edit, Some(&item(700, "p1")), true), [Decision::Done; 2]);
    }

    #[test]
    fn edit_is_not_done_when_item_is_unchanged_after_settling() {
        let edit = change(ChangeKind::Edit, true);
        let expected = [Decision::NotYet, Decision::NotDone];
        assert_eq!(decided(&edit, Some(&item(900, "p1")), true), expected);
    }

    #[test]
    fn edit_of_changed_or_missing_item_asks_the_person() {
        let edit = change(ChangeKind::Edit, true);
        let expected = [Decision::NotYet, Decision::Ask];
        assert_eq!(decided(&edit, Some(&item(800, "p1")), true), expected);
        assert_eq!(
            decided(&edit, Some(&item(700, "p9")), true),
            expected,
            "other photos"
        );
        assert_eq!(decided(&edit, None, false), expected);
    }

    #[test]
    fn photo_edit_is_done_when_no_old_photo_is_left() {
        let edit = change(ChangeKind::Edit, false);
        assert_eq!(decided(&edit, Some(&item(700, "p2")), true), [Decision::Done; 2]);
        let half = [Decision::NotYet, Decision::Ask];
        assert_eq!(decided(&edit, Some(&item(700, "p1")), true), half);
    }

    #[test]
    fn hide_and_unhide_are_read_from_the_flag() {
        let hidden = OwnItem {
            is_hidden: true,
            ..item(900, "p1")
        };
        let shown = item(900, "p1");
        let undone = [Decision::NotYet, Decision::NotDone];
        for (kind, made, not_made) in [
            (ChangeKind::Hide, &hidden, &shown),
            (ChangeKind::Unhide, &shown, &hidden),
        ] {
            assert_eq!(
                decided(&change(kind, true), Some(made), true),
                [Decision::Done; 2]
            );
            assert_eq!(decided(&change(kind, true), Some(not_made), true), undone);
        }
    }

    #[test]
    fn delete_is_done_when_item_and_wardrobe_lack_it() {
        let delete = change(ChangeKind::Delete, true);
        assert_eq!(decided(&delete, None, false), [Decision::Done; 2]);
        let there = item(900, "p1");
        assert_eq!(
            decided(&delete, Some(&there), true),
            [Decision::NotYet, Decision::NotDone]
        );
        let asked = [Decision::NotYet, Decision::Ask];
        assert_eq!(decided(&delete, None, true), asked, "the wardrobe still lists it");
        assert_eq!(
            decided(&delete, Some(&there), false),
            asked,
            "the item is read, but not listed"
        );
    }

    #[test]
    fn open_intent_is_not_settled_while_it_may_still_act() {
        let delete = change(ChangeKind::Delete, true);
        let open = effects::Model {
            state: EffectState::Intended,
            ..effect(ChangeKind::Delete, 0)
        };
        assert_eq!(
            decide(&open, &delete, Some(&item(900, "p1")), true, NOW),
            Decision::NotYet
        );
    }

    #[test]
    fn already_approved_state_needs_no_click() {
        assert!(is_made_already(&change(ChangeKind::Edit, true), &item(700, "p1")));
        assert!(!is_made_already(
            &change(ChangeKind::Edit, true),
            &item(900, "p1")
        ));
        let unknown = Photos::New {
            count: 1,
            old: Vec::new(),
        };
        let edit = Change {
            after: DesiredItem {
                photos: unknown,
                ..desired(700)
            },
            ..change(ChangeKind::Edit, false)
        };
        assert!(
            !is_made_already(&edit, &item(700, "p1")),
            "the photos cannot be recognized"
        );
    }
}

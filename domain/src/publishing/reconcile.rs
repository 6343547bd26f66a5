//! Reconciliation: deciding the outcome of an effect from a reading of the site. The decision is a pure function of the
//! effect, the content, the claims, the reading and the time.

use std::collections::HashMap;

use vintedbot_marketplace::text::comparable;
use vintedbot_marketplace::{ItemContent, RemoteItem};

use super::{EffectKind, EffectState, claims, manual_takeover};
use crate::clock::Millis;
use crate::store::entities::effects;
use crate::{Context, Result};

/// A complete reading of the site.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The item with the id of the draft to publish. Absent: there is no item with this id.
    pub target: Option<RemoteItem>,
    pub wardrobe: Vec<RemoteItem>,
    /// New drafts of the wardrobe, read one by one for the fields that the wardrobe does not show.
    pub details: HashMap<String, RemoteItem>,
}

/// The conclusion from a reading about an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The effect happened and produced this item.
    Done {
        remote_id: String,
        url: String,
        hidden: bool,
    },
    /// The effect did not happen. `strays` are private drafts that it may have left.
    NotDone { strays: Vec<String> },
    /// It is too early to decide.
    NotYet,
    /// The reading is inconclusive; a person has to answer.
    Ask,
}

/// Returns the items of a wardrobe that may come from the effect: they are new, not claimed by another job, and equal
/// to the content in title, price and number of photos.
pub fn candidates<'a>(
    effect: &effects::Model,
    content: &ItemContent,
    claimed: &HashMap<String, String>,
    wardrobe: &'a [RemoteItem],
) -> Vec<&'a RemoteItem> {
    let is_draft = effect.kind == EffectKind::DraftSave;
    newcomers(effect, content, claimed, wardrobe)
        .into_iter()
        .filter(|item| item.is_draft == is_draft)
        .collect()
}

fn newcomers<'a>(
    effect: &effects::Model,
    content: &ItemContent,
    claimed: &HashMap<String, String>,
    wardrobe: &'a [RemoteItem],
) -> Vec<&'a RemoteItem> {
    let known: Vec<String> = serde_json::from_str(&effect.known_remote_ids).unwrap_or_default();
    wardrobe
        .iter()
        .filter(|item| !known.contains(&item.id))
        .filter(|item| claimed.get(&item.id).is_none_or(|job| *job == effect.subject_id))
        .filter(|item| looks_like(item, content))
        .collect()
}

pub(super) fn looks_like(item: &RemoteItem, content: &ItemContent) -> bool {
    let same_photos = item.photo_ids.is_empty() || item.photo_ids.len() == content.photo_sha256s.len();
    comparable(&item.title) == comparable(&content.title) && item.price == content.price && same_photos
}

/// Decides the outcome of an effect from a complete reading. Presence counts at once; absence counts only after the
/// settling window.
pub fn decide(
    effect: &effects::Model,
    content: &ItemContent,
    claimed: &HashMap<String, String>,
    reading: &Reading,
    now: Millis,
) -> Decision {
    if crate::failpoints::disables("reconcile") {
        return Decision::NotDone { strays: Vec::new() };
    }
    let settled = effect.state == EffectState::Unconfirmed && now >= effect.settle_until;
    let found = candidates(effect, content, claimed, &reading.wardrobe);
    match effect.kind {
        EffectKind::DraftSave => {
            let ours: Vec<_> = found
                .into_iter()
                .filter(|item| is_equal(item, content, reading))
                .collect();
            let newcomers = newcomers(effect, content, claimed, &reading.wardrobe);
            match ours.as_slice() {
                [item] => done(item),
                // Somebody may have published the draft by hand before it was found.
                _ if newcomers.iter().any(|item| !item.is_draft) => Decision::Ask,
                [] if !settled => Decision::NotYet,
                // Drafts are private, so that saving another one is harmless if none or several could be the effect's.
                strays => Decision::NotDone {
                    strays: strays.iter().map(|item| item.id.clone()).collect(),
                },
            }
        }
        EffectKind::ManualTakeover => {
            manual_takeover::decide(effect, content, claimed, &reading.wardrobe, settled)
        }
        EffectKind::Edit
        | EffectKind::Hide
        | EffectKind::Unhide
        | EffectKind::Delete
        | EffectKind::Reply
        | EffectKind::ThreadRemoval => Decision::Ask,
        EffectKind::Publish => match &reading.target {
            Some(item) if !item.is_draft => done(item),
            Some(_) if settled => Decision::NotDone { strays: Vec::new() },
            Some(_) => Decision::NotYet,
            // There is no item with the draft's id: it may have been published under another id.
            None => {
                let photos: Vec<String> = serde_json::from_str(&effect.target_photo_ids).unwrap_or_default();
                let ours: Vec<_> = found
                    .into_iter()
                    .filter(|item| item.photo_ids.is_empty() || photos.is_empty() || item.photo_ids == photos)
                    .collect();
                match ours.as_slice() {
                    [item] => done(item),
                    _ if settled => Decision::Ask,
                    _ => Decision::NotYet,
                }
            }
        },
    }
}

/// Returns whether a draft also equals the content in the fields that only its own page shows.
fn is_equal(item: &RemoteItem, content: &ItemContent, reading: &Reading) -> bool {
    reading.details.get(&item.id).is_some_and(|detail| {
        detail.is_draft
            && detail
                .description
                .as_ref()
                .is_none_or(|text| comparable(text) == comparable(&content.description))
            && detail.category_id.is_none_or(|id| id == content.category.id)
    })
}

pub(super) fn done(item: &RemoteItem) -> Decision {
    Decision::Done {
        remote_id: item.id.clone(),
        url: item.url.clone(),
        hidden: item.is_hidden,
    }
}

/// Returns the claimed item ids of an account, each with the id of its job.
pub async fn claimed(context: &Context, account_id: &str) -> Result<HashMap<String, String>> {
    claims::claimed(context.store.reader(), account_id).await
}

#[cfg(test)]
mod tests {
    use vintedbot_marketplace::{CategoryChoice, Money};

    use super::*;

    const NOW: Millis = 10_000;

    fn content() -> ItemContent {
        ItemContent {
            title: "Jumper".to_owned(),
            description: "Warm".to_owned(),
            price: Money {
                minor_units: 900,
                currency: "EUR".to_owned(),
            },
            category: CategoryChoice {
                id: 7,
                path: Vec::new(),
            },
            brand: None,
            size: None,
            condition: None,
            colors: Vec::new(),
            materials: Vec::new(),
            package_size: None,
            photo_sha256s: vec!["a".to_owned()],
        }
    }

    fn item(id: &str, is_draft: bool) -> RemoteItem {
        RemoteItem {
            id: id.to_owned(),
            title: "Jumper".to_owned(),
            price: Money {
                minor_units: 900,
                currency: "EUR".to_owned(),
            },
            is_draft,
            is_hidden: false,
            is_closed: false,
            url: format!("https://site.invalid/items/{id}"),
            photo_ids: vec!["p1".to_owned()],
            description: Some("Warm".to_owned()),
            category_id: Some(7),
        }
    }

    fn effect(kind: EffectKind, settle_until: Millis) -> effects::Model {
        effects::Model {
            id: "effect".to_owned(),
            workspace_id: "workspace".to_owned(),
            account_id: "account".to_owned(),
            site: "practice".to_owned(),
            subject_id: "job".to_owned(),
            kind,
            state: EffectState::Unconfirmed,
            claim_epoch: 1,
            form_session_id: "form-session".to_owned(),
            intent_time: 0,
            not_after: 1,
            reconcile_after: 2,
            settle_until,
            known_remote_ids: "[\"1\"]".to_owned(),
            target_remote_id: (kind == EffectKind::Publish).then(|| "50".to_owned()),
            target_photo_ids: "[\"p1\"]".to_owned(),
            remote_id: None,
            note: None,
            decide_time: None,
            watch_until: None,
            remote_snapshot: None,
        }
    }

    fn published(reading: &Reading, settle_until: Millis) -> Decision {
        decide(
            &effect(EffectKind::Publish, settle_until),
            &content(),
            &HashMap::new(),
            reading,
            NOW,
        )
    }

    fn drafted(wardrobe: Vec<RemoteItem>, settle_until: Millis) -> Decision {
        let details = wardrobe
            .iter()
            .map(|item| (item.id.clone(), item.clone()))
            .collect();
        let reading = Reading {
            target: None,
            wardrobe,
            details,
        };
        decide(
            &effect(EffectKind::DraftSave, settle_until),
            &content(),
            &HashMap::new(),
            &reading,
            NOW,
        )
    }

    #[test]
    fn former_draft_counts_as_published() {
        let reading = Reading {
            target: Some(item("50", false)),
            ..Reading::default()
        };
        assert!(
            matches!(published(&reading, NOW + 1), Decision::Done { remote_id, .. } if remote_id == "50")
        );
    }

    #[test]
    fn draft_with_another_form_of_its_texts_is_found() {
        let stored = RemoteItem {
            title: "\u{feff}Jumper\u{200f} ".to_owned(),
            description: Some("Warm\r\n".to_owned()),
            ..item("60", true)
        };
        let decision = drafted(vec![stored], NOW + 1);
        assert!(matches!(decision, Decision::Done { remote_id, .. } if remote_id == "60"));
    }

    #[test]
    fn remaining_draft_counts_only_after_the_settling_window() {
        let reading = Reading {
            target: Some(item("50", true)),
            ..Reading::default()
        };
        assert_eq!(published(&reading, NOW + 1), Decision::NotYet);
        assert_eq!(published(&reading, NOW), Decision::NotDone { strays: Vec::new() });
    }

    #[test]
    fn missing_draft_needs_one_new_item_with_its_photos() {
        let gone = Reading::default();
        assert_eq!(published(&gone, NOW + 1), Decision::NotYet);
        assert_eq!(published(&gone, NOW), Decision::Ask);
        let moved = Reading {
            wardrobe: vec![item("60", false)],
            ..Reading::default()
        };
        assert!(matches!(published(&moved, NOW), Decision::Done { remote_id, .. } if remote_id == "60"));
        let twins = Reading {
            wardrobe: vec![item("60", false), item("61", false)],
            ..Reading::default()
        };
        assert_eq!(published(&twins, NOW), Decision::Ask);
        let other_photos = RemoteItem {
            photo_ids: vec!["p9".to_owned()],
            ..item("60", false)
        };
        let stranger = Reading {
            wardrobe: vec![other_photos],
            ..Reading::default()
        };
        assert_eq!(published(&stranger, NOW), Decision::Ask);
    }

    #[test]
    fn known_and_foreign_items_are_never_matched() {
        let known = Reading {
            wardrobe: vec![item("1", false)],
            ..Reading::default()
        };
        assert_eq!(published(&known, NOW), Decision::Ask);
        let claimed = HashMap::from([("60".to_owned(), "another job".to_owned())]);
        let reading = Reading {
            wardrobe: vec![item("60", false)],
            ..Reading::default()
        };
        let decision = decide(
            &effect(EffectKind::Publish, NOW),
            &content(),
            &claimed,
            &reading,
            NOW,
        );
        assert_eq!(decision, Decision::Ask);
    }

    #[test]
    fn draft_save_in_doubt_takes_the_single_equal_draft() {
        assert!(
            matches!(drafted(vec![item("60", true)], NOW + 1), Decision::Done { remote_id, .. } if remote_id == "60")
        );
        assert_eq!(drafted(Vec::new(), NOW + 1), Decision::NotYet);
        assert_eq!(drafted(Vec::new(), NOW), Decision::NotDone { strays: Vec::new() });
        let strays = vec!["60".to_owned(), "61".to_owned()];
        assert_eq!(
            drafted(vec![item("60", true), item("61", true)], NOW + 1),
            Decision::NotDone { strays }
        );
        let other_text = RemoteItem {
            description: Some("Cold".to_owned()),
            ..item("60", true)
        };
        assert_eq!(
            drafted(vec![other_text], NOW),
            Decision::NotDone { strays: Vec::new() }
        );
    }

    #[test]
    fn draft_save_in_doubt_with_published_twin_asks() {
        assert_eq!(drafted(vec![item("60", false)], NOW), Decision::Ask);
    }
}

//! Finding out what became of an effect, from readings of the site. The decision is a pure function of what was read.

use std::collections::HashMap;

use vintedbot_marketplace::{ItemContent, RemoteItem};

use super::{EffectKind, EffectState, claims};
use crate::clock::Millis;
use crate::store::entities::effects;
use crate::{Domain, Result};

/// What was read of the site, completely.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The draft that was to be published: its item, or that there is none with that id.
    pub target: Option<RemoteItem>,
    pub wardrobe: Vec<RemoteItem>,
    /// New drafts of the wardrobe that were read one by one, for the fields that a wardrobe does not show.
    pub details: HashMap<String, RemoteItem>,
}

/// What a reading says about an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It happened, as this item.
    Done { remote_id: String, url: String, hidden: bool },
    /// It did not happen. `strays` are private drafts that may be ours, and that nobody else needs.
    NotDone { strays: Vec<String> },
    /// Too early to say.
    NotYet,
    /// The site does not tell; a person has to.
    Ask,
}

/// The items of a wardrobe that were not there before the effect and belong to nobody else, and say what we said.
pub fn candidates<'a>(
    effect: &effects::Model,
    content: &ItemContent,
    claimed: &HashMap<String, String>,
    wardrobe: &'a [RemoteItem],
) -> Vec<&'a RemoteItem> {
    let is_draft = effect.kind == EffectKind::DraftSave;
    newcomers(effect, content, claimed, wardrobe).into_iter().filter(|item| item.is_draft == is_draft).collect()
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
        .filter(|item| claimed.get(&item.id).is_none_or(|job| *job == effect.publish_job_id))
        .filter(|item| looks_like(item, content))
        .collect()
}

fn looks_like(item: &RemoteItem, content: &ItemContent) -> bool {
    let same_photos = item.photo_ids.is_empty() || item.photo_ids.len() == content.photo_sha256s.len();
    item.title == content.title && item.price == content.price && same_photos
}

/// Decides what a complete reading says. Presence counts at once; absence only after the settling window.
pub fn decide(
    effect: &effects::Model,
    content: &ItemContent,
    claimed: &HashMap<String, String>,
    reading: &Reading,
    now: Millis,
) -> Decision {
    if crate::sabotage::skips("reconcile") {
        return Decision::NotDone { strays: Vec::new() };
    }
    let settled = effect.state == EffectState::Unconfirmed && now >= effect.settle_until;
    let found = candidates(effect, content, claimed, &reading.wardrobe);
    match effect.kind {
        EffectKind::DraftSave => {
            let ours: Vec<_> = found.into_iter().filter(|item| is_equal(item, content, reading)).collect();
            let newcomers = newcomers(effect, content, claimed, &reading.wardrobe);
            match ours.as_slice() {
                [item] => done(item),
                // Somebody may have published the draft by hand before we found it.
                _ if newcomers.iter().any(|item| !item.is_draft) => Decision::Ask,
                [] if !settled => Decision::NotYet,
                // Drafts are private: with none, or with several that could be ours, a fresh one harms nobody.
                strays => Decision::NotDone { strays: strays.iter().map(|item| item.id.clone()).collect() },
            }
        }
        EffectKind::Publish => match &reading.target {
            Some(item) if !item.is_draft => done(item),
            Some(_) if settled => Decision::NotDone { strays: Vec::new() },
            Some(_) => Decision::NotYet,
            // The id is gone: the item may have come out under another one.
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

/// Whether a draft is equal to the revision also in what only a reading of its own shows.
fn is_equal(item: &RemoteItem, content: &ItemContent, reading: &Reading) -> bool {
    reading.details.get(&item.id).is_some_and(|detail| {
        detail.is_draft
            && detail.description.as_ref().is_none_or(|text| *text == content.description)
            && detail.category_id.is_none_or(|id| id == content.category.id)
    })
}

fn done(item: &RemoteItem) -> Decision {
    Decision::Done { remote_id: item.id.clone(), url: item.url.clone(), hidden: item.is_hidden }
}

/// Ids of the account's items that listings of ours have claimed, each with its job.
pub async fn claimed(domain: &Domain, account_id: &str) -> Result<HashMap<String, String>> {
    claims::claimed(domain.store.reader(), account_id).await
}

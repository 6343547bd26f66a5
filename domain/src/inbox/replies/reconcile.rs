//! What a complete reading of a conversation says about a reply whose outcome is not known.

use std::collections::HashSet;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use vintedbot_marketplace::{Conversation, EntryContent};

use super::attempt::Work;
use super::normalised;
use crate::clock::Millis;
use crate::publishing::{EffectKind, EffectState};
use crate::store::entities::effects;
use crate::{Domain, Result};

/// The first of two readings that have to show nothing.
pub const NOTHING_ONCE: &str = "nothing of it in the first reading after the settling window";

/// What follows from a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is there, as that message.
    Sent { remote_id: String },
    /// The site may still show it.
    NotYet,
    /// Nothing of it where it would have to be; a second reading decides.
    NothingOnce,
    /// Nothing of it in two readings.
    NotSent,
    /// Something else of ours appeared.
    Differs,
}

/// Ids of the account's messages in a reading, as far as the site gives them any.
pub fn own_message_ids(conversation: &Conversation, member_id: Option<&str>) -> Vec<String> {
    own(conversation, member_id)
        .map(|(id, _, _)| id.to_owned())
        .collect()
}

/// Ids of messages that replies of the account became.
pub async fn claimed(domain: &Domain, account_id: &str) -> Result<HashSet<String>> {
    let ids: Vec<String> = effects::Entity::find()
        .select_only()
        .column(effects::Column::RemoteId)
        .filter(effects::Column::AccountId.eq(account_id))
        .filter(effects::Column::Kind.eq(EffectKind::Reply))
        .filter(effects::Column::RemoteId.is_not_null())
        .into_tuple()
        .all(domain.store.reader())
        .await?;
    Ok(ids.into_iter().collect())
}

/// Decides what a complete reading says. Presence counts at once; absence only after the settling window, and twice.
pub fn decide(
    effect: &effects::Model,
    work: &Work,
    claimed: &HashSet<String>,
    conversation: &Conversation,
    now: Millis,
) -> Decision {
    if crate::sabotage::skips("reconcile") {
        return Decision::NotSent;
    }
    let known: Vec<String> = serde_json::from_str(&effect.known_remote_ids).unwrap_or_default();
    let new: Vec<_> = own(conversation, work.member_id.as_deref())
        .filter(|(id, _, _)| !known.iter().any(|one| one == id) && !claimed.contains(*id))
        .collect();
    let text = normalised(&work.text);
    let equal = new
        .iter()
        .find(|(_, body, photos)| normalised(body) == text && *photos == work.photo_sha256s.len());
    if let Some((id, _, _)) = equal {
        return Decision::Sent {
            remote_id: (*id).to_owned(),
        };
    }
    let settled = effect.state == EffectState::Unconfirmed && now >= effect.settle_until;
    if !settled {
        Decision::NotYet
    } else if !new.is_empty() {
        Decision::Differs
    } else if effect.note.as_deref() == Some(NOTHING_ONCE) {
        Decision::NotSent
    } else {
        Decision::NothingOnce
    }
}

/// The account's own messages, in the order in which they were written: id, text, photos.
fn own<'a>(
    conversation: &'a Conversation,
    member_id: Option<&'a str>,
) -> impl Iterator<Item = (&'a str, &'a str, usize)> {
    let entries = conversation.entries.iter();
    entries.filter_map(move |entry| match &entry.content {
        EntryContent::Message { body, photo_urls } if conversation.may_be_own(entry, member_id) => {
            Some((entry.remote_id.as_deref()?, body.as_str(), photo_urls.len()))
        }
        _ => None,
    })
}

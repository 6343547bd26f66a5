//! Conversations between a seller and a buyer: their entries, read states and visibility times.
//!
//! `deals` holds price changes and sales; `shown` converts conversations to the site's JSON.

pub mod deals;
pub mod shown;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::buyers::Mood;
use crate::inbox::deals::{OPEN, Transaction};
use crate::ontology::{Locale, text};
use crate::store::State;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conversation {
    pub id: u64,
    pub seller_id: u64,
    pub buyer_id: u64,
    /// The transaction; absent if nothing is for sale, as in messages of the site itself.
    pub transaction: Option<Transaction>,
    /// The entries in the order in which they were accepted.
    pub entries: Vec<Entry>,
    pub read_by_seller: bool,
    pub read_by_buyer: bool,
    pub reply_allowed: bool,
    /// The members who removed the conversation from their inbox.
    pub deleted_by: BTreeSet<u64>,
    /// The time of the last change other than a new entry, in UTC milliseconds.
    pub touch_time: i64,
    /// The plan of a simulated buyer; absent for a buyer whom only the admin API controls.
    pub mood: Option<Mood>,
}

/// An entry of a conversation and its visibility. Times are UTC milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub id: u64,
    pub time: i64,
    /// The time from which the inbox considers the entry; `None` means never.
    pub list_time: Option<i64>,
    /// The time from which readings of the conversation contain the entry.
    pub read_time: i64,
    // State files of earlier versions name this field `said`.
    #[serde(alias = "said")]
    pub content: EntryContent,
}

/// The content of an entry. Amounts are minor units. A title may be the key of a text in `data/texts.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryContent {
    Message {
        member_id: u64,
        body: String,
        photo_ids: Vec<u64>,
        is_hidden: bool,
    },
    /// The buyer asks for a price.
    OfferRequest {
        price: i64,
        original_price: i64,
        /// One of the numbers in [`deals`].
        status: u64,
        current: bool,
    },
    /// The seller offers a price.
    Offer {
        price: i64,
        original_price: i64,
        current: bool,
    },
    Status {
        title: String,
        subtitle: String,
    },
    Action {
        title: String,
        subtitle: String,
        /// The name and title of each button, the primary one first.
        buttons: Vec<(String, String)>,
    },
    /// An entry of an unknown kind.
    Other {
        entity_type: String,
        entity: Value,
    },
}

/// The times from which a new entry is visible.
#[derive(Clone, Copy, Debug)]
pub struct Shows {
    pub time: i64,
    pub list_time: Option<i64>,
    pub read_time: i64,
}

impl Shows {
    pub fn at_once(time: i64) -> Self {
        Self {
            time,
            list_time: Some(time),
            read_time: time,
        }
    }
}

impl Conversation {
    /// Returns the author of an entry; `None` means the site.
    pub fn author(&self, content: &EntryContent) -> Option<u64> {
        match content {
            EntryContent::Message { member_id, .. } => Some(*member_id),
            EntryContent::OfferRequest { .. } => Some(self.buyer_id),
            EntryContent::Offer { .. } => Some(self.seller_id),
            EntryContent::Status { .. } | EntryContent::Action { .. } | EntryContent::Other { .. } => None,
        }
    }

    /// Returns whether the conversation is in the inbox of `member_id`.
    pub fn is_of(&self, member_id: u64) -> bool {
        (self.seller_id == member_id || self.buyer_id == member_id) && !self.deleted_by.contains(&member_id)
    }

    pub fn opposite(&self, member_id: u64) -> u64 {
        if self.seller_id == member_id {
            self.buyer_id
        } else {
            self.seller_id
        }
    }

    pub fn read_by(&self, member_id: u64) -> bool {
        if self.seller_id == member_id {
            self.read_by_seller
        } else {
            self.read_by_buyer
        }
    }

    pub fn set_read(&mut self, member_id: u64, read: bool) {
        if self.seller_id == member_id {
            self.read_by_seller = read;
        }
        if self.buyer_id == member_id {
            self.read_by_buyer = read;
        }
    }

    /// Returns the entries that readings contain at `now`, oldest first.
    pub fn readable(&self, now: i64) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.read_time <= now)
    }

    /// Returns the newest entry that the inbox considers at `now`.
    fn listed(&self, now: i64) -> Option<&Entry> {
        let mut newest_first = self.entries.iter().rev();
        newest_first.find(|entry| entry.list_time.is_some_and(|from| from <= now))
    }

    /// Returns the time of the last change, as the inbox shows it at `now`.
    pub fn update_time(&self, now: i64) -> i64 {
        let entry = self.listed(now).map_or(0, |entry| entry.time);
        entry.max(self.touch_time)
    }

    /// Returns the last message, or else the subject of the conversation.
    pub fn description(&self, locale: Locale, now: i64) -> String {
        let last = self.listed(now).map(|entry| &entry.content);
        match last {
            Some(EntryContent::Message { body, is_hidden, .. }) if !*is_hidden && !body.is_empty() => {
                body.clone()
            }
            Some(EntryContent::Status { title, .. } | EntryContent::Action { title, .. }) => {
                words(locale, title)
            }
            _ => self.subtitle(locale),
        }
    }

    /// Returns the subject of the conversation.
    pub fn subtitle(&self, locale: Locale) -> String {
        let transaction = self.transaction.as_ref();
        transaction.map_or_else(String::new, |one| words(locale, &one.item_title))
    }
}

/// Returns the text with the key `named`, or `named` itself if there is no such key.
pub fn words(locale: Locale, named: &str) -> String {
    match text(locale, named) {
        "" => named.to_owned(),
        found => found.to_owned(),
    }
}

impl State {
    /// Opens a conversation between two members about items of the seller. Returns `None` if an item is not the
    /// seller's.
    pub fn open_conversation(
        &mut self,
        seller_id: u64,
        buyer_id: u64,
        item_ids: &[u64],
        now: i64,
    ) -> Option<u64> {
        let items = item_ids
            .iter()
            .map(|id| self.items.get(id).filter(|item| item.member_id == seller_id));
        let items: Vec<_> = items.collect::<Option<Vec<_>>>()?;
        let transaction = items.first().map(|first| Transaction {
            id: 0,
            status: OPEN,
            item_ids: item_ids.to_vec(),
            item_title: if items.len() > 1 {
                "bundle".to_owned()
            } else {
                first.title.clone()
            },
            photo_id: first.photo_ids.first().copied(),
            price: items.iter().filter_map(|item| item.price).sum(),
            offer_id: None,
        });
        let transaction = transaction.map(|one| Transaction {
            id: self.new_id(),
            ..one
        });
        let id = self.new_id();
        let conversation = Conversation {
            id,
            seller_id,
            buyer_id,
            transaction,
            entries: Vec::new(),
            read_by_seller: true,
            read_by_buyer: true,
            reply_allowed: true,
            deleted_by: BTreeSet::new(),
            touch_time: now,
            mood: None,
        };
        self.conversations.insert(id, conversation);
        Some(id)
    }

    /// Adds an entry, which is unread for everyone except its author. Returns its id.
    pub fn add_entry(&mut self, conversation_id: u64, content: EntryContent, shows: Shows) -> Option<u64> {
        let id = self.new_id();
        let conversation = self.conversations.get_mut(&conversation_id)?;
        let author = conversation.author(&content);
        for member_id in [conversation.seller_id, conversation.buyer_id] {
            if author != Some(member_id) {
                conversation.set_read(member_id, false);
            }
        }
        conversation.entries.push(Entry {
            id,
            time: shows.time,
            list_time: shows.list_time,
            read_time: shows.read_time,
            content,
        });
        Some(id)
    }

    /// Returns a member's conversations with the times of their last change, latest first.
    pub fn inbox(&self, member_id: u64, now: i64) -> Vec<(i64, &Conversation)> {
        let own = self.conversations.values().filter(|one| one.is_of(member_id));
        let mut rows: Vec<_> = own.map(|one| (one.update_time(now), one)).collect();
        rows.sort_by_key(|(time, one)| std::cmp::Reverse((*time, one.id)));
        rows
    }

    /// Returns the number of conversations that `member_id` has not read.
    pub fn unread(&self, member_id: u64) -> usize {
        let own = self.conversations.values().filter(|one| one.is_of(member_id));
        own.filter(|one| !one.read_by(member_id)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_of_an_earlier_version_is_read() {
        let message =
            serde_json::json!({ "member_id": 5, "body": "Hello", "photo_ids": [], "is_hidden": false });
        let old = serde_json::json!({
            "id": 1, "time": 2, "list_time": 2, "read_time": 2, "said": { "message": message },
        });
        let entry: Entry = serde_json::from_value(old).expect("an entry");
        assert!(
            matches!(entry.content, EntryContent::Message { member_id: 5, .. }),
            "{entry:?}"
        );
    }
}

//! Conversations between a seller and a buyer: what was said in them, who has read it, and from when it shows.
//!
//! `deals` holds what changes a price or sells a thing; `shown` how the site's JSON tells all of it.

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
    /// Absent where nothing is for sale, as in what the site itself writes.
    pub transaction: Option<Transaction>,
    /// In the order in which they were accepted.
    pub entries: Vec<Entry>,
    pub read_by_seller: bool,
    pub read_by_buyer: bool,
    pub reply_allowed: bool,
    /// Those who no longer have it in their inbox.
    pub deleted_by: BTreeSet<u64>,
    /// When anything changed in it other than by a new entry. UTC milliseconds.
    pub touch_time: i64,
    /// What its buyer is up to; absent for one whom only the admin API moves.
    pub mood: Option<Mood>,
}

/// Something in a conversation, and when it can be seen. Times are UTC milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub id: u64,
    pub time: i64,
    /// From when the inbox goes by it; `None` is never.
    pub list_time: Option<i64>,
    /// From when readings of the conversation have it.
    pub read_time: i64,
    pub said: Said,
}

/// What an entry says. Amounts are minor units; a title may be the name of a text in `data/texts.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
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
    /// The seller names a price.
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
        /// Name and title of each button, the primary one first.
        buttons: Vec<(String, String)>,
    },
    /// Of a kind that nobody knows.
    Other {
        entity_type: String,
        entity: Value,
    },
}

/// From when an entry that is about to be accepted shows.
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
    /// Who wrote an entry; `None` is the site.
    pub fn author(&self, said: &Said) -> Option<u64> {
        match said {
            Said::Message { member_id, .. } => Some(*member_id),
            Said::OfferRequest { .. } => Some(self.buyer_id),
            Said::Offer { .. } => Some(self.seller_id),
            Said::Status { .. } | Said::Action { .. } | Said::Other { .. } => None,
        }
    }

    /// Whether `member_id` has it in their inbox.
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

    /// What readings show at `now`, oldest first.
    pub fn readable(&self, now: i64) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.read_time <= now)
    }

    /// The newest entry that the inbox goes by at `now`.
    fn listed(&self, now: i64) -> Option<&Entry> {
        let mut newest_first = self.entries.iter().rev();
        newest_first.find(|entry| entry.list_time.is_some_and(|from| from <= now))
    }

    /// When it changed last, as the inbox tells it at `now`.
    pub fn update_time(&self, now: i64) -> i64 {
        let entry = self.listed(now).map_or(0, |entry| entry.time);
        entry.max(self.touch_time)
    }

    /// The last thing said, or what it is about.
    pub fn description(&self, locale: Locale, now: i64) -> String {
        let last = self.listed(now).map(|entry| &entry.said);
        match last {
            Some(Said::Message { body, is_hidden, .. }) if !*is_hidden && !body.is_empty() => body.clone(),
            Some(Said::Status { title, .. } | Said::Action { title, .. }) => words(locale, title),
            _ => self.subtitle(locale),
        }
    }

    /// What it is about.
    pub fn subtitle(&self, locale: Locale) -> String {
        let transaction = self.transaction.as_ref();
        transaction.map_or_else(String::new, |one| words(locale, &one.item_title))
    }
}

/// The text named so, or else the words themselves.
pub fn words(locale: Locale, named: &str) -> String {
    match text(locale, named) {
        "" => named.to_owned(),
        found => found.to_owned(),
    }
}

impl State {
    /// Opens a conversation between two members on items of the seller's; `None` where an item is not theirs.
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

    /// Adds an entry, which is news to everybody but its author. Answers with its id.
    pub fn say(&mut self, conversation_id: u64, said: Said, shows: Shows) -> Option<u64> {
        let id = self.new_id();
        let conversation = self.conversations.get_mut(&conversation_id)?;
        let author = conversation.author(&said);
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
            said,
        });
        Some(id)
    }

    /// A member's conversations and when each changed, latest first.
    pub fn inbox(&self, member_id: u64, now: i64) -> Vec<(i64, &Conversation)> {
        let own = self.conversations.values().filter(|one| one.is_of(member_id));
        let mut rows: Vec<_> = own.map(|one| (one.update_time(now), one)).collect();
        rows.sort_by_key(|(time, one)| std::cmp::Reverse((*time, one.id)));
        rows
    }

    /// How many conversations have something that `member_id` has not read.
    pub fn unread(&self, member_id: u64) -> usize {
        let own = self.conversations.values().filter(|one| one.is_of(member_id));
        own.filter(|one| !one.read_by(member_id)).count()
    }
}

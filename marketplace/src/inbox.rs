//! Conversations between members on the site, and the trait that reads and writes them.
//!
//! The site names the kind of an entry by an `entity_type`. Known kinds are variants of [`EntryContent`]; any other is
//! returned unchanged as [`EntryContent::Unknown`]. If fields of an entry are missing, the other fields are still
//! returned.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{AccountContext, Error, Money, Permit, PhotoFile, WriteError};

/// A page of the inbox, most recent change first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxPage {
    pub rows: Vec<InboxRow>,
    /// The number of rows without a usable conversation id. They are skipped, and the page is incomplete.
    pub unreadable: u32,
    /// Whether the site has more pages. Absent: it does not say.
    pub has_more: Option<bool>,
    /// The site's own clock when it answered, in UTC milliseconds. Absent: it does not say.
    pub site_time: Option<i64>,
}

/// A conversation as the inbox lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxRow {
    pub conversation_id: String,
    /// When it last changed, in UTC milliseconds. Absent: the site does not say.
    pub update_time: Option<i64>,
    /// The last message, or the item's title.
    pub description: String,
    pub unread: bool,
    pub person: Option<Counterparty>,
}

/// The other member of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counterparty {
    pub member_id: String,
    pub login: String,
    pub is_system: bool,
}

/// A conversation as its own page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub id: String,
    /// Absent: the site does not say, for example because the member is gone.
    pub person: Option<Counterparty>,
    pub subtitle: String,
    pub unread: bool,
    pub reply_allowed: bool,
    pub read_by_account: bool,
    pub read_by_person: bool,
    pub transaction: Option<Transaction>,
    /// Oldest first.
    pub entries: Vec<Entry>,
}

impl Conversation {
    /// Whether an entry may be the account's own. That is so if its author is `member_id`, as far as that is known, or
    /// if its author is not the counterparty.
    pub fn may_be_own(&self, entry: &Entry, member_id: Option<&str>) -> bool {
        let Some(author) = entry.member_id.as_deref() else {
            return false;
        };
        let is_other = self
            .person
            .as_ref()
            .is_none_or(|person| person.member_id == author);
        member_id == Some(author) || !is_other
    }
}

/// The site's status number of a transaction in which nothing is paid (as seen 2026, confidence A).
const OPEN: i64 = 1;

/// The state of the transaction in a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    pub id: String,
    /// The site's own status number.
    pub status: Option<i64>,
    pub side: Option<Side>,
    pub is_bundle: bool,
    pub is_reserved: bool,
    pub is_completed: bool,
    /// Several for a bundle; none if the site does not name them.
    pub item_ids: Vec<String>,
    pub item_title: String,
    pub item_url: Option<String>,
    pub item_is_closed: bool,
    pub price: Option<Money>,
}

impl Transaction {
    /// Whether its offers can still be answered: nothing is paid, returned or cancelled, and the item is for sale. A
    /// status that the site does not state counts as open.
    pub fn is_open(&self) -> bool {
        self.status.is_none_or(|status| status == OPEN) && !self.is_completed && !self.item_is_closed
    }
}

/// Which side of a transaction the account is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Side {
    Seller,
    Buyer,
}

/// An entry of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The site's id. Absent: entries of this kind have none.
    pub remote_id: Option<String>,
    /// The author. Absent: the site.
    pub member_id: Option<String>,
    /// UTC milliseconds. Absent: the site does not say, or in an unknown form.
    pub time: Option<i64>,
    pub content: EntryContent,
    pub hidden: bool,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryContent {
    Message {
        body: String,
        /// Addresses of the photos' largest versions, in order.
        photo_urls: Vec<String>,
    },
    /// A buyer requests a price. The latest request of the buyer is current, even if the seller offers a price later.
    OfferRequest {
        /// The site's id of the request, by which it is answered. The entry has another id.
        offer_id: Option<String>,
        transaction_id: Option<String>,
        price: Option<Money>,
        original_price: Option<Money>,
        /// The site's own number: 10 pending, 20 accepted, 30 rejected, 40 cancelled.
        status: Option<i64>,
        current: bool,
    },
    /// The seller offers a price. Has no status; the latest offer of the seller is current.
    SellerOffer {
        price: Option<Money>,
        original_price: Option<Money>,
        current: bool,
    },
    Status {
        title: String,
        subtitle: String,
    },
    Action {
        title: String,
        subtitle: String,
        buttons: Vec<Button>,
    },
    /// An unknown kind, as the site's unchanged JSON.
    Unknown {
        entity_type: String,
        json: String,
    },
}

/// A button for an action that the site offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    pub action: String,
    pub title: String,
    pub primary: bool,
}

/// A reply to send.
#[derive(Clone, Debug)]
pub struct OutgoingReply {
    /// Our id of the reply, which distinguishes its uploads from those of other replies.
    pub reply_id: String,
    pub conversation_id: String,
    pub text: String,
    pub photos: Vec<PhotoFile>,
}

/// The inbox of a site.
#[async_trait]
pub trait Inbox: Send + Sync + 'static {
    /// Returns a page of the inbox, counted from 1. An emptied page, or one of an unknown structure, is an error.
    async fn inbox_page(&self, account_context: &AccountContext, page: u32) -> Result<InboxPage, Error>;

    /// Returns a conversation with all its entries; `None` if the site reports that it does not exist. Reading it does
    /// not mark it as read (measured 2026-10-08, confidence A).
    async fn conversation(
        &self,
        account_context: &AccountContext,
        conversation_id: &str,
    ) -> Result<Option<Conversation>, Error>;

    /// Marks a conversation as read. Repeating it changes nothing.
    async fn mark_read(&self, account_context: &AccountContext, conversation_id: &str) -> Result<(), Error>;

    /// Removes a conversation from the account's inbox with one request; the other member keeps theirs. A conversation
    /// that no longer exists counts as removed.
    async fn remove_conversation(
        &self,
        account_context: &AccountContext,
        permit: &dyn Permit,
        conversation_id: &str,
    ) -> Result<(), WriteError>;

    /// Sends a reply once. Its photos are uploaded first, which other members do not see. Returns the message's id if
    /// the site's answer contains it.
    async fn send_reply(
        &self,
        account_context: &AccountContext,
        permit: &dyn Permit,
        reply: &OutgoingReply,
    ) -> Result<Option<String>, WriteError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_is_open_until_it_is_paid_or_closed() {
        let with = |status: Option<i64>, is_completed: bool, item_is_closed: bool| Transaction {
            status,
            is_completed,
            item_is_closed,
            ..Transaction::default()
        };
        assert!(with(Some(1), false, false).is_open());
        assert!(with(None, false, false).is_open());
        for status in [210, 230, 430, 440, 450, 455, 500, 510, 520] {
            assert!(!with(Some(status), false, false).is_open(), "{status}");
        }
        assert!(!with(Some(1), true, false).is_open());
        assert!(!with(Some(1), false, true).is_open());
    }
}

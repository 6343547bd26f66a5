//! What members say to each other on the site, and the trait that reads it.
//!
//! The site names entries by an `entity_type`; what is known of each is a variant of [`EntryContent`], and what is not comes
//! as [`EntryContent::Unknown`], as it was. An entry's fields may be missing: whatever can be told without them is told.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Error, Money, Permit, PhotoFile, Seat, WriteError};

/// A page of the inbox, newest change first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboxPage {
    pub rows: Vec<InboxRow>,
    /// Rows without which it could not be told which conversation they are; they are skipped, and the page is incomplete.
    pub unreadable: u32,
    /// Whether the site says that there are more pages. Absent: it does not say.
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
    pub person: Option<Interlocutor>,
}

/// The other side of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interlocutor {
    pub member_id: String,
    pub login: String,
    pub is_system: bool,
}

/// A conversation as its own page tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub id: String,
    /// Absent: the site does not say, as for a member who is gone.
    pub person: Option<Interlocutor>,
    pub subtitle: String,
    pub unread: bool,
    pub reply_allowed: bool,
    pub read_by_account: bool,
    pub read_by_person: bool,
    pub transaction: Option<Transaction>,
    /// In the order in which they were written, oldest first.
    pub entries: Vec<Entry>,
}

impl Conversation {
    /// Whether an entry may be the account's own, whose id is `member_id` as far as it is known: written under that id, or by
    /// somebody who is not the other one.
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

/// What was agreed on in a conversation so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    pub id: String,
    /// The site's own number of where it stands.
    pub status: Option<i64>,
    pub side: Option<Side>,
    pub is_bundle: bool,
    pub is_reserved: bool,
    pub is_completed: bool,
    /// Several in a bundle; none where the site does not say.
    pub item_ids: Vec<String>,
    pub item_title: String,
    pub item_url: Option<String>,
    pub item_is_closed: bool,
    pub price: Option<Money>,
}

/// Which side of a transaction the account is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Side {
    Seller,
    Buyer,
}

/// Something in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The site's id. Absent: entries of this kind have none.
    pub remote_id: Option<String>,
    /// Who wrote it. Absent: the site.
    pub member_id: Option<String>,
    /// UTC milliseconds. Absent: the site does not say, or in a way that is not known.
    pub time: Option<i64>,
    pub content: EntryContent,
    pub hidden: bool,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryContent {
    Message {
        body: String,
        /// Addresses of the photos' largest versions, in order.
        photo_urls: Vec<String>,
    },
    /// A buyer asks for a price.
    OfferRequest {
        transaction_id: Option<String>,
        price: Option<Money>,
        original_price: Option<Money>,
        /// The site's own number: 10 pending, 20 accepted, 30 rejected, 40 cancelled.
        status: Option<i64>,
        current: bool,
    },
    /// The seller names a price.
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
    /// A kind that is not known, as JSON, as it came.
    Unknown {
        entity_type: String,
        json: String,
    },
}

/// Something that the site offers to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    pub action: String,
    pub title: String,
    pub primary: bool,
}

/// What is to be sent into a conversation.
#[derive(Clone, Debug)]
pub struct OutgoingReply {
    /// Ours, by which its uploads are told from those of other replies.
    pub reply_id: String,
    pub conversation_id: String,
    pub text: String,
    pub photos: Vec<PhotoFile>,
}

/// The inbox of a site.
#[async_trait]
pub trait Inbox: Send + Sync + 'static {
    /// A page of the inbox, counted from 1. One that is emptied, or of a shape that is not known, is an error.
    async fn inbox_page(&self, seat: &Seat, page: u32) -> Result<InboxPage, Error>;

    /// A conversation with all its entries; `None` when the site says that there is none with that id. Reading it does not
    /// mark it as read (measured 2026-10-08, confidence A).
    async fn conversation(&self, seat: &Seat, conversation_id: &str) -> Result<Option<Conversation>, Error>;

    /// Marks a conversation as read. Marking it again changes nothing.
    async fn mark_read(&self, seat: &Seat, conversation_id: &str) -> Result<(), Error>;

    /// Removes a conversation from the account's inbox, asking once; the other side keeps theirs. One that is not there any
    /// more is removed.
    async fn remove_conversation(
        &self,
        seat: &Seat,
        permit: &dyn Permit,
        conversation_id: &str,
    ) -> Result<(), WriteError>;

    /// Sends a reply, once. Photos are uploaded first, which is private. Answers with the message's id, if the site says it.
    async fn send_reply(
        &self,
        seat: &Seat,
        permit: &dyn Permit,
        reply: &OutgoingReply,
    ) -> Result<Option<String>, WriteError>;
}

//! An entry of a conversation.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::{Button, Money};

use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::messages;

/// The sender of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Author {
    Account,
    Person,
    Site,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageKind {
    Message,
    OfferRequest,
    SellerOffer,
    Status,
    Action,
    Unknown,
}

/// The structured content of a message, in addition to its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Content {
    OfferRequest {
        /// The site's id of the request. Rows of earlier versions do not have it; there the message's id is this id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer_id: Option<String>,
        transaction_id: Option<String>,
        price: Option<Money>,
        original_price: Option<Money>,
        /// The site's number: 10 pending, 20 accepted, 30 rejected, 40 cancelled.
        status: Option<i64>,
        current: bool,
    },
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
    Unknown {
        entity_type: String,
        json: String,
    },
}

/// The storage state of a message's photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AttachmentState {
    Pending,
    Stored,
    Failed,
}

/// A photo in a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub state: AttachmentState,
    /// The photo's address on the site.
    pub url: String,
    pub photo_id: Option<String>,
    pub message: String,
    /// The number of failed attempts to fetch it.
    #[serde(default)]
    pub attempts: u32,
}

/// An entry of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub thread_id: String,
    pub remote_id: Option<String>,
    pub kind: MessageKind,
    pub author: Author,
    pub text: String,
    pub content: Option<Content>,
    pub attachments: Vec<Attachment>,
    pub time: Millis,
    pub position: i64,
    pub read: bool,
    pub hidden: bool,
    pub reply_id: Option<String>,
    pub sequence: i64,
}

impl From<messages::Model> for Message {
    fn from(row: messages::Model) -> Self {
        Self {
            content: row
                .content
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok()),
            attachments: serde_json::from_str(&row.attachments).unwrap_or_default(),
            id: row.id,
            workspace_id: row.workspace_id,
            account_id: row.account_id,
            thread_id: row.thread_id,
            remote_id: row.remote_id,
            kind: row.kind,
            author: row.author,
            text: row.text,
            time: row.time,
            position: row.position,
            read: row.read,
            hidden: row.hidden,
            reply_id: row.reply_id,
            sequence: row.sequence,
        }
    }
}

impl Resource for Message {
    const TYPE: ResourceType = ResourceType::Message;
    fn id(&self) -> &str {
        &self.id
    }
    fn workspace_id(&self) -> &str {
        &self.workspace_id
    }
    fn account_id(&self) -> Option<&str> {
        Some(&self.account_id)
    }
    fn thread_id(&self) -> Option<&str> {
        Some(&self.thread_id)
    }
}

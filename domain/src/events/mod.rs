//! The event log: every change that a client may care about, in an order that never changes.
//!
//! - [`append`] is a transaction's last act: it takes the owner's next sequences under the lock of `event_heads`, so that
//!   commit order is sequence order and every visible sequence is final and gap-free.
//! - [`log`] reads; [`Feed`] wakes readers; [`retain`] removes a prefix and moves the floor.
//! - [`Cursor`] is how a reader says where it stands.
//!
//! A new kind: a variant of [`Kind`], its twin in the contract's `EventKind`, and an `emit` beside the change.

mod cursor;
mod feed;
mod log;
mod retain;

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DeriveActiveEnum, EntityTrait, EnumIter, Statement, sea_query::Value,
};
use serde::{Deserialize, Serialize};

pub use cursor::Cursor;
pub use feed::{Ephemeral, Feed, Hint, Wake};
pub(crate) use log::read_in;
pub use log::{Event, Page, head, heads, read};
pub use retain::retain;

use crate::identity::Scope;
use crate::store::Tx;
use crate::store::entities::events;
use crate::{Error, Result};

/// What happened. The names are those of the contract's `EventKind`, without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    AccountCreated,
    AccountUpdated,
    AccountDeleted,
    AccountModeChanged,
    AccountPaused,
    AccountResumed,
    AccountSessionImported,
    AccountSessionInvalidated,
    AccountSessionForgotten,
    ApiTokenCreated,
    ApiTokenRevoked,
    ApiTokenUpdated,
    PhotoCreated,
    PhotoDeleted,
    ListingCreated,
    ListingUpdated,
    ListingDeleted,
    WardrobeImportCreated,
    WardrobeImportUpdated,
    WardrobeImportEnded,
    PublishJobCreated,
    PublishJobUpdated,
    PublishJobReady,
    PublishJobConfirmed,
    PublishJobPublishing,
    PublishJobUnconfirmed,
    PublishJobBlocked,
    PublishJobPublished,
    PublishJobFailed,
    PublishJobCancelled,
    PublishJobExpired,
    PublishJobScheduled,
    PublishJobHandedOver,
    PublishJobDone,
    PossibleDuplicate,
    ThreadCreated,
    ThreadUpdated,
    ThreadDeleted,
    ThreadDraftSaved,
    MessageReceived,
    MessageSent,
    MessageUpdated,
    ReplyCreated,
    ReplyUpdated,
    ReplySending,
    ReplySent,
    ReplyUnconfirmed,
    ReplyFailed,
    ReplyBlocked,
    ReplyCancelled,
    ReplyPossibleDuplicate,
    TemplateCreated,
    TemplateUpdated,
    TemplateDeleted,
    WebhookEndpointCreated,
    WebhookEndpointUpdated,
    WebhookEndpointDisabled,
    WebhookEndpointDeleted,
}

/// What it happened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ResourceType {
    Account,
    ApiToken,
    Photo,
    Listing,
    PublishJob,
    WardrobeImport,
    Thread,
    Message,
    Reply,
    Template,
    WebhookEndpoint,
}

impl ResourceType {
    /// The table whose row carries the sequence of its last change.
    fn table(self) -> &'static str {
        match self {
            Self::Account => "accounts",
            Self::ApiToken => "api_tokens",
            Self::Photo => "photos",
            Self::Listing => "listings",
            Self::PublishJob => "publish_jobs",
            Self::WardrobeImport => "wardrobe_imports",
            Self::Thread => "threads",
            Self::Message => "messages",
            Self::Reply => "replies",
            Self::Template => "templates",
            Self::WebhookEndpoint => "webhook_endpoints",
        }
    }

    /// The scope without which a resource comes without its content.
    pub fn read_scope(self) -> Scope {
        match self {
            Self::Account => Scope::AccountsRead,
            Self::ApiToken => Scope::AuthManage,
            Self::Photo => Scope::MediaRead,
            Self::Listing | Self::WardrobeImport => Scope::ListingsRead,
            Self::PublishJob => Scope::PublishRead,
            Self::Thread | Self::Message | Self::Reply | Self::Template => Scope::InboxRead,
            Self::WebhookEndpoint => Scope::WebhooksRead,
        }
    }
}

/// An event that waits for its transaction's end to get its sequence.
#[derive(Debug)]
pub struct PendingEvent {
    owner_id: String,
    kind: Kind,
    resource_type: ResourceType,
    resource_id: String,
    account_id: Option<String>,
    thread_id: Option<String>,
    /// The resource after the change, an object with a `sequence`; `Null` for one that is gone.
    payload: serde_json::Value,
}

impl PendingEvent {
    /// A change of `resource`, whose JSON the event keeps.
    pub fn changed<R: Resource>(kind: Kind, resource: &R) -> Result<Self> {
        Ok(Self {
            payload: serde_json::to_value(resource)?,
            ..Self::gone(kind, resource)
        })
    }

    /// The end of `resource`.
    pub fn gone<R: Resource>(kind: Kind, resource: &R) -> Self {
        Self {
            owner_id: resource.owner_id().to_owned(),
            kind,
            resource_type: R::TYPE,
            resource_id: resource.id().to_owned(),
            account_id: resource.account_id().map(str::to_owned),
            thread_id: resource.thread_id().map(str::to_owned),
            payload: serde_json::Value::Null,
        }
    }
}

/// Something that events speak of.
pub trait Resource: Serialize {
    const TYPE: ResourceType;
    fn id(&self) -> &str;
    fn owner_id(&self) -> &str;
    fn account_id(&self) -> Option<&str>;
    /// The thread that it belongs to, where it is of the inbox.
    fn thread_id(&self) -> Option<&str> {
        None
    }
}

/// Writes events with their sequences and stamps the rows that they speak of. Returns the owners, in id order.
pub(crate) async fn append(tx: &Tx, pending: Vec<PendingEvent>) -> Result<Vec<String>> {
    let mut by_owner: BTreeMap<String, Vec<PendingEvent>> = BTreeMap::new();
    for event in pending {
        by_owner.entry(event.owner_id.clone()).or_default().push(event);
    }
    let owners = by_owner.keys().cloned().collect();
    for (owner_id, events) in by_owner {
        let time = tx.now().await?;
        let mut sequence = take_sequences(tx, &owner_id, events.len() as i64).await?;
        let mut rows = Vec::with_capacity(events.len());
        for mut event in events {
            sequence += 1;
            if let serde_json::Value::Object(object) = &mut event.payload {
                object.insert("sequence".to_owned(), sequence.into());
            }
            stamp(tx, event.resource_type, &event.resource_id, sequence).await?;
            rows.push(events::ActiveModel {
                owner_id: Set(owner_id.clone()),
                sequence: Set(sequence),
                time: Set(time),
                kind: Set(event.kind),
                resource_type: Set(event.resource_type),
                resource_id: Set(event.resource_id),
                account_id: Set(event.account_id),
                thread_id: Set(event.thread_id),
                payload: Set(event.payload.to_string()),
            });
        }
        // Engines limit how many values one statement may carry.
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(500));
            events::Entity::insert_many(rows)
                .exec_without_returning(tx)
                .await?;
            rows = rest;
        }
    }
    Ok(owners)
}

/// Advances the owner's head by `count` under its row lock and returns the sequence before the first new one.
async fn take_sequences(tx: &Tx, owner_id: &str, count: i64) -> Result<i64> {
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "UPDATE event_heads SET sequence = sequence + $1 WHERE owner_id = $2 RETURNING sequence",
        [Value::from(count), Value::from(owner_id)],
    );
    let row = tx.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::Internal(format!("owner {owner_id} has no event log")))?;
    let head: i64 = row.try_get("", "sequence")?;
    Ok(head - count)
}

async fn stamp(tx: &Tx, resource_type: ResourceType, id: &str, sequence: i64) -> Result<()> {
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        format!("UPDATE {} SET sequence = $1 WHERE id = $2", resource_type.table()),
        [Value::from(sequence), Value::from(id)],
    );
    tx.execute_raw(statement).await?;
    Ok(())
}

//! The event log: all changes that clients may need, per workspace, in a final order.
//!
//! - [`append`] runs last in a transaction. It takes the next sequences of the workspace under the row lock of
//!   `event_heads`, so commit order equals sequence order, and visible sequences are final and without gaps.
//! - [`log`] reads events, [`Feed`] wakes readers, [`retain`] removes a prefix and moves the floor.
//! - [`Cursor`] is the signed position of a reader.
//!
//! To add a kind: add a variant to [`Kind`], the same value to `EventKind` in the contract, and an `emit` next to the
//! change.

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

use crate::identity::{Scope, Scopes};
use crate::store::Tx;
use crate::store::entities::events;
use crate::{Error, Result};

/// The kind of an event. The names are those of the contract's `EventKind` without the prefix.
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
    PublishJobManualTakeover,
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
    UserCreated,
    UserUpdated,
    UserDeleted,
    UserSessionEnded,
}

/// The type of the resource that an event is about.
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
    User,
    UserSession,
}

impl ResourceType {
    /// Returns the table whose rows carry the sequence of their last change.
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
            Self::User => "users",
            Self::UserSession => "user_sessions",
        }
    }

    /// Returns whether the scopes include the read scope of the resource. People and their sessions have no read scope,
    /// so API tokens and webhooks never get their content.
    pub fn is_readable(self, scopes: &Scopes) -> bool {
        let scope = match self {
            Self::Account => Scope::AccountsRead,
            Self::User | Self::UserSession => return false,
            Self::ApiToken => Scope::AuthManage,
            Self::Photo => Scope::MediaRead,
            Self::Listing | Self::WardrobeImport => Scope::ListingsRead,
            Self::PublishJob => Scope::PublishRead,
            Self::Thread | Self::Message | Self::Reply | Self::Template => Scope::InboxRead,
            Self::WebhookEndpoint => Scope::WebhooksRead,
        };
        scopes.contains(scope)
    }
}

/// An event that gets its sequence at the end of its transaction.
#[derive(Debug)]
pub struct PendingEvent {
    workspace_id: String,
    kind: Kind,
    resource_type: ResourceType,
    resource_id: String,
    account_id: Option<String>,
    thread_id: Option<String>,
    /// The resource after the change, an object with a `sequence`; `Null` if the resource was deleted.
    payload: serde_json::Value,
}

impl PendingEvent {
    /// Describes a change of `resource`. The event stores the resource as JSON.
    pub fn changed<R: Resource>(kind: Kind, resource: &R) -> Result<Self> {
        Ok(Self {
            payload: serde_json::to_value(resource)?,
            ..Self::gone(kind, resource)
        })
    }

    /// Describes the deletion of `resource`.
    pub fn gone<R: Resource>(kind: Kind, resource: &R) -> Self {
        Self {
            workspace_id: resource.workspace_id().to_owned(),
            kind,
            resource_type: R::TYPE,
            resource_id: resource.id().to_owned(),
            account_id: resource.account_id().map(str::to_owned),
            thread_id: resource.thread_id().map(str::to_owned),
            payload: serde_json::Value::Null,
        }
    }
}

/// A resource that events are about.
pub trait Resource: Serialize {
    const TYPE: ResourceType;
    fn id(&self) -> &str;
    fn workspace_id(&self) -> &str;
    fn account_id(&self) -> Option<&str>;
    /// Returns the id of the thread that the resource belongs to; only inbox resources have one.
    fn thread_id(&self) -> Option<&str> {
        None
    }
}

/// Writes events with their sequences and stamps the rows that they are about. Returns the ids of the workspaces, in
/// order.
pub(crate) async fn append(tx: &Tx, pending: Vec<PendingEvent>) -> Result<Vec<String>> {
    let mut by_workspace: BTreeMap<String, Vec<PendingEvent>> = BTreeMap::new();
    for event in pending {
        by_workspace
            .entry(event.workspace_id.clone())
            .or_default()
            .push(event);
    }
    let workspaces = by_workspace.keys().cloned().collect();
    for (workspace_id, events) in by_workspace {
        let time = tx.now().await?;
        let mut sequence = take_sequences(tx, &workspace_id, events.len() as i64).await?;
        let mut rows = Vec::with_capacity(events.len());
        for mut event in events {
            sequence += 1;
            if let serde_json::Value::Object(object) = &mut event.payload {
                object.insert("sequence".to_owned(), sequence.into());
            }
            stamp(tx, event.resource_type, &event.resource_id, sequence).await?;
            rows.push(events::ActiveModel {
                workspace_id: Set(workspace_id.clone()),
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
        // Both engines limit the number of values in one statement.
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(500));
            events::Entity::insert_many(rows)
                .exec_without_returning(tx)
                .await?;
            rows = rest;
        }
    }
    Ok(workspaces)
}

/// Advances the workspace's head by `count` under its row lock and returns the sequence before the first new one.
async fn take_sequences(tx: &Tx, workspace_id: &str, count: i64) -> Result<i64> {
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "UPDATE event_heads SET sequence = sequence + $1 WHERE workspace_id = $2 RETURNING sequence",
        [Value::from(count), Value::from(workspace_id)],
    );
    let row = tx.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::Internal(format!("workspace {workspace_id} has no event log")))?;
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

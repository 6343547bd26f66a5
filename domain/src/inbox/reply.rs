//! A reply: a message on its way from an account to the counterparty.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use crate::Reason;
use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::replies;

/// The state of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReplyState {
    AwaitingConfirmation,
    Queued,
    Sending,
    Sent,
    Unconfirmed,
    Failed,
    Blocked,
    Cancelled,
}

impl ReplyState {
    /// Whether the reply has ended: the worker does nothing more for it, and no question to a person is open.
    /// `RetryReply` can queue a FAILED reply again.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Cancelled)
    }
}

/// A reply: a message on its way from an account to the counterparty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub thread_id: String,
    pub site: String,
    pub state: ReplyState,
    pub text: String,
    pub photo_ids: Vec<String>,
    pub content_hash: String,
    pub send_time: Option<Millis>,
    pub requires_action: bool,
    pub reason: Option<Reason>,
    pub message: String,
    pub attempts: i64,
    pub message_id: Option<String>,
    pub create_time: Millis,
    pub update_time: Millis,
    pub end_time: Option<Millis>,
    pub sequence: i64,
}

impl From<replies::Model> for Reply {
    fn from(row: replies::Model) -> Self {
        Self {
            photo_ids: serde_json::from_str(&row.photo_ids).unwrap_or_default(),
            reason: row.reason.as_deref().and_then(Reason::from_name),
            message: row.message.unwrap_or_default(),
            id: row.id,
            workspace_id: row.workspace_id,
            account_id: row.account_id,
            thread_id: row.thread_id,
            site: row.site,
            state: row.state,
            text: row.text,
            content_hash: row.content_hash,
            send_time: row.send_time,
            requires_action: row.requires_action,
            attempts: row.attempts,
            message_id: row.message_id,
            create_time: row.create_time,
            update_time: row.update_time,
            end_time: row.end_time,
            sequence: row.sequence,
        }
    }
}

impl Resource for Reply {
    const TYPE: ResourceType = ResourceType::Reply;
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

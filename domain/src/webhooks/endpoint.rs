//! The public representation of a webhook endpoint.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use super::address;
use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::webhook_endpoints;

/// Whether events are sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EndpointState {
    Enabled,
    Disabled,
}

/// Why an endpoint is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DisableReason {
    Person,
    Gone,
    Failing,
    TokenEnded,
}

/// A webhook endpoint without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub id: String,
    pub workspace_id: String,
    /// The URL with its query redacted.
    pub url: String,
    pub description: String,
    /// The event types to send. Empty: all types.
    pub event_types: Vec<String>,
    pub ordered: bool,
    pub state: EndpointState,
    pub disable_reason: Option<DisableReason>,
    pub message: String,
    pub old_secret_expire_time: Option<Millis>,
    pub failing_since: Option<Millis>,
    pub create_time: Millis,
    pub update_time: Millis,
    pub sequence: i64,
    /// The token or person that the endpoint belongs to. The endpoint is disabled when that ends.
    #[serde(default)]
    pub api_token_id: Option<String>,
}

impl From<webhook_endpoints::Model> for Endpoint {
    fn from(row: webhook_endpoints::Model) -> Self {
        Self {
            event_types: serde_json::from_str(&row.event_types).unwrap_or_default(),
            message: row.message.unwrap_or_default(),
            id: row.id,
            workspace_id: row.workspace_id,
            url: address::redacted(&row.url),
            description: row.description,
            ordered: row.ordered,
            state: row.state,
            disable_reason: row.disable_reason,
            old_secret_expire_time: row.old_secret_expire_time,
            failing_since: row.failing_since,
            create_time: row.create_time,
            update_time: row.update_time,
            sequence: row.sequence,
            api_token_id: row.token_id,
        }
    }
}

impl Resource for Endpoint {
    const TYPE: ResourceType = ResourceType::WebhookEndpoint;
    fn id(&self) -> &str {
        &self.id
    }
    fn workspace_id(&self) -> &str {
        &self.workspace_id
    }
    fn account_id(&self) -> Option<&str> {
        None
    }
}
